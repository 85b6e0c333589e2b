"""Alike: the cells that look most like one cell.

Likeness is the cosine between vectors whose columns were centred and scaled over the
pool: what all cells share says nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import query_best
from napari_cytosynth.learning.space import in_order, spread_of

_SAMPLE = 4000
_BLOCK = 8192


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
        likeness = self._likeness(candidates)

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            return tuple(f"likeness to {self.name}: {likeness[i]:.2f}" for i in best)

        return query_best(candidates, likeness, n, rng, explain)

    def _likeness(self, candidates: Candidates) -> npt.NDArray[np.float32]:
        rows = in_order(candidates)
        sample = candidates.vectors[rows[:: max(1, len(rows) // _SAMPLE)]]
        out = np.zeros(len(candidates.ids), np.float32)
        if not len(sample):
            return out
        centre, unit = sample.mean(axis=0), spread_of(sample)
        own = (self.vector - centre) / unit
        own = own / (np.linalg.norm(own) or 1.0)
        for at in range(0, len(out), _BLOCK):
            others = (candidates.vectors[at : at + _BLOCK] - centre) / unit
            length = np.linalg.norm(others, axis=1)
            out[at : at + _BLOCK] = others @ own / np.where(length > 0, length, 1)
        return out
