"""Gives cells with a lobed nucleus the clear cytoplasm that no dye shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from napari_cytosynth.ingest.masks import Labels, areas_of
from napari_cytosynth.ingest.stain import Mask


@dataclass(frozen=True, slots=True)
class RoundedConfig:
    """Which nuclei are lobed, and how far their cell reaches at least.

    Parameters
    ----------
    disc : float
        Share that the largest disc inside fills of a nucleus without lobes.
    seen : float
        Size of a cell, in nuclei, from which its cytoplasm is plainly seen.
    rim_um : float
        Cytoplasm around the hull of a lobed nucleus, however clear.
    """

    disc: float = 0.6
    seen: float = 2.5
    rim_um: float = 1.6


def rounded(
    cells: Labels, nuclei: Labels, blind: Mask, config: RoundedConfig, mpp: float
) -> Labels:
    """Add to each cell with a lobed nucleus the nucleus's hull and a rim around it.

    Parameters
    ----------
    cells, nuclei : int32[y, x]
        Labels; those of a cell and of its nucleus are equal.
    blind : bool[y, x]
        What is no smear.
    config : RoundedConfig
        Sizes.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    int32[y, x]
        ``cells``, grown over what is no other cell.
    """
    reach = config.rim_um / mpp
    pad = int(np.ceil(reach))
    count = int(nuclei.max(initial=0))
    areas = areas_of(nuclei, count)
    depth = np.zeros(count + 1)
    inside = ndimage.distance_transform_edt(nuclei > 0)
    np.maximum.at(depth, nuclei.ravel(), inside.ravel())
    lobed = np.pi * depth**2 < config.disc * areas
    lobed &= areas_of(cells, count) < config.seen * areas
    height, width = cells.shape
    for number, where in enumerate(ndimage.find_objects(nuclei), start=1):
        if where is None or not lobed[number]:
            continue
        hull = convex_hull_image(nuclei[where] == number)
        rows, columns = where
        top, left = max(rows.start - pad, 0), max(columns.start - pad, 0)
        bottom, right = min(rows.stop + pad, height), min(columns.stop + pad, width)
        around = np.zeros((bottom - top, right - left), bool)
        y, x = rows.start - top, columns.start - left
        around[y : y + hull.shape[0], x : x + hull.shape[1]] = hull
        near = ndimage.distance_transform_edt(~around) <= reach
        part = np.s_[top:bottom, left:right]
        cells[part][near & (cells[part] == 0) & ~blind[part]] = number
    return cells
