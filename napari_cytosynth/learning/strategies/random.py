"""Random order: the yardstick that every other strategy has to beat."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import query_at_random


class Random:
    """Draws cells evenly."""

    key = "random"
    summary = "Cells drawn at random: unbiased, and slow to find what is rare."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return ``n`` cells drawn evenly from the pool."""
        return query_at_random(candidates, n, rng, "drawn at random")
