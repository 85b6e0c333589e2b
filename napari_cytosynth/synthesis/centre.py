"""Where the cell in the middle of a crop lies, told by its stain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.synthesis.appearance import Crops, rgb_to_lab

Masks = npt.NDArray[np.float32]

REACH = 0.15
"""A cell's outline lies within this share of the crop's side from its nucleus' rim."""

VIOLET = 1.1
"""Cytoplasm departs from the ground by more than this much violet a step of darkness
(a minus b over L of CIE Lab, in the stain of the training cells), red cells by less."""

_CORE = 0.25
_MARGIN = 0.03
_FEATHER = 0.015


def centre_masks(crops: Crops) -> Masks:
    """Mark the cell in the middle of each crop.

    The nucleus is the dark region nearest to the middle; the cell is what is not as
    bright as the ground around it, within :data:`REACH` of the nucleus, and
    more violet than red cells. Where no nucleus is found, a
    disc of a quarter of the side stands for the cell.

    Parameters
    ----------
    crops : uint8[n, y, x, 3]
        Square crops.

    Returns
    -------
    float32[n, y, x]
        1 in the cell, 0 outside, smooth between.
    """
    if not len(crops):
        return np.zeros(crops.shape[:3], np.float32)
    return np.stack([_mask(crop) for crop in crops])


def _mask(crop: Crops) -> Masks:
    side = crop.shape[0]
    lab = ndimage.gaussian_filter(rgb_to_lab(crop), (side / 96, side / 96, 0))
    light = lab[..., 0]
    ground = lab[light >= np.quantile(light, 0.8)].mean(axis=0)
    nucleus = _nucleus(light < 0.72 * ground[0], side)
    if nucleus is None:
        cell = _from_middle(side) < _CORE * side
    else:
        cell = _cell(lab, ground, nucleus)
    grown = ndimage.distance_transform_edt(~cell) < max(1.0, _MARGIN * side)
    soft = ndimage.gaussian_filter(grown.astype(np.float32), _FEATHER * side)
    return np.asarray(soft, np.float32)


def _nucleus(dark: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.bool_] | None:
    """Return the dark parts near the middle; lobes lie apart, yet close together."""
    labels, count = ndimage.label(ndimage.binary_opening(dark, iterations=1))
    kept = np.zeros(dark.shape, bool)
    away = _from_middle(side)
    for index in range(1, count + 1):
        part = labels == index
        if part.sum() >= (side / 24) ** 2 and away[part].min() < 0.17 * side:
            kept |= part
    return kept if kept.any() else None


def _cell(
    lab: npt.NDArray[np.float64],
    ground: npt.NDArray[np.float64],
    nucleus: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    side = len(nucleus)
    near = ndimage.distance_transform_edt(~nucleus) < REACH * side
    away = lab - ground
    stained = np.linalg.norm(away, axis=-1) > 9.0
    # Red cells are as dark as cytoplasm, but have less of its violet for that.
    violet = away[..., 1] - away[..., 2] > VIOLET * np.maximum(-away[..., 0], 1)
    cell = ndimage.binary_opening((near & stained & violet) | nucleus, iterations=2)
    labels, _ = ndimage.label(cell | nucleus)
    wanted = np.unique(labels[nucleus])
    cell = ndimage.binary_fill_holes(np.isin(labels, wanted[wanted > 0]))
    return np.asarray(
        ndimage.binary_closing(cell, iterations=max(1, side // 32)) | cell
    )


def _from_middle(side: int) -> npt.NDArray[np.float64]:
    axis = np.arange(side) + 0.5 - side / 2
    distance: npt.NDArray[np.float64] = np.hypot(axis[:, None], axis[None, :])
    return distance
