"""Finds red cells and platelets around the nucleated cells."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import polygon
from skimage.segmentation import expand_labels

from napari_cytosynth.ingest.masks import Labels, areas_of, opened
from napari_cytosynth.ingest.rounds import RoundConfig, find_rounds
from napari_cytosynth.ingest.stain import Image32, Mask

Outline = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RedConfig:
    """Sizes of red cells and platelets.

    Parameters
    ----------
    rounds : RoundConfig
        How round outlines are found.
    edge : float
        Fall of the density a pixel at a full edge, as a share of the threshold that
        parts red cells from glass.
    support : float
        Least share of the outline where stain falls off.
    covered : float
        Largest share of a red cell under clearer ones.
    red_um2 : tuple of 2 floats
        Smallest and largest red cell.
    cut_um2 : float
        Smallest one that the picture's border cuts.
    platelet_um2 : tuple of 2 floats
        Smallest and largest platelet.
    edge_um : float
        Width of a platelet's pale edge.
    alone : float
        Share of the ring around a platelet that is glass where it lies at a cell.
    clearance_um : float
        Least distance of a platelet from nucleated cells.
    strand_um : float
        Half the width of strands that are cut off platelets.
    """

    rounds: RoundConfig = field(default_factory=RoundConfig)
    edge: float = 0.55
    support: float = 0.6
    covered: float = 0.5
    red_um2: tuple[float, float] = (12.0, 95.0)
    cut_um2: float = 4.0
    platelet_um2: tuple[float, float] = (1.5, 18.0)
    edge_um: float = 0.6
    alone: float = 0.7
    clearance_um: float = 0.8
    strand_um: float = 0.5


def red_cells(
    density: Image32, taken: Mask, threshold: float, config: RedConfig, mpp: float
) -> tuple[list[Outline], list[float]]:
    """Outline red cells; those that overlap may share pixels.

    Parameters
    ----------
    density : float32[y, x]
        Density of green, smoothed.
    taken : bool[y, x]
        Nucleated cells and what is no stain.
    threshold : float
        Density that parts pale red cells from glass.
    config : RedConfig
        Sizes.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    outlines, scores
        Polygons float32[k, 2], corner-based and inside the picture, and how clearly
        their edges show, 0..1; the clearest first.
    """
    free = ~ndimage.binary_dilation(taken)
    rounds = find_rounds(density, free, config.edge * threshold, config.rounds, mpp)
    scores = rounds.support * rounds.strength.clip(0, 1)
    taken = taken.copy()
    outlines, kept = [], []
    limits = density.shape[::-1]
    for i in np.argsort(-scores, kind="stable"):
        if rounds.support[i] < config.support:
            continue
        outline = rounds.outlines[i]
        inside = polygon(*(outline.T[::-1] - 0.5), density.shape)
        area = len(inside[0]) * mpp * mpp
        smallest = config.red_um2[0] if rounds.whole[i] else config.cut_um2
        if not smallest <= area <= config.red_um2[1]:
            continue
        if taken[inside].mean() > config.covered:
            continue
        taken[inside] = True
        outlines.append(outline.clip(0, limits).astype(np.float32))
        kept.append(float(scores[i]))
    return outlines, kept


def platelets(
    dye: Image32,
    free: Mask,
    levels: tuple[float, float],
    config: RedConfig,
    mpp: float,
) -> Labels:
    """Find small pieces of nuclear dye away from the cells.

    Parameters
    ----------
    dye : float32[y, x]
        Nuclear dye.
    free : bool[y, x]
        Away from nucleated cells, or beside one without belonging to it.
    levels : tuple of 2 floats
        Dye at the edge of a platelet, and in its middle, at least.
    config : RedConfig
        Sizes.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    int32[y, x]
        One label a platelet.
    """
    pale = opened((dye > levels[0]) & free, config.strand_um / mpp)
    labels, count = ndimage.label(pale)
    dark = np.zeros(count + 1, bool)
    dark[labels[(dye > levels[1]) & pale]] = True
    dark[0] = False
    labels[~dark[labels]] = 0
    low, high = config.platelet_um2
    found = np.asarray(labels, np.int32)
    return _of_area(found, np.full(count + 1, low), high, mpp)


def clear_of(taken: Mask, config: RedConfig, mpp: float) -> Mask:
    """Mark what lies away from nucleated cells, bool[y, x]."""
    if not taken.any():
        return ~taken
    away = ndimage.distance_transform_edt(~taken)
    return np.asarray(away > config.clearance_um / mpp, bool)


def beside_cells(
    dye: Image32,
    nuclei: Mask,
    levels: tuple[float, float],
    config: RedConfig,
    mpp: float,
) -> Mask:
    """Mark what is small, dark and mostly surrounded by glass: platelets at a cell.

    Parameters
    ----------
    dye, levels, config, mpp
        As for :func:`platelets`; a platelet's edge is as dyed as cytoplasm.
    nuclei : bool[y, x]
        Nuclei of the cells.

    Returns
    -------
    bool[y, x]
        With the pale edge of each.
    """
    labels, count = ndimage.label((dye > levels[1]) & ~nuclei)
    labels = np.asarray(labels, np.int32)
    _of_area(labels, np.zeros(count + 1), config.platelet_um2[1], mpp)
    edge = config.edge_um / mpp
    near = np.asarray(expand_labels(labels, edge), np.int32)
    ring = np.asarray(expand_labels(labels, 2.5 * edge), np.int32)
    ring[near > 0] = 0
    all_around = areas_of(ring, count)
    glass = np.bincount(ring[dye <= levels[0]], minlength=count + 1)
    alone = glass > config.alone * np.maximum(all_around, 1)
    alone[0] = False
    return np.asarray(alone[near], bool)


def _of_area(
    labels: Labels, smallest: npt.NDArray[np.float64], largest: float, mpp: float
) -> Labels:
    areas = areas_of(labels, len(smallest) - 1) * mpp * mpp
    labels[((areas < smallest) | (areas > largest))[labels]] = 0
    return labels
