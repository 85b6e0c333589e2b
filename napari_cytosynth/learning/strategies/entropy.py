"""Entropy: cells whose class is most open over all classes.

Shannon (1948); Settles (2009), Active learning literature survey, section 3.1.
"""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import entropy_of, query_by_doubt


class Entropy:
    """Ranks by the entropy of the class probabilities, in bits."""

    key = "entropy"
    summary = "Cells whose class is most open over all classes."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells of largest entropy."""
        return query_by_doubt(
            candidates,
            n,
            rng,
            entropy_of,
            lambda bits: f"{max(bits, 0.0):.1f} bits open",
        )
