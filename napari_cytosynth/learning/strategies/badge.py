"""BADGE: cells that would move the model far, in different directions.

Ash, Zhang, Krishnamurthy, Langford, Agarwal (2020), Deep batch active learning by
diverse, uncertain gradient lower bounds, ICLR, arXiv 1906.03671. The gradient of the
last layer for the model's own guess is the outer product of (probabilities - guess) and
vector, so distances between gradients need no such long vectors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import (
    NO_MODEL,
    best_of,
    doubt_between,
    query_at_random,
    two_likeliest,
)
from napari_cytosynth.learning.space import PoolSpace, in_order

REACH = 20_000
"""Cells compared at most: of a larger pool, those of the longest gradients."""

Floats = npt.NDArray[np.float64]


class Badge:
    """Ranks by k-means++ over gradients."""

    key = "badge"
    summary = "Cells that would teach the model much, each something else."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return ``n`` cells; the utility is the squared distance when drawn."""
        probabilities = candidates.probabilities
        if probabilities is None:
            return query_at_random(candidates, n, rng, NO_MODEL)
        order = in_order(candidates)
        errors = probabilities[order].astype(np.float64)
        errors[np.arange(len(order)), errors.argmax(axis=1)] -= 1
        points = PoolSpace.of(candidates).apply(candidates.vectors)[order]
        lengths = (errors**2).sum(axis=1) * (points.astype(np.float64) ** 2).sum(axis=1)
        kept = np.sort(best_of(lengths, REACH, rng))
        n = min(max(n, 0), len(kept))
        picked, gains = _spread_out(errors[kept], points[kept], n, rng)
        chosen = order[kept[picked]]
        pairs = doubt_between(candidates, *two_likeliest(probabilities[chosen]))
        return Query(
            candidates.ids[chosen],
            gains.astype(np.float32),
            tuple(f"would teach something new: {pair}" for pair in pairs),
        )


def _spread_out(
    errors: Floats,
    points: npt.NDArray[np.float32],
    n: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Draw by k-means++: each with a chance in step with its squared distance."""
    vectors = points.astype(np.float64)
    lengths = (errors**2).sum(axis=1) * (vectors**2).sum(axis=1)
    distance = lengths.copy()
    chosen, gains = np.empty(n, np.intp), np.empty(n)
    for i in range(n):
        distance[chosen[:i]] = 0.0
        best = _draw(distance, chosen[:i], rng)
        chosen[i], gains[i] = best, distance[best]
        inner = (errors @ errors[best]) * (vectors @ vectors[best])
        apart = np.maximum(lengths + lengths[best] - 2 * inner, 0)
        distance = np.minimum(distance, apart)
    return chosen, np.minimum.accumulate(gains)


def _draw(
    distance: Floats, taken: npt.NDArray[np.intp], rng: np.random.Generator
) -> int:
    total = float(distance.sum())
    if total > 0:
        return int(rng.choice(len(distance), p=distance / total))
    # Cells that all look alike: any other will do.
    return int(rng.choice(np.setdiff1d(np.arange(len(distance)), taken)))
