"""Core set: cells that lie farthest from everything labelled so far.

Greedy k-centre: Sener, Savarese (2018), Active learning for convolutional neural
networks: a core-set approach, ICLR, arXiv 1708.00489.
"""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.space import PoolSpace, farthest_first, in_order

REACH = 100_000
"""Cells compared at most: of a larger pool, as many drawn at random."""


class CoreSet:
    """Ranks by the distance to the nearest labelled or higher ranked cell."""

    key = "coreset"
    summary = "Cells unlike all that are labelled, and unlike each other."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return ``n`` cells; the utility is the squared distance when chosen."""
        drawn = rng.permutation(in_order(candidates))[:REACH]
        space = PoolSpace.of(candidates)
        points = space.apply(candidates.vectors[drawn])
        labelled = candidates.labelled
        known = space.apply(labelled.vectors) if labelled is not None else None
        n = min(max(n, 0), len(drawn))
        even = np.ones(len(drawn))
        chosen, gains = farthest_first(points, n, worth=even, known=known)
        told = "labelled cell" if labelled is not None and len(labelled) else "other"
        reasons = [f"{np.sqrt(gain):.1f} from the nearest {told}" for gain in gains]
        return Query(
            candidates.ids[drawn[chosen]], gains.astype(np.float32), tuple(reasons)
        )
