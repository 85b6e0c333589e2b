"""Rare: cells that are likely to belong to a class with too few labels.

The head is fitted with balanced classes, as if basophils were as common as neutrophils.
Its probabilities are first brought to the pool's own class shares, estimated without
labels by expectation maximisation: Saerens, Latinne, Decaestecker (2002), Neural
Computation 14(1).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import (
    NO_MODEL,
    query_at_random,
    query_best,
    to_pool_shares,
)

WANTED = 20
"""Labels after which a class is no longer short, unless the others have many more."""


class Rare:
    """Ranks by the expected number of cells of classes that lack labels."""

    key = "rare"
    summary = "Cells that likely belong to a class with too few labels."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells that bring most of what is lacking."""
        probabilities = candidates.probabilities
        if probabilities is None:
            return query_at_random(candidates, n, rng, NO_MODEL)
        wanted, lack = _lack(candidates)
        adapted = to_pool_shares(probabilities, rng)
        utilities = adapted @ lack

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            return tuple(_reason(candidates, adapted[i], lack, wanted) for i in best)

        return query_best(candidates, utilities, n, rng, explain)


def _lack(candidates: Candidates) -> tuple[int, npt.NDArray[np.float32]]:
    """Return how many labels a class should have, and the share that each one lacks."""
    cells = candidates.taxonomy.cell_codes
    counts = [candidates.counts.get(code, 0) for code in cells]
    wanted = max(WANTED, int(np.median([c for c in counts if c] or [0])))
    lack = [
        max(1 - candidates.counts.get(code, 0) / wanted, 0.0) if code in cells else 0.0
        for code in candidates.codes
    ]
    return wanted, np.array(lack, np.float32)


def _reason(
    candidates: Candidates,
    chances: npt.NDArray[np.float32],
    lack: npt.NDArray[np.float32],
    wanted: int,
) -> str:
    column = int((chances * lack).argmax())
    code = candidates.codes[column]
    if not lack[column]:
        return "no known class lacks labels"
    have = candidates.counts.get(code, 0)
    return f"{code} {chances[column]:.2f}; {have} of {wanted} labels"
