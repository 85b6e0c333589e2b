"""Shape of nuclei and cells: size, roundness, lobes, contour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, spatial

from napari_cytosynth.features.regions import FLAT, Masks

Columns = dict[str, npt.NDArray[np.float64]]
"""Named features, float64[n] each."""

UM2_PER_PIXEL = 0.25**2

_LOBE_LEVELS = (0.35, 0.5, 0.65, 0.8)
_RAYS = 48
_HARMONICS = 6


def shape_features(masks: Masks, name: str) -> Columns:
    """Measure masks.

    Parameters
    ----------
    masks : bool[n, y, x]
        One region a crop; empty ones give zeros.
    name : str
        Prefix of the feature names.

    Returns
    -------
    dict of str to float64[n]
        All finite.
    """
    area = masks.sum(axis=(1, 2)).astype(np.float64)
    perimeter = _perimeter(masks)
    ys, xs = centroids(masks)
    major, minor = _axes(masks, ys, xs)
    found = {
        "log_area": np.log1p(area * UM2_PER_PIXEL),
        "eccentricity": np.sqrt(1 - _ratio(minor, major) ** 2) * (area > 0),
        "form": _ratio(4 * np.pi * area, perimeter**2),
        "spread": _ratio(2 * np.pi * np.sqrt(major * minor), area),
        "solidity": _solidity(masks, area),
    }
    found |= _contour(masks, ys, xs)
    return {f"{name}.{key}": values for key, values in found.items()}


def lobe_features(nucleus: Masks) -> Columns:
    """Count lobes: parts into which a nucleus falls as its rim is taken away.

    Parameters
    ----------
    nucleus : bool[n, y, x]
        Nuclei.
    """
    depth = np.stack([ndimage.distance_transform_edt(mask) for mask in nucleus])
    deepest = depth.max(axis=(1, 2))
    area = nucleus.sum(axis=(1, 2))
    columns = {"lobes.parts": _components(nucleus)}
    for level in _LOBE_LEVELS:
        core = depth > level * deepest[:, None, None]
        columns[f"lobes.at_{level:.2f}"] = _components(core)
    inscribed = np.pi * deepest**2
    columns["lobes.inscribed"] = _ratio(inscribed, area.astype(np.float64))
    columns["lobes.depth_um"] = deepest * 0.25
    columns["lobes.mean_depth"] = _ratio(
        depth.sum(axis=(1, 2)), np.maximum(area * deepest, 1e-9)
    )
    return columns


def relation_features(nucleus: Masks, cell: Masks) -> Columns:
    """Measure how the nucleus lies in its cell: N/C ratio and offset.

    Parameters
    ----------
    nucleus, cell : bool[n, y, x]
        The nucleus lies within the cell.
    """
    nuclear = nucleus.sum(axis=(1, 2)).astype(np.float64)
    whole = cell.sum(axis=(1, 2)).astype(np.float64)
    (ny, nx), (cy, cx) = centroids(nucleus), centroids(cell)
    radius = np.sqrt(np.maximum(whole, 1.0) / np.pi)
    return {
        "cell.nc_ratio": _ratio(nuclear, whole),
        "cell.offset": np.hypot(ny - cy, nx - cx) / radius,
        "cell.log_cytoplasm": np.log1p((whole - nuclear) * UM2_PER_PIXEL),
    }


def centroids(
    masks: Masks,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return row and column of each mask's centre; the middle of the crop if empty."""
    side = np.arange(masks.shape[1], dtype=np.float64)
    area = masks.sum(axis=(1, 2)).astype(np.float64)
    middle = (len(side) - 1) / 2
    rows = masks.sum(axis=2) @ side
    columns = masks.sum(axis=1) @ side
    empty = area == 0
    area[empty] = 1.0
    return (
        np.where(empty, middle, rows / area),
        np.where(empty, middle, columns / area),
    )


def _axes(
    masks: Masks, ys: npt.NDArray[np.float64], xs: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the standard deviations along both principal axes, in pixels."""
    crop, y, x = np.nonzero(masks)
    n = len(masks)
    dy, dx = y - ys[crop], x - xs[crop]
    area = np.maximum(np.bincount(crop, minlength=n), 1)
    # A pixel is a square, not a point: its own second moment keeps thin masks finite.
    vy = np.bincount(crop, dy * dy, minlength=n) / area + 1 / 12
    vx = np.bincount(crop, dx * dx, minlength=n) / area + 1 / 12
    vxy = np.bincount(crop, dx * dy, minlength=n) / area
    middle, spread = (vy + vx) / 2, np.hypot((vy - vx) / 2, vxy)
    return np.sqrt(middle + spread), np.sqrt(np.maximum(middle - spread, 1e-9))


def _perimeter(masks: Masks) -> npt.NDArray[np.float64]:
    """Crofton's formula with four directions (Legland et al. 2011)."""
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    inner = padded[:, 1:-1, 1:-1]
    straight = (
        (padded[:, :-1] != padded[:, 1:]).sum(axis=(1, 2))
        + (padded[:, :, :-1] != padded[:, :, 1:]).sum(axis=(1, 2))
    ).astype(np.float64)
    slanted = (
        (padded[:, :-1, :-1] != padded[:, 1:, 1:]).sum(axis=(1, 2))
        + (padded[:, :-1, 1:] != padded[:, 1:, :-1]).sum(axis=(1, 2))
    ).astype(np.float64)
    perimeter = np.pi / 8 * (straight + slanted / np.sqrt(2))
    return np.where(inner.any(axis=(1, 2)), perimeter, 0.0)


def _solidity(masks: Masks, area: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the share of its convex hull that each mask fills."""
    return np.array(
        [
            min(pixels / _hull_area(mask), 1.0) if pixels else 0.0
            for mask, pixels in zip(masks, area, strict=True)
        ]
    )


def _hull_area(mask: npt.NDArray[np.bool_]) -> float:
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([first, last])
    # Corners of the end pixels of each row span the hull of all pixels.
    corners = np.concatenate(
        [
            np.stack([np.concatenate([rows, rows]), ends], axis=1),
            np.stack([np.concatenate([rows, rows]) + 1, ends], axis=1),
        ]
    )
    return float(spatial.ConvexHull(corners).volume)


def _contour(
    masks: Masks, ys: npt.NDArray[np.float64], xs: npt.NDArray[np.float64]
) -> Columns:
    """Fourier magnitudes of the farthest radius by angle: bean, band, lobes."""
    crop, y, x = np.nonzero(masks)
    dy, dx = y - ys[crop], x - xs[crop]
    ray = np.floor((np.arctan2(dy, dx) / (2 * np.pi) + 0.5) * _RAYS).astype(np.intp)
    radius = np.zeros(len(masks) * _RAYS)
    np.maximum.at(radius, crop * _RAYS + ray % _RAYS, np.hypot(dy, dx))
    spectrum = np.abs(np.fft.rfft(radius.reshape(len(masks), _RAYS), axis=1))
    return {
        f"contour_{k}": _ratio(spectrum[:, k], spectrum[:, 0])
        for k in range(1, _HARMONICS + 1)
    }


def _components(masks: Masks) -> npt.NDArray[np.float64]:
    """Count the components of each mask."""
    labels, count = ndimage.label(masks, structure=FLAT)
    crop, y, x = np.nonzero(labels)
    _, first = np.unique(labels[crop, y, x], return_index=True)
    if count == 0:
        return np.zeros(len(masks))
    return np.bincount(crop[first], minlength=len(masks)).astype(np.float64)


def _ratio(
    above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
