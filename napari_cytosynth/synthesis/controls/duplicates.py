"""Real cells, the rare ones repeated until all classes are equally common."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet
from napari_cytosynth.core.training import lacking


class Duplicates:
    """Repeats random cells of each class up to the size of the largest."""

    key = "duplicates"

    def enrich(self, cells: LabelledCells, rng: np.random.Generator) -> TrainingSet:
        """Return every cell once, then the repeats, each of weight 1."""
        codes = np.array(cells.codes, dtype=str)
        rows = [np.arange(len(codes))]
        for code, missing in lacking(cells.codes).items():
            rows.append(rng.choice(np.flatnonzero(codes == code), size=missing))
        index = np.concatenate(rows)
        return TrainingSet(
            cells.vectors[index],
            tuple(cells.codes[i] for i in index),
            np.ones(len(index)),
        )
