"""Chromatin and granules: texture within nucleus and cytoplasm at several scales."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.features.regions import Masks, Stack

Columns = dict[str, npt.NDArray[np.float64]]
"""Named features, float64[n] each."""

_SCALES = (0.6, 1.2, 2.4)
_CHANNELS = ((0, "red"), (1, "green"))
_LEVELS = 8
_TOP_DENSITY = 2.0
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
_AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_PATTERNS = 10
_MARGIN = 0.02


def texture_features(density: Stack, regions: dict[str, Masks]) -> Columns:
    """Describe the texture of each named region.

    Parameters
    ----------
    density : float32[n, y, x, 3]
        Optical density.
    regions : dict of str to bool[n, y, x]
        Regions to describe; empty ones give zeros.
    """
    columns: Columns = {}
    for channel, colour in _CHANNELS:
        plane = np.ascontiguousarray(density[..., channel])
        for scale, band in zip(_SCALES, _bands(plane), strict=True):
            for name, masks in regions.items():
                columns |= _energy(band, masks, f"{name}.{colour}.grain_{scale}")
    green = ndimage.gaussian_filter(density[..., 1], (0, 0.6, 0.6), truncate=3.0)
    patterns = _local_patterns(green)
    for name, masks in regions.items():
        columns |= _pattern_shares(patterns, masks, name)
        columns |= _haralick(green, masks, name)
    return columns


def _bands(plane: Stack) -> list[Stack]:
    """Differences of Gaussians: a Laplacian pyramid without the subsampling."""
    sigmas = (*_SCALES, 2 * _SCALES[-1])
    blurred = [ndimage.gaussian_filter(plane, (0, s, s), truncate=2.5) for s in sigmas]
    return [fine - coarse for fine, coarse in itertools.pairwise(blurred)]


def _energy(band: Stack, masks: Masks, name: str) -> Columns:
    """Log standard deviation of a band, and its lean to dark grains or pale holes."""
    count = np.maximum(masks.sum(axis=(1, 2)), 1).astype(np.float64)
    inside = np.where(masks, band, 0.0)
    square = np.einsum("nyx,nyx->n", inside, inside) / count
    cube = np.einsum("nyx,nyx,nyx->n", inside, inside, inside) / count
    spread = np.sqrt(square) + 0.005
    lean = np.cbrt(cube) / spread
    return {f"{name}.log": np.log(spread), f"{name}.lean": lean.astype(np.float64)}


def _local_patterns(plane: Stack) -> npt.NDArray[np.uint8]:
    """Rotation-invariant uniform local binary patterns, 8 neighbours.

    Ojala, Pietikainen, Maenpaa (2002), IEEE TPAMI 24. The square neighbourhood keeps
    the code exact under quarter turns and flips; a margin keeps noise on flat ground
    from reading as texture.
    """
    padded = np.pad(plane, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = plane.shape[1:]
    code = np.zeros(plane.shape, np.uint8)
    for bit, (dy, dx) in enumerate(_AROUND):
        shifted = padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        code |= (shifted > plane + _MARGIN).astype(np.uint8) << np.uint8(bit)
    return _PATTERN_OF[code]


def _pattern_table() -> npt.NDArray[np.uint8]:
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), _PATTERNS - 1).astype(np.uint8)


_PATTERN_OF = _pattern_table()


def _pattern_shares(
    patterns: npt.NDArray[np.uint8], masks: Masks, name: str
) -> Columns:
    crop, y, x = np.nonzero(masks)
    n = len(masks)
    table = np.bincount(
        crop * _PATTERNS + patterns[crop, y, x], minlength=n * _PATTERNS
    ).reshape(n, _PATTERNS)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return {f"{name}.pattern_{k}": share[:, k] for k in range(_PATTERNS)}


def _haralick(plane: Stack, masks: Masks, name: str) -> Columns:
    """Contrast, homogeneity, energy and correlation of grey-level pairs.

    Haralick, Shanmugam, Dinstein (1973), IEEE TSMC 3; four directions pooled, both
    pixels of a pair within the region.
    """
    grey = np.minimum(plane * (_LEVELS / _TOP_DENSITY), _LEVELS - 1).astype(np.intp)
    table = np.zeros((len(plane), _LEVELS, _LEVELS))
    for step in _STEPS:
        table += _pairs(grey, masks, step)
    table += table.transpose(0, 2, 1).copy()
    share = table / np.maximum(table.sum(axis=(1, 2), keepdims=True), 1)
    i, j = np.indices((_LEVELS, _LEVELS))
    mean = (share * i).sum(axis=(1, 2))
    variance = (share * i**2).sum(axis=(1, 2)) - mean**2
    covariance = (share * i * j).sum(axis=(1, 2)) - mean**2
    return {
        f"{name}.contrast": (share * (i - j) ** 2).sum(axis=(1, 2)),
        f"{name}.homogeneity": (share / (1 + (i - j) ** 2)).sum(axis=(1, 2)),
        f"{name}.energy": np.sqrt((share**2).sum(axis=(1, 2))),
        f"{name}.correlation": covariance / np.maximum(variance, 1e-3),
    }


def _pairs(
    grey: npt.NDArray[np.intp], masks: Masks, step: tuple[int, int]
) -> npt.NDArray[np.float64]:
    dy, dx = step
    height, width = grey.shape[1:]
    here = (slice(None), slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0)))
    there = (slice(None), slice(dy, height), slice(max(dx, 0), width + min(dx, 0)))
    crop, y, x = np.nonzero(masks[here] & masks[there])
    index = (crop * _LEVELS + grey[here][crop, y, x]) * _LEVELS
    index += grey[there][crop, y, x]
    counts = np.bincount(index, minlength=len(grey) * _LEVELS**2)
    return counts.reshape(len(grey), _LEVELS, _LEVELS).astype(np.float64)
