"""Finds the central cell of each crop, its nucleus and its cytoplasm.

Works on optical density over the crop's own background, so lamp and camera cancel out.
Red and green tell nuclei apart: Romanowsky dyes make chromatin absorb both, while
haemoglobin and eosinophilic granules absorb green and blue, and hardly any red.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.core.protocols import Crops

Masks = npt.NDArray[np.bool_]
Stack = npt.NDArray[np.float32]

FLAT = np.zeros((3, 3, 3), bool)
"""Neighbourhood of a stack: eight neighbours within a crop, none across crops."""
FLAT[1] = True

_BINS = 64
_TOP_DENSITY = 2.0
_LEVELS = (np.arange(_BINS) + 0.5) / _BINS * _TOP_DENSITY
_EDGES = (np.arange(_BINS) + 1.0) / _BINS * _TOP_DENSITY
_NUCLEUS_RANGE = (0.35, 1.1)
_CELL_RANGE = (0.10, 0.30)
_NECK_SHARE = 0.55
_NECK_RANGE = (3.0, 9.0)
_REACH_PIXELS = 28.0
_STAINED = 0.16
_WHITE = 254
_FALLBACK_PIXELS = 10.0
_SPECK_SHARE = 0.06


@dataclass(frozen=True, slots=True)
class Regions:
    """The central cells of a stack of crops.

    Parameters
    ----------
    density : float32[n, y, x, 3]
        Optical density of red, green and blue over the background, 0..3.
    nucleus : bool[n, y, x]
        Nucleus of the central cell; never empty.
    cell : bool[n, y, x]
        Whole central cell; holds the nucleus.
    """

    density: Stack
    nucleus: Masks
    cell: Masks

    @property
    def cytoplasm(self) -> Masks:
        """The cell without its nucleus; may be empty."""
        return self.cell & ~self.nucleus


def find_regions(crops: Crops) -> Regions:
    """Segment the central cell of every crop.

    Parameters
    ----------
    crops : uint8[n, y, x, 3]
        RGB, 0.25 um a pixel, the cell in the middle.
    """
    density = optical_density(crops)
    smooth = ndimage.gaussian_filter(density, (0, 1, 1, 0), truncate=3.0)
    nuclear, foreground = _thresholded(smooth)
    seed = _central_component(nuclear)
    cell = _cell_around(seed, foreground | nuclear)
    nucleus = _filled(_without_specks((nuclear & cell) | seed))
    return Regions(density, nucleus, cell | nucleus)


_CROSS = np.zeros((3, 3, 3), bool)
_CROSS[1] = ndimage.generate_binary_structure(2, 1)


def optical_density(crops: Crops) -> Stack:
    """Return the optical density over each crop's own background, 0..3."""
    n = len(crops)
    flat = crops.reshape(n, -1, 3)
    glass = np.array([_glass(pixels) for pixels in flat], np.float32).reshape(n, 3)
    glass = np.maximum(glass, 64.0)[:, None, None, :]
    table = np.log(np.arange(1, 257, dtype=np.float32))
    density: Stack = np.clip(np.log(glass + 1.0) - table[crops], 0.0, 3.0)
    return density


def _glass(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the colour of the glass; the white beyond a picture's edge is none.

    The brightest tenth is glass even in a crowded crop, and the very brightest noise.
    """
    inside = pixels[pixels.min(axis=1) < _WHITE]
    if len(inside) < _BINS:
        return np.full(3, 255.0)
    rank = len(inside) - 1 - len(inside) // 10
    glass: npt.NDArray[np.float64] = np.partition(inside, rank, axis=0)[rank] * 1.0
    return glass


def _thresholded(smooth: Stack) -> tuple[Masks, Masks]:
    """Return what is nuclear and what is not glass, by thresholds of each crop."""
    dark, green = smooth[..., :2].mean(axis=3), smooth[..., 1]
    histogram = _histograms(dark)
    stained = histogram.copy()
    stained[:, : int(_STAINED / _TOP_DENSITY * _BINS)] = 0
    # Three classes split the chromatin where nuclei fill the crop; two classes of what
    # is stained do so where there is hardly any cytoplasm. The lower one is right.
    high = np.minimum(_two_thresholds(histogram)[1], _threshold(stained))
    high = np.clip(high, *_NUCLEUS_RANGE)
    glass = np.clip(0.5 * _two_thresholds(_histograms(green))[0], *_CELL_RANGE)
    return dark > high[:, None, None], green > glass[:, None, None]


def _threshold(histogram: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Otsu's method (1979), for each row."""
    mass = np.cumsum(histogram, axis=1)
    moment = np.cumsum(histogram * _LEVELS, axis=1)
    rest = mass[:, -1:] - mass
    score = _between(mass, moment) + _between(rest, moment[:, -1:] - moment)
    found: npt.NDArray[np.float64] = _EDGES[score[:, :-1].argmax(axis=1)]
    return found


def _two_thresholds(
    histogram: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Otsu's method with two thresholds, for each row.

    Liao, Chen, Chung (2001), J. Inf. Sci. Eng. 17: the pair that maximises the variance
    between three classes, here by tables over all pairs of bins at once.
    """
    mass = np.cumsum(histogram, axis=1)
    moment = np.cumsum(histogram * _LEVELS, axis=1)
    first = _between(mass, moment)[:, :, None]
    middle = _between(
        mass[:, None, :] - mass[:, :, None], moment[:, None, :] - moment[:, :, None]
    )
    last = _between(mass[:, -1:] - mass, moment[:, -1:] - moment)[:, None, :]
    score = np.where(
        np.triu(np.ones((_BINS, _BINS), bool), 1), first + middle + last, -1
    )
    best = score.reshape(len(histogram), -1).argmax(axis=1)
    return _EDGES[best // _BINS], _EDGES[best % _BINS]


def _between(
    mass: npt.NDArray[np.float64], moment: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return what classes of this mass and moment add to the score."""
    empty = np.zeros_like(moment)
    return np.divide(moment**2, mass, out=empty, where=mass > 0)


def _histograms(density: Stack) -> npt.NDArray[np.float64]:
    n = len(density)
    bins = np.minimum(density * (_BINS / _TOP_DENSITY), _BINS - 1).astype(np.intp)
    bins += np.arange(n)[:, None, None] * _BINS
    counts = np.bincount(bins.ravel(), minlength=n * _BINS)
    return counts.reshape(n, _BINS).astype(np.float64)


def centre_weight(side: int, sigma: float = 12.0) -> npt.NDArray[np.float64]:
    """Return a bell of float64[side, side] that peaks in the middle of a crop."""
    offset = np.arange(side) - (side - 1) / 2
    return np.exp(-(offset[:, None] ** 2 + offset[None, :] ** 2) / (2 * sigma**2))


def disc(side: int, radius: float) -> Masks:
    """Return bool[side, side]: a disc in the middle of a crop."""
    offset = np.arange(side) - (side - 1) / 2
    return offset[:, None] ** 2 + offset[None, :] ** 2 <= radius**2


def _central_component(masks: Masks) -> Masks:
    """Keep of each mask the component that weighs most at the middle."""
    n, side = masks.shape[:2]
    labels, count = ndimage.label(masks, structure=FLAT)
    weight = np.broadcast_to(centre_weight(side), masks.shape)
    mass = np.bincount(labels.ravel(), weight.ravel(), minlength=count + 1)
    mass[0] = 0.0
    weighed = mass[labels].reshape(n, -1)
    best = labels.reshape(n, -1)[np.arange(n), weighed.argmax(axis=1)]
    found: Masks = (labels == best[:, None, None]) & (best > 0)[:, None, None]
    found[best == 0] = disc(side, _FALLBACK_PIXELS)
    return found


def _cell_around(seed: Masks, foreground: Masks) -> Masks:
    """Cut the foreground at necks and keep what belongs to the seed.

    A neck is what is narrower than about half the cell, so a red cell that leans on a
    large cell is cut off as well as one that touches a small one.
    """
    solid = _filled(foreground | seed)
    inner = np.empty_like(seed)
    near = np.empty_like(seed)
    necks = np.empty(len(seed))
    for i, (nucleus, mask) in enumerate(zip(seed, solid, strict=True)):
        depth = ndimage.distance_transform_edt(mask)
        necks[i] = np.clip(_NECK_SHARE * depth[nucleus].max(), *_NECK_RANGE)
        inner[i] = depth > necks[i]
        near[i] = ndimage.distance_transform_edt(~nucleus) <= _REACH_PIXELS
    core = _touching((inner & near) | seed, seed)
    grown = np.empty_like(seed)
    for i, mask in enumerate(core):
        grown[i] = ndimage.distance_transform_edt(~mask) <= necks[i] + 1
    return _touching((grown & solid & near) | seed, seed)


def _touching(masks: Masks, seed: Masks) -> Masks:
    """Keep the components that share a pixel with the seed."""
    labels, count = ndimage.label(masks, structure=FLAT)
    kept = np.zeros(count + 1, bool)
    kept[np.unique(labels[seed])] = True
    kept[0] = False
    found: Masks = kept[labels]
    return found


def _without_specks(masks: Masks) -> Masks:
    """Drop components much smaller than the largest one of their crop."""
    labels, count = ndimage.label(masks, structure=FLAT)
    area = np.bincount(labels.ravel(), minlength=count + 1).astype(np.float64)
    area[0] = 0.0
    size = area[labels]
    large: Masks = size >= _SPECK_SHARE * size.max(axis=(1, 2), keepdims=True)
    return masks & large


def _filled(masks: Masks) -> Masks:
    """Fill the holes of every mask."""
    labels, count = ndimage.label(~masks, structure=_CROSS)
    outside = np.zeros(count + 1, bool)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        outside[edge] = True
    outside[0] = False
    found: Masks = ~outside[labels]
    return found
