"""Density: open cells that stand for many others.

Information density: Settles, Craven (2008), An analysis of active learning strategies
for sequence labeling tasks, EMNLP. Uncertainty, here entropy, times the mean similarity
to the pool.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import (
    NO_MODEL,
    doubt_between,
    entropy_of,
    query_at_random,
    query_best,
    share_below,
    two_likeliest,
)
from napari_cytosynth.learning.space import PoolSpace, in_order
from napari_cytosynth.metrics.neighbours import squared_distances

_LANDMARKS = 500
_BLOCK = 8192


class Density:
    """Ranks by entropy times likeness to the rest of the pool."""

    key = "density"
    summary = "Open cells that look like many others: one label for all of them."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return ``n`` cells; likeness is to 500 cells spread over the pool."""
        probabilities = candidates.probabilities
        if probabilities is None:
            return query_at_random(candidates, n, rng, NO_MODEL)
        entropy = np.maximum(entropy_of(probabilities), 0)
        likeness = _likeness(candidates)
        ranks = share_below(likeness)

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            pairs = doubt_between(candidates, *two_likeliest(probabilities[best]))
            return tuple(
                f"more usual than {ranks[i]:.0%} of cells: {pair}"
                for i, pair in zip(best, pairs, strict=True)
            )

        return query_best(candidates, entropy * likeness, n, rng, explain)


def _likeness(candidates: Candidates) -> npt.NDArray[np.float64]:
    """Return the mean Gaussian similarity of each cell to landmarks, 0..1."""
    points = PoolSpace.of(candidates).apply(candidates.vectors)
    order = in_order(candidates)
    landmarks = points[order[:: max(1, len(order) // _LANDMARKS)]]
    out = np.empty(len(points))
    if not len(points):
        return out
    width = float(np.median(squared_distances(landmarks, landmarks))) or 1.0
    for at in range(0, len(points), _BLOCK):
        apart = squared_distances(points[at : at + _BLOCK], landmarks)
        out[at : at + _BLOCK] = np.exp(-apart / width).mean(axis=1)
    return out
