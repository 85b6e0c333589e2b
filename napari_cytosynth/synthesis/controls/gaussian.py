"""Real cells, and draws from a Gaussian around the mean of each rare class.

All classes share one covariance, pooled within classes and shrunk after Ledoit and Wolf
2004, doi 10.1016/S0047-259X(03)00096-4: a rare class has too few cells for its own.
"""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet
from napari_cytosynth.core.training import lacking
from napari_cytosynth.synthesis.gaussian import GaussianModel


class Gaussian:
    """Draws each class up to the size of the largest."""

    key = "gaussian"

    def enrich(self, cells: LabelledCells, rng: np.random.Generator) -> TrainingSet:
        """Return every cell once, then the draws, each of weight 1.

        Where every class has one cell there is no spread to draw with, and cells are
        repeated.
        """
        missing = lacking(cells.codes)
        vectors, names = [cells.vectors], list(cells.codes)
        if missing:
            model = GaussianModel.fit(cells.vectors, cells.codes)
            for code, count in missing.items():
                vectors.append(model.draw(code, count, rng))
                names += [code] * count
        return TrainingSet(np.concatenate(vectors), tuple(names), np.ones(len(names)))
