"""Novelty: cells that no known class explains.

For the class that nobody has named yet. What explains a cell is a density model, where
the caller gives one; else the nearest labelled cell. The queue gives none: over a whole
pool a density costs far more than a distance, and found no more of such cells. Cells
that are odd specimens of a known class are strange, too; a model is seldom in doubt of
them. So where there is a model, strangeness and doubt count alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import (
    NO_MODEL,
    entropy_of,
    query_at_random,
    query_best,
    share_below,
)
from napari_cytosynth.learning.space import PoolSpace
from napari_cytosynth.metrics.neighbours import nearest

_BLOCK = 1024


class Novelty:
    """Ranks by how badly the best class explains a cell."""

    key = "novelty"
    summary = "Cells that no labelled class explains: perhaps one that has no name yet."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` strangest cells.

        Strange is a small density under the class that explains the cell best; without
        a density model, a large distance to the nearest labelled cell. The utility is
        the share of cells that are less strange, and its mean with the share of those
        that are less in doubt (entropy) where there is a model.
        """
        labelled = candidates.labelled
        if labelled is None or not len(labelled):
            return query_at_random(candidates, n, rng, NO_MODEL)
        strangeness, closest = _strangeness(candidates)
        shares = worth = share_below(strangeness)
        if candidates.probabilities is not None:
            worth = (shares + share_below(entropy_of(candidates.probabilities))) / 2

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            return tuple(
                f"stranger than {shares[i]:.1%} of cells; nearest is {closest[i]}"
                for i in best
            )

        return query_best(candidates, worth, n, rng, explain)


def _strangeness(
    candidates: Candidates,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.str_]]:
    """Return how strange each cell is, and the code of the class closest to it."""
    model, labelled = candidates.density, candidates.labelled
    if labelled is None:
        raise ValueError("strangeness is measured against labelled cells")
    count = len(candidates.ids)
    strange, closest = np.empty(count), np.empty(count, np.intp)
    if model is not None:
        names = np.array(model.codes)
    else:
        names = np.array(labelled.codes)
        space = PoolSpace.of(candidates)
        known = space.apply(labelled.vectors)
    for at in range(0, count, _BLOCK):
        part = slice(at, at + _BLOCK)
        if model is not None:
            density = model.log_density(candidates.vectors[part])
            strange[part], closest[part] = -density.max(axis=1), density.argmax(axis=1)
        else:
            apart, index = nearest(space.apply(candidates.vectors[part]), known, 1)
            strange[part], closest[part] = apart[:, 0], index[:, 0]
    return strange, names[closest]
