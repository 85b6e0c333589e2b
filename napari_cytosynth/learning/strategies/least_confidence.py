"""Least confidence: cells whose likeliest class is still unlikely.

Lewis and Gale (1994), A sequential algorithm for training text classifiers, SIGIR.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import (
    NO_MODEL,
    doubt_between,
    query_at_random,
    query_best,
    two_likeliest,
)


class LeastConfidence:
    """Ranks by one minus the largest probability."""

    key = "least_confidence"
    summary = "Cells whose likeliest class is still unlikely."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells of lowest largest probability."""
        probabilities = candidates.probabilities
        if probabilities is None:
            return query_at_random(candidates, n, rng, NO_MODEL)
        utilities = 1.0 - probabilities.max(axis=1)

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            pairs = doubt_between(candidates, *two_likeliest(probabilities[best]))
            return tuple(
                f"only {1 - utility:.2f} sure: {pair}"
                for utility, pair in zip(utilities[best], pairs, strict=True)
            )

        return query_best(candidates, utilities, n, rng, explain)
