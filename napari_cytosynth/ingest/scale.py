"""Reads the pixel size off the cells: red cells are 7.5 um wide, nuclei about 9."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_cytosynth.core.smear import FALLBACK_MPP, RED_CELL_UM, MppSource
from napari_cytosynth.ingest.masks import pale_middles_filled
from napari_cytosynth.ingest.stain import (
    RGB,
    RIM,
    Colour,
    Mask,
    brightest,
    optical_density,
    purple,
    smooth,
)

Radii = npt.NDArray[np.float64]

RED_DISC_UM = 0.88 * RED_CELL_UM
"""Diameter of the largest disc inside a common red cell, which is never quite round."""

NUCLEUS_DISC_UM = 6.5
"""Diameter of the largest disc inside a common nucleus; lobes are narrower."""

SMOOTH_PIXELS = 1.5
"""Blur before nuclei are told from the rest, when no scale is known yet."""

_SMALLEST = 3.0  # pixels of radius; below this a disc cannot be told from noise
_RED_SPREAD, _NUCLEUS_SPREAD = 0.10, 0.35  # of the logarithm of the radius
_SMALL_RED = 4.5  # pixels of radius
_CROWDED = 800  # discs a megapixel
_ENOUGH = 8
_MOST_DISCS = 2000
_SIZES = np.geomspace(0.03, 1.2, 370)
# Objectives of 10x to 100x; gentle, so that it only breaks near-ties.
_PRIOR = np.exp(-0.5 * (np.log(_SIZES / 0.2) / 1.2) ** 2)


@dataclass(frozen=True, slots=True)
class Scale:
    """A pixel size, where it comes from, and the trust in it, 0..1."""

    mpp: float
    source: MppSource
    confidence: float


def estimate_scale(windows: list[RGB], background: Colour, nucleus: float) -> Scale:
    """Estimate the pixel size from the largest discs that fit into cells.

    The inscribed disc of a red cell keeps its size where cells touch or overlap, which
    outlines do not.

    Parameters
    ----------
    windows : list of uint8[y, x, 3]
        Parts of the picture at full size.
    background : tuple of 3 floats
        RGB of the glass.
    nucleus : float
        Threshold on the purple above which a pixel is nucleus.

    Returns
    -------
    Scale
        From red cells; else nuclei; else the fallback with confidence 0.
    """
    red, nuclei = [], []
    for window in windows:
        dye = smooth(purple(window, background), SMOOTH_PIXELS)
        dark = ndimage.binary_fill_holes(dye > nucleus)
        red.append(_radii(_red_cells(window, background, dark)))
        nuclei.append(_radii(dark))
    seen = sum(w.shape[0] * w.shape[1] for w in windows) / 1e6
    return _agreed(np.concatenate(red), np.concatenate(nuclei), seen)


def _agreed(red: Radii, nuclei: Radii, megapixels: float) -> Scale:
    """Return the pixel size under which most discs have their known size."""
    power = 2.0
    if (red >= _SMALL_RED).sum() >= _CROWDED * megapixels:
        # Where small cells crowd, some merge into a mass; there heads are counted, not
        # areas.
        red, power = red[red >= _SMALL_RED], 1.0
    from_red = _evidence(red, (RED_DISC_UM / 2, _RED_SPREAD), power)
    from_nuclei = _evidence(nuclei, (NUCLEUS_DISC_UM / 2, _NUCLEUS_SPREAD), power)
    total = from_red + from_nuclei
    if not total.any():
        return Scale(FALLBACK_MPP, MppSource.FALLBACK, 0.0)
    best = int((total * _PRIOR).argmax())
    by_red = from_red[best] >= 0.5 * from_nuclei[best]
    mpp = float(_SIZES[best])
    radii, um = (red, RED_DISC_UM) if by_red else (nuclei, NUCLEUS_DISC_UM)
    near = np.abs(np.log(radii * mpp * 2 / um)) < 2 * _RED_SPREAD
    share = float((radii[near] ** 2).sum() / max((radii**2).sum(), 1))
    trust = share * min(1.0, float(near.sum()) / _ENOUGH)
    if by_red:
        return Scale(mpp, MppSource.RED_CELLS, trust)
    return Scale(mpp, MppSource.NUCLEI, trust / 2)


def _evidence(radii: Radii, expected: tuple[float, float], power: float) -> Radii:
    """Return, for each pixel size, how much of the discs has the expected radius."""
    um, spread = expected
    apart = np.log(_SIZES[:, None] * radii[None, :] / um) / spread
    return np.asarray(np.exp(-0.5 * apart**2) @ radii**power, np.float64)


def _red_cells(window: RGB, background: Colour, dark: Mask) -> Mask:
    """Mark what is stained and no nucleus; the pale middle of red cells is filled."""
    density = optical_density(window, background)[..., 1]
    density = ndimage.gaussian_filter(density, 1.0)
    rest = density[~dark].clip(-0.1, 0.5)
    if not len(rest) or np.ptp(rest) < 0.02:
        return np.zeros_like(dark)
    threshold = max(float(threshold_otsu(rest)), 0.04)
    stained = (density > threshold) & (brightest(window) > RIM)
    return pale_middles_filled(stained) & ~dark


def _radii(mask: Mask) -> npt.NDArray[np.float64]:
    """Return the radii of the largest discs that fit into a mask, none in another."""
    away = ndimage.distance_transform_edt(mask)
    peaks = (away == ndimage.maximum_filter(away, 5)) & (away >= _SMALLEST)
    rows, columns = np.nonzero(peaks)
    radii = away[rows, columns]
    height, width = mask.shape
    border = np.minimum.reduce([rows + 1, columns + 1, height - rows, width - columns])
    order = np.argsort(-radii, kind="stable")[:_MOST_DISCS]
    kept: list[int] = []
    taken = np.zeros((0, 2))
    for i in order:
        place = np.array([rows[i], columns[i]], float)
        reach = radii[kept] + 0.5 * radii[i]
        if len(kept) and (np.hypot(*(taken - place).T) < reach).any():
            continue
        kept.append(int(i))
        taken = np.vstack([taken, place])
    inside = [i for i in kept if border[i] >= radii[i]]
    return np.asarray(radii[inside], np.float64)
