"""Real cells, the rare ones repeated until all classes are equally common."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet


class Duplicates:
    """Repeats random cells of each class up to the size of the largest."""

    key = "duplicates"

    def enrich(self, cells: LabelledCells, rng: np.random.Generator) -> TrainingSet:
        """Return every cell once, then the repeats, each of weight 1."""
        codes = np.array(cells.codes, dtype=str)
        classes, counts = np.unique(codes, return_counts=True)
        rows = [np.arange(len(codes))]
        for code, count in zip(classes, counts, strict=True):
            own = np.flatnonzero(codes == code)
            rows.append(rng.choice(own, size=counts.max() - count))
        index = np.concatenate(rows)
        return TrainingSet(
            cells.vectors[index],
            tuple(cells.codes[i] for i in index),
            np.ones(len(index)),
        )
