"""Finds red cells and platelets around the nucleated cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from napari_cytosynth.core.smear import RED_CELL_UM
from napari_cytosynth.ingest.masks import (
    Labels,
    areas_of,
    at_border,
    disc,
    opened,
    pale_middles_filled,
)
from napari_cytosynth.ingest.stain import Image32, Mask


@dataclass(frozen=True, slots=True)
class RedConfig:
    """Sizes of red cells and platelets, micrometres."""

    pale_um2: float = 16.0
    apart_um: float = 2.0
    radius_um: float = 1.6
    deepest_um: float = 6.0
    red_um2: tuple[float, float] = (14.0, 95.0)
    cut_um2: float = 4.0
    platelet_um2: tuple[float, float] = (1.5, 14.0)
    clearance_um: float = 0.8
    strand_um: float = 0.5


def red_cells(stained: Mask, config: RedConfig, mpp: float) -> Labels:
    """Part red cells that touch or overlap, by their distance to the glass.

    Parameters
    ----------
    stained : bool[y, x]
        What is dyed and belongs to no nucleated cell.
    config : RedConfig
        Sizes.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    int32[y, x]
        One label a red cell.
    """
    filled = pale_middles_filled(stained, config.pale_um2 / mpp**2)
    filled = opened(filled, config.strand_um / mpp)
    deep = ndimage.distance_transform_edt(filled).clip(0, config.deepest_um / mpp)
    deep = ndimage.gaussian_filter(deep.astype(np.float32), 0.5 / mpp, truncate=3)
    highest = ndimage.maximum_filter(deep, footprint=disc(config.apart_um / mpp))
    peaks = (deep == highest) & (deep >= config.radius_um / mpp)
    markers, count = ndimage.label(peaks, np.ones((3, 3)))
    cells = np.asarray(watershed(-deep, markers, mask=filled), np.int32)
    smallest = np.full(count + 1, config.red_um2[0])
    # The picture's border leaves slivers of red cells; they are marked as cut.
    smallest[at_border(cells)] = config.cut_um2
    return _of_area(cells, smallest, config.red_um2[1], mpp)


def platelets(
    dye: Image32, taken: Mask, floor: float, config: RedConfig, mpp: float
) -> Labels:
    """Find small pieces of nuclear dye away from the cells.

    Parameters
    ----------
    dye : float32[y, x]
        Nuclear dye.
    taken : bool[y, x]
        Nucleated cells.
    floor : float
        Dye that a platelet holds at least.
    config : RedConfig
        Sizes.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    int32[y, x]
        One label a platelet.
    """
    away = ndimage.distance_transform_edt(~taken) if taken.any() else np.inf
    loose = (dye > floor) & np.asarray(away > config.clearance_um / mpp)
    labels, count = ndimage.label(opened(loose, config.strand_um / mpp))
    low, high = config.platelet_um2
    return _of_area(np.asarray(labels, np.int32), np.full(count + 1, low), high, mpp)


def red_score(area_um2: float) -> float:
    """Return how close to a common red cell's an area is, 0..1."""
    diameter = np.sqrt(4 * area_um2 / np.pi)
    return float(np.exp(-0.5 * (np.log(diameter / RED_CELL_UM) / 0.35) ** 2))


def _of_area(
    labels: Labels, smallest: npt.NDArray[np.float64], largest: float, mpp: float
) -> Labels:
    areas = areas_of(labels, len(smallest) - 1) * mpp * mpp
    labels[((areas < smallest) | (areas > largest))[labels]] = 0
    return labels
