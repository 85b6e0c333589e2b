"""Margin: cells that two classes claim almost alike.

Scheffer, Decomain, Wrobel (2001), Active hidden Markov models for information
extraction, IDA.
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


class Margin:
    """Ranks by how close the two likeliest classes are."""

    key = "margin"
    summary = "Cells that two classes claim almost alike."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells of smallest margin; the utility is 1 - margin."""
        probabilities = candidates.probabilities
        if probabilities is None:
            return query_at_random(candidates, n, rng, NO_MODEL)
        utilities = 1.0 - _margins(probabilities)

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            pairs = doubt_between(candidates, *two_likeliest(probabilities[best]))
            return tuple(
                f"margin {1 - utility:.2f}: {pair}"
                for utility, pair in zip(utilities[best], pairs, strict=True)
            )

        return query_best(candidates, utilities, n, rng, explain)


def _margins(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the gap between the two largest of each row; 1 with one class only."""
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    largest = np.partition(probabilities, -2, axis=1)
    gap: npt.NDArray[np.float32] = largest[:, -1] - largest[:, -2]
    return gap
