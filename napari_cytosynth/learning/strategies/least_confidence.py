"""Least confidence: cells whose likeliest class is still unlikely.

Lewis and Gale (1994), A sequential algorithm for training text classifiers, SIGIR.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import query_by_doubt


class LeastConfidence:
    """Ranks by one minus the largest probability."""

    key = "least_confidence"
    summary = "Cells whose likeliest class is still unlikely."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells of lowest largest probability."""
        return query_by_doubt(
            candidates, n, rng, _unsureness, lambda doubt: f"only {1 - doubt:.2f} sure"
        )


def _unsureness(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Return 1 less the largest of each row."""
    unsureness: npt.NDArray[np.floating] = 1.0 - probabilities.max(axis=1)
    return unsureness
