"""Reads the pixel size off the cells: red cells are 7.5 um wide, nuclei about 9."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_cytosynth.core.smear import FALLBACK_MPP, RED_CELL_UM, MppSource
from napari_cytosynth.ingest.circles import Circles, count_circles
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

RED_CIRCLE_UM = 7.1
"""Diameter of the steepest edge around a common red cell."""

NUCLEUS_DISC_UM = 6.5
"""Diameter of the largest disc inside a common nucleus; lobes are narrower."""

WHITE_DISC_UM = 9.5
"""Diameter of the largest disc inside a common white cell, less where it is clear."""

SMOOTH_PIXELS = 1.5
"""Blur before nuclei are told from the rest, when no scale is known yet."""

_SMALLEST = 3.0  # pixels of radius; below this a disc cannot be told from noise
_RED_SPREAD, _NUCLEUS_SPREAD = 0.10, 0.35  # of the logarithm of the radius
_CIRCLE_SPREAD, _WHITE_SPREAD = 0.12, 0.35
_WHITE_WEIGHT = 3.0  # of its disc, which no lobes and no gaps change
_MANY_WHITE = 4.0  # from which they lie together and share their cytoplasm
_NUCLEAR = 0.2  # share of nucleus in the disc of a white cell, at least
_COVERED = 0.3  # share of the picture under circles that tells as much as discs can
_DOUBT = 0.1  # what either kind of evidence leaves to the other
_OTHER = 0.26  # logarithm beyond which another pixel size contradicts
_SMALL_RED = 4.5  # pixels of radius
_RIM_EDGE, _NUCLEUS_EDGE = 6, 3  # pixels beside black and nuclei that are no cell's
_PALE_RED = 0.7  # of the threshold that parts red cells from glass; closes thin rings
_LOBED = 0.96  # a nucleus is a little larger with the gaps between its lobes filled
_GAP = 0.5  # of the radius of the thickest nucleus: gaps between lobes
_LARGE = 14.0  # pixels of radius of red cells that a reduced picture shows as well
_SMALL = 7.0  # pixels of radius below which red cells are looked at enlarged
_MIDDLE = 400  # pixels: side of the part of a window that is enlarged
_CROWDED = 800  # discs a megapixel
_FEW = 3.0  # cells that are believed by half
_MOST_DISCS = 2000
_SIZES = np.geomspace(0.03, 1.2, 370)
_NO_CIRCLES = Circles(np.zeros(0), np.zeros(0))
# Objectives of 10x to 100x; gentle, so that it only breaks near-ties.
_PRIOR = np.exp(-0.5 * (np.log(_SIZES / 0.2) / 1.2) ** 2)


@dataclass(frozen=True, slots=True)
class Scale:
    """A pixel size, where it comes from, the trust in it, 0..1, and cells that tell."""

    mpp: float
    source: MppSource
    confidence: float
    seen: int = 0


@dataclass(frozen=True, slots=True)
class _Clues:
    """What a picture shows of sizes: radii of discs, circles, and its pixels.

    Discs lie in red cells, in nuclei, and in white cells with their cytoplasm.
    """

    red: Radii
    nuclei: Radii
    white: Radii
    circles: Circles
    pixels: int


def estimate_scale(windows: list[RGB], background: Colour, nucleus: float) -> Scale:
    """Estimate the pixel size from discs that fit into cells, and circles around them.

    The inscribed disc of a red cell keeps its size where cells overlap, which outlines
    do not. Where cells crowd into masses or have pale middles, the circles that their
    edges lie on tell better. The pixel size on which both agree is taken.

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
    found = _at_size(windows, background, nucleus)
    if found.mpp == FALLBACK_MPP or _red_radius(found) >= _SMALL:
        return found
    # Cells of few pixels are all edge, and discs in them come out too large.
    twice = [_enlarged(window) for window in windows]
    closer = _at_size(twice, background, nucleus)
    return replace(closer, mpp=2 * closer.mpp)


def _red_radius(scale: Scale) -> float:
    """Return the radius of a red cell, pixels."""
    return RED_CELL_UM / 2 / scale.mpp


def _enlarged(window: RGB) -> RGB:
    """Return the middle of a window at twice its size."""
    height, width = window.shape[:2]
    y, x = max(height - _MIDDLE, 0) // 2, max(width - _MIDDLE, 0) // 2
    middle = Image.fromarray(window[y : y + _MIDDLE, x : x + _MIDDLE])
    size = (2 * middle.width, 2 * middle.height)
    return np.asarray(middle.resize(size, Image.Resampling.BICUBIC))


def _at_size(windows: list[RGB], background: Colour, nucleus: float) -> Scale:
    """Estimate the pixel size from windows as large as they are."""
    red: list[Radii] = []
    nuclei: list[Radii] = []
    whites: list[Radii] = []
    edges = []
    for window in windows:
        rim = ndimage.binary_dilation(brightest(window) <= RIM, iterations=_RIM_EDGE)
        dye = smooth(purple(window, background), SMOOTH_PIXELS)
        # A closed rim is as dark as nuclei, and the whole field a hole in it.
        dark = ndimage.binary_fill_holes((dye > nucleus) & ~rim)
        discs, whole, white = _nuclei(dark)
        nuclei += [discs, whole]
        taken = rim | white
        masks = _stained(window, background, taken)
        away = [ndimage.distance_transform_edt(mask & ~taken) for mask in masks]
        red += [_radii(each) for each in away]
        whites += [_white_cells(mask & ~rim, dark) for mask in masks[:1]]
        edges.append((window, ~taken))
    pixels = sum(w.shape[0] * w.shape[1] for w in windows)
    cells, whole_cells = (
        np.concatenate([np.zeros(0), *each]) for each in (red, whites)
    )
    clues = _Clues(cells, np.concatenate(nuclei), whole_cells, _NO_CIRCLES, pixels)
    for large in (True, False):
        circles = _NO_CIRCLES
        for window, free in edges:
            circles = circles.plus(_circles(window, background, free, large=large))
        found = _agreed(replace(clues, circles=circles))
        if _red_radius(found) >= _LARGE:
            break
    return found


def _agreed(clues: _Clues) -> Scale:
    """Return the pixel size under which most discs and circles have known sizes.

    The trust is how far the next best one, of another size, falls behind.
    """
    red, nuclei, power = clues.red, clues.nuclei, 2.0
    if (red >= _SMALL_RED).sum() >= 2 * _CROWDED * clues.pixels / 1e6:
        # Where small cells crowd, some merge into a mass; there heads are counted, not
        # areas.
        red, power = red[red >= _SMALL_RED], 1.0
    from_red = _evidence(red, (RED_DISC_UM / 2, _RED_SPREAD), power)
    from_nuclei = _evidence(nuclei, (NUCLEUS_DISC_UM / 2, _NUCLEUS_SPREAD), power)
    from_white = _evidence(clues.white, (WHITE_DISC_UM / 2, _WHITE_SPREAD), power)
    apart = 1 / (1 + (len(clues.white) / _MANY_WHITE) ** 2)
    from_nuclei += _WHITE_WEIGHT * apart * from_white
    discs = from_red + from_nuclei
    if not discs.any():
        return Scale(FALLBACK_MPP, MppSource.FALLBACK, 0.0)
    around = _circle_evidence(clues.circles)
    covered = max(float(around.max()), _COVERED * clues.pixels)
    agreed = (discs / discs.max() + _DOUBT) * (around / covered + _DOUBT) * _PRIOR
    best = int(agreed.argmax())
    mpp = float(_SIZES[best])
    other = agreed[np.abs(np.log(_SIZES / mpp)) > _OTHER].max()
    by_red = from_red[best] >= 0.5 * from_nuclei[best]
    radii, um = (red, RED_DISC_UM) if by_red else (nuclei, NUCLEUS_DISC_UM)
    # Every disc is looked for twice.
    seen = int((np.abs(np.log(radii * mpp * 2 / um)) < 2 * _RED_SPREAD).sum()) // 2
    trust = float(1 - other / agreed[best]) * seen / (seen + _FEW)
    source = MppSource.RED_CELLS if by_red else MppSource.NUCLEI
    return Scale(mpp, source, trust, seen)


def _circle_evidence(circles: Circles) -> Radii:
    """Return, for each pixel size, the pixels covered by circles of a red cell's."""
    apart = np.log(_SIZES[:, None] * circles.radii[None, :] * 2 / RED_CIRCLE_UM)
    near = np.exp(-0.5 * (apart / _CIRCLE_SPREAD) ** 2)
    return np.asarray(near @ circles.areas(), np.float64)


def _circles(window: RGB, background: Colour, free: Mask, *, large: bool) -> Circles:
    """Count the circles of red cells in a window, from the edges where it is free."""
    density = optical_density(window, background)[..., 1]
    black = brightest(window) <= RIM
    threshold = _pale(density[~black].clip(-0.1, 0.5))
    if threshold is None:
        return _NO_CIRCLES
    return count_circles(density, free, threshold, large=large)


def _pale(density: npt.NDArray[np.float32]) -> float | None:
    """Return the density that parts pale cells from glass; None if all is alike."""
    if not len(density) or np.ptp(density) < 0.02:
        return None
    return max(float(threshold_otsu(density)), 0.04)


def _evidence(radii: Radii, expected: tuple[float, float], power: float) -> Radii:
    """Return, for each pixel size, how much of the discs has the expected radius."""
    um, spread = expected
    apart = np.log(_SIZES[:, None] * radii[None, :] / um) / spread
    return np.asarray(np.exp(-0.5 * apart**2) @ radii**power, np.float64)


def _nuclei(dark: Mask) -> tuple[Radii, Radii, Mask]:
    """Return radii of discs in lobes and in whole nuclei, and where white cells are.

    The gaps between the lobes of a nucleus are closed, whatever the scale. White cells
    reach as far beyond their nucleus as half a common nucleus is wide.
    """
    inside = ndimage.distance_transform_edt(dark)
    discs = _radii(inside)
    gap = _GAP * float(inside.max(initial=0.0))
    if not gap:
        return discs, discs, dark
    pad = int(gap) + 2
    inner = (slice(pad, -pad), slice(pad, -pad))
    away = ndimage.distance_transform_edt(~np.pad(dark, pad))
    if gap >= 1:
        closed = ndimage.distance_transform_edt(away <= gap) > gap
        inside = ndimage.distance_transform_edt(
            ndimage.binary_fill_holes(closed)[inner]
        )
    reach = max(float(np.median(discs)) if len(discs) else 0.0, _NUCLEUS_EDGE)
    return discs, _LOBED * _radii(inside), away[inner] <= reach


def _stained(window: RGB, background: Colour, dark: Mask) -> list[Mask]:
    """Mark what is stained; the pale middle of red cells is filled.

    Twice: clearly stained, and faintly, so that thin rings close. ``dark`` is not
    asked how pale red cells are.
    """
    density = optical_density(window, background)[..., 1]
    density = ndimage.gaussian_filter(density, 1.0)
    threshold = _pale(density[~dark].clip(-0.1, 0.5))
    if threshold is None:
        return []
    seen = brightest(window) > RIM
    shares = (1.0, _PALE_RED)
    return [pale_middles_filled((density > s * threshold) & seen) for s in shares]


def _white_cells(stained: Mask, dark: Mask) -> Radii:
    """Return the radii of discs that nucleus and cytoplasm fill together."""
    discs = _discs(ndimage.distance_transform_edt(stained | dark))
    sums = np.pad(dark.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    height, width = dark.shape
    half = np.sqrt(np.pi) / 2 * discs[:, 2]  # of the square of the same area
    top, bottom = ((discs[:, 0] + h).astype(int).clip(0, height) for h in (-half, half))
    left, right = ((discs[:, 1] + h).astype(int).clip(0, width) for h in (-half, half))
    held = sums[bottom, right] - sums[top, right]
    held = held - sums[bottom, left] + sums[top, left]
    nuclear = held > _NUCLEAR * (bottom - top) * (right - left)
    return np.asarray(discs[nuclear, 2], np.float64)


def _radii(away: Radii) -> Radii:
    """Return the radii of :func:`_discs`."""
    return _discs(away)[:, 2]


def _discs(away: Radii) -> Radii:
    """Return rows, columns and radii of the largest discs in a mask, none in another.

    ``away`` is how far each pixel lies from what is not in the mask.
    """
    peaks = (away == ndimage.maximum_filter(away, 5)) & (away >= _SMALLEST)
    rows, columns = np.nonzero(peaks)
    radii = away[rows, columns]
    height, width = away.shape
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
    return np.stack([rows[inside], columns[inside], radii[inside]], axis=1)
