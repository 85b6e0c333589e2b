"""Operations on masks whose reach is bounded, so that a tile's halo covers it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.ingest.stain import Mask

Labels: TypeAlias = npt.NDArray[np.int32]


def disc(radius: float) -> Mask:
    """Return a disc of ``radius`` pixels."""
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(x * x + y * y <= radius * radius, bool)


def opened(mask: Mask, radius: float) -> Mask:
    """Take away what a disc of ``radius`` pixels does not fit into."""
    return np.asarray(ndimage.binary_opening(mask, disc(radius)), bool)


def holes_filled(mask: Mask, most: float) -> Mask:
    """Fill holes of at most ``most`` pixels."""
    labels, count = ndimage.label(~mask)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    fill = areas <= most
    fill[0] = False
    fill[at_border(labels)] = False
    return np.asarray(mask | fill[labels], bool)


def pale_middles_filled(stained: Mask, most: float = np.inf) -> Mask:
    """Fill round holes; the gaps between touching cells are hollow-sided and stay.

    Parameters
    ----------
    stained : bool[y, x]
        Red cells, some of them rings.
    most : float
        Largest hole, pixels.

    Returns
    -------
    bool[y, x]
    """
    labels, count = ndimage.label(~stained)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    fill = np.zeros(count + 1, bool)
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        full = areas[number] > 0.65 * height * width
        round_ = max(height, width) < 1.6 * min(height, width)
        fill[number] = full and round_ and areas[number] <= most
    fill[at_border(labels)] = False
    return np.asarray(stained | fill[labels], bool)


def areas_of(labels: Labels, count: int) -> npt.NDArray[np.int64]:
    """Return int64[count + 1]: pixels of each label, the background first."""
    return np.bincount(labels.ravel(), minlength=count + 1)


def at_border(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Return the labels that touch the border of the array."""
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    return np.unique(np.concatenate(edges))
