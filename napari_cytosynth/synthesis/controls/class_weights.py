"""Real cells only, the rare ones weighing more: the baseline to beat."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet


class ClassWeights:
    """Weighs each cell by the inverse of its class's number: classes count equally."""

    key = "class_weights"

    def enrich(self, cells: LabelledCells, rng: np.random.Generator) -> TrainingSet:
        """Return the cells themselves, with weights of mean 1; ``rng`` is not used."""
        classes, inverse, counts = np.unique(
            np.array(cells.codes, dtype=str), return_inverse=True, return_counts=True
        )
        weights = len(cells) / (max(len(classes), 1) * counts[inverse])
        return TrainingSet(cells.vectors, cells.codes, weights.astype(np.float64))
