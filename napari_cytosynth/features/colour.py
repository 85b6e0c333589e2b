"""Colours of nucleus and cytoplasm, and how they change from the middle outwards."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.color import rgb2lab

from napari_cytosynth.features.regions import Masks, Stack

Columns = dict[str, npt.NDArray[np.float64]]
"""Named features, float64[n] each."""

_CHANNELS = ("red", "green", "blue")
_QUANTILES = (0.1, 0.5, 0.9)
_BINS = 96
_TOP_DENSITY = 2.4
_RINGS = np.array([0.0, 6.0, 11.0, 16.0, 21.0, 27.0, 34.0])


def colour_features(density: Stack, masks: Masks, name: str) -> Columns:
    """Describe the colour of one region a crop.

    Parameters
    ----------
    density : float32[n, y, x, 3]
        Optical density of red, green, blue.
    masks : bool[n, y, x]
        The region; empty ones give zeros.
    name : str
        Prefix of the feature names.
    """
    crop, y, x = np.nonzero(masks)
    pixels = density[crop, y, x].astype(np.float64)
    n = len(masks)
    count = np.bincount(crop, minlength=n).astype(np.float64)
    columns: Columns = {}
    means = np.stack([_mean(pixels[:, c], crop, count) for c in range(3)], axis=1)
    for c, channel in enumerate(_CHANNELS):
        square = _mean(pixels[:, c] ** 2, crop, count)
        columns[f"{name}.{channel}.mean"] = means[:, c]
        columns[f"{name}.{channel}.std"] = _root(square - means[:, c] ** 2)
        for q, value in zip(
            _QUANTILES, _quantiles(pixels[:, c], crop, count), strict=True
        ):
            columns[f"{name}.{channel}.q{q:.2f}"] = value
    columns |= _hue(pixels, crop, count, name)
    columns |= _lab(means, count, name)
    return columns


def _hue(
    pixels: npt.NDArray[np.float64],
    crop: npt.NDArray[np.intp],
    count: npt.NDArray[np.float64],
    name: str,
) -> Columns:
    """Chromaticity in density space: free of how thick the cell lies."""
    total = pixels.sum(axis=1) + 0.15
    columns = {}
    for c, channel in ((0, "red"), (2, "blue")):
        share = pixels[:, c] / total
        mean = _mean(share, crop, count)
        columns[f"{name}.{channel}_share.mean"] = mean
        columns[f"{name}.{channel}_share.std"] = _root(
            _mean(share**2, crop, count) - mean**2
        )
    return columns


def _lab(
    means: npt.NDArray[np.float64], count: npt.NDArray[np.float64], name: str
) -> Columns:
    """CIE Lab of the mean colour on white glass."""
    lab = rgb2lab(np.exp(-means)[:, None, :])[:, 0, :] / 100.0
    lab[count == 0] = 0.0
    return {f"{name}.lab_{axis}": lab[:, i] for i, axis in enumerate("Lab")}


def radial_features(density: Stack, cell: Masks) -> Columns:
    """Mean and spread of the densities on rings around the middle of the crop.

    Parameters
    ----------
    density : float32[n, y, x, 3]
        Optical density.
    cell : bool[n, y, x]
        Whole cells: the share of each ring that they fill is measured too.
    """
    n, side = density.shape[:2]
    offset = np.arange(side) - (side - 1) / 2
    ring = np.digitize(np.hypot(offset[:, None], offset[None, :]), _RINGS) - 1
    rings = len(_RINGS) - 1
    select = np.stack([(ring == k).ravel() for k in range(rings)]).astype(np.float32)
    select /= select.sum(axis=1, keepdims=True)
    flat = density.reshape(n, side * side, 3)
    mean = np.einsum("kp,npc->nkc", select, flat, optimize=True)
    square = np.einsum("kp,npc->nkc", select, flat**2, optimize=True)
    filled = cell.reshape(n, -1).astype(np.float32) @ select.T
    columns: Columns = {}
    for k in range(rings):
        for c, channel in enumerate(_CHANNELS):
            value = mean[:, k, c].astype(np.float64)
            columns[f"ring_{k}.{channel}.mean"] = value
        spread = _root(square[:, k, 0].astype(np.float64) - mean[:, k, 0] ** 2)
        columns[f"ring_{k}.red.std"] = spread
        columns[f"ring_{k}.filled"] = filled[:, k].astype(np.float64)
    return columns


def _mean(
    values: npt.NDArray[np.float64],
    crop: npt.NDArray[np.intp],
    count: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    total = np.bincount(crop, values, minlength=len(count))
    return total / np.maximum(count, 1.0)


def _quantiles(
    values: npt.NDArray[np.float64],
    crop: npt.NDArray[np.intp],
    count: npt.NDArray[np.float64],
) -> list[npt.NDArray[np.float64]]:
    """Quantiles of each crop's values, to a bin's width."""
    n = len(count)
    bins = np.minimum(values * (_BINS / _TOP_DENSITY), _BINS - 1).astype(np.intp)
    table = np.bincount(crop * _BINS + bins, minlength=n * _BINS).reshape(n, _BINS)
    share = np.cumsum(table, axis=1) / np.maximum(count, 1.0)[:, None]
    width = _TOP_DENSITY / _BINS
    return [
        np.where(count > 0, ((share >= q).argmax(axis=1) + 0.5) * width, 0.0)
        for q in _QUANTILES
    ]


def _root(variance: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    root: npt.NDArray[np.float64] = np.sqrt(np.maximum(variance, 0.0)).astype(float)
    return root
