"""Entropy: cells whose class is most open over all classes.

Shannon (1948); Settles (2009), Active learning literature survey, section 3.1.
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
    two_likeliest,
)


class Entropy:
    """Ranks by the entropy of the class probabilities, in bits."""

    key = "entropy"
    summary = "Cells whose class is most open over all classes."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells of largest entropy."""
        probabilities = candidates.probabilities
        if probabilities is None:
            return query_at_random(candidates, n, rng, NO_MODEL)
        utilities = entropy_of(probabilities)

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            pairs = doubt_between(candidates, *two_likeliest(probabilities[best]))
            return tuple(
                f"{max(utility, 0.0):.1f} bits open: {pair}"
                for utility, pair in zip(utilities[best], pairs, strict=True)
            )

        return query_best(candidates, utilities, n, rng, explain)
