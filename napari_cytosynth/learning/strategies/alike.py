"""Alike: the cells that look most like one cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import query_best
from napari_cytosynth.learning.space import likeness_to


class Alike:
    """Ranks by likeness to one cell.

    Parameters
    ----------
    vector : float32[dim]
        Of the cell, by the embedder of the pool.
    name : str
        What the reasons call it, such as ``"cell 312"``.
    """

    key = "alike"
    summary = "Cells that look like one cell."

    def __init__(self, vector: npt.NDArray[np.float32], name: str) -> None:
        self.vector, self.name = vector, name

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return ``n`` cells; the utility is the likeness, -1..1."""
        likeness = likeness_to(candidates, self.vector[None])

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            return tuple(f"likeness to {self.name}: {likeness[i]:.2f}" for i in best)

        return query_best(candidates, likeness, n, rng, explain)
