"""Reads the pixel size off the cells: red cells are 7.5 um wide, nuclei about 9."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_cytosynth.core.smear import FALLBACK_MPP, RED_CELL_UM, MppSource
from napari_cytosynth.ingest.stain import RIM, RGB, Colour, optical_density, purple

NUCLEUS_UM = 9.0
"""Equivalent diameter of a common leucocyte's nucleus."""

_SMALLEST = 6.0  # pixels; below this roundness cannot be told
_ASPECT = 1.25
_FILL = (0.70, 0.87)  # area over bounding box; a disc has 0.785
_ENOUGH = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """A pixel size, where it comes from, and the trust in it, 0..1."""

    mpp: float
    source: MppSource
    confidence: float


def estimate_scale(windows: list[RGB], background: Colour, nucleus: float) -> Scale:
    """Estimate the pixel size from round objects.

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
        stained, purple_map = _stained(window, background), purple(window, background)
        dark = purple_map > nucleus
        red.append(
            _round_diameters(stained & ~ndimage.binary_dilation(dark, iterations=3))
        )
        nuclei.append(_round_diameters(dark))
    diameter, confidence = _typical(np.concatenate(red))
    if confidence > 0:
        return Scale(RED_CELL_UM / diameter, MppSource.RED_CELLS, confidence)
    diameter, confidence = _typical(np.concatenate(nuclei))
    if confidence > 0:
        return Scale(NUCLEUS_UM / diameter, MppSource.NUCLEI, confidence / 2)
    return Scale(FALLBACK_MPP, MppSource.FALLBACK, 0.0)


def _stained(window: RGB, background: Colour) -> npt.NDArray[np.bool_]:
    """Mark whatever is not glass; the pale middle of red cells is filled."""
    density = ndimage.gaussian_filter(
        optical_density(window, background)[..., 1], 1.0
    ).clip(-0.1, 0.6)
    threshold = max(float(threshold_otsu(density)), 0.03) if np.ptp(density) else 1.0
    stained = (density > threshold) & (window.max(axis=-1) > RIM)
    return np.asarray(ndimage.binary_fill_holes(stained), bool)


def _round_diameters(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the diameters of the round objects that the border does not cut."""
    labels, count = ndimage.label(mask)
    if not count:
        return np.zeros(0)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    height, width = mask.shape
    found = []
    for area, (rows, columns) in zip(areas, ndimage.find_objects(labels), strict=True):
        h, w = rows.stop - rows.start, columns.stop - columns.start
        inside = (
            rows.start > 0
            and columns.start > 0
            and rows.stop < height
            and columns.stop < width
        )
        diameter = float(np.sqrt(4 * area / np.pi))
        is_round = (
            max(h, w) <= _ASPECT * min(h, w) and _FILL[0] < area / (h * w) < _FILL[1]
        )
        if inside and is_round and diameter >= _SMALLEST:
            found.append(diameter)
    return np.array(found)


def _typical(diameters: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the diameter that covers most area, and the trust in it."""
    if not len(diameters):
        return 0.0, 0.0
    order = np.sort(diameters)
    covered = np.cumsum(order**2)
    middle = float(order[np.searchsorted(covered, covered[-1] / 2)])
    near = np.abs(np.log(diameters / middle)) < 0.15
    agreement = float((diameters[near] ** 2).sum() / covered[-1])
    trust = agreement * min(1.0, near.sum() / _ENOUGH)
    return float(np.median(diameters[near])), trust
