"""Real cells, and points on the lines between neighbours of a class.

SMOTE: Chawla et al. 2002, doi 10.1613/jair.953.
"""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet, Vectors
from napari_cytosynth.core.training import lacking
from napari_cytosynth.metrics.neighbours import nearest

NEIGHBOURS = 5
"""Neighbours of a cell towards which a point may lie, as in the paper."""


class Smote:
    """Interpolates between cells of each class up to the size of the largest."""

    key = "smote"

    def enrich(self, cells: LabelledCells, rng: np.random.Generator) -> TrainingSet:
        """Return every cell once, then the points, each of weight 1.

        A class of one cell has no line to draw on: that cell is repeated.
        """
        codes = np.array(cells.codes, dtype=str)
        vectors, names = [cells.vectors], list(cells.codes)
        for code, missing in lacking(cells.codes).items():
            own = cells.vectors[codes == code]
            vectors.append(_between(own, missing, rng))
            names += [code] * missing
        return TrainingSet(np.concatenate(vectors), tuple(names), np.ones(len(names)))


def _between(own: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Return float32[count, dim] on lines from a random cell to a near one."""
    starts = rng.integers(len(own), size=count)
    _, near = nearest(own, own, NEIGHBOURS, leave_out_self=True)
    if not near.shape[1]:
        return own[starts]
    ends = near[starts, rng.integers(near.shape[1], size=count)]
    part = rng.random((count, 1))
    points: Vectors = own[starts] + part * (own[ends] - own[starts])
    return points.astype(np.float32)
