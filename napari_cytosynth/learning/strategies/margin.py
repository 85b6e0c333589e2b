"""Margin: cells that two classes claim almost alike.

Scheffer, Decomain, Wrobel (2001), Active hidden Markov models for information
extraction, IDA.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import query_by_doubt


class Margin:
    """Ranks by how close the two likeliest classes are."""

    key = "margin"
    summary = "Cells that two classes claim almost alike."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells of smallest margin; the utility is 1 - margin."""
        return query_by_doubt(
            candidates, n, rng, _closeness, lambda close: f"margin {1 - close:.2f}"
        )


def _closeness(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Return 1 less the gap between the two largest of each row; 0 of one class."""
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities), np.float32)
    largest = np.partition(probabilities, -2, axis=1)
    closeness: npt.NDArray[np.floating] = 1.0 - (largest[:, -1] - largest[:, -2])
    return closeness
