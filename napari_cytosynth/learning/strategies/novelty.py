"""Novelty: cells that no known class explains.

For the class that nobody has named yet. A cell is strange that lies far from all that
are labelled, or that a density model, where the caller gives one, explains badly. Odd
specimens of a known class are strange, too, but a head is seldom in doubt of them: so
strangeness and doubt count alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, LabelledCells, Query
from napari_cytosynth.learning.ranking import (
    NO_MODEL,
    best_of,
    entropy_of,
    query_at_random,
    query_best,
    share_below,
)
from napari_cytosynth.learning.space import PoolSpace
from napari_cytosynth.metrics.neighbours import nearest

REACH = 300
"""Cells that a density model is asked about, the strangest: it takes long."""

_BLOCK = 1024

Floats = npt.NDArray[np.float64]


class Novelty:
    """Ranks by how badly the best class explains a cell."""

    key = "novelty"
    summary = "Cells that no labelled class explains: perhaps one that has no name yet."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` strangest cells.

        Strange is a large distance to the nearest labelled cell; with a density model
        the 300 strangest are ordered anew by the density under the class that explains
        each best. The utility is the share of cells that are less strange, and its mean
        with the share of those that are less in doubt (entropy) where there is a head.
        """
        labelled = candidates.labelled
        if labelled is None or not len(labelled):
            return query_at_random(candidates, n, rng, NO_MODEL)
        apart, closest = _apart(candidates, labelled)
        shares = worth = _explained(candidates, share_below(apart), rng)
        if candidates.probabilities is not None:
            worth = (shares + share_below(entropy_of(candidates.probabilities))) / 2

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            return tuple(
                f"stranger than {shares[i]:.1%} of cells; nearest is {closest[i]}"
                for i in best
            )

        return query_best(candidates, worth, n, rng, explain)


def _apart(
    candidates: Candidates, labelled: LabelledCells
) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Return the distance to the nearest labelled cell, and the code of that."""
    count = len(candidates.ids)
    apart, closest = np.empty(count), np.empty(count, np.intp)
    space = PoolSpace.of(candidates)
    known = space.apply(labelled.vectors)
    for at in range(0, count, _BLOCK):
        part = slice(at, at + _BLOCK)
        found, index = nearest(space.apply(candidates.vectors[part]), known, 1)
        apart[part], closest[part] = found[:, 0], index[:, 0]
    return apart, np.array(labelled.codes)[closest]


def _explained(
    candidates: Candidates, shares: Floats, rng: np.random.Generator
) -> Floats:
    """Order the strangest cells anew by how badly the best class explains them."""
    model = candidates.density
    if model is None or not len(shares):
        return shares
    top = best_of(shares, REACH, rng)
    strange = -model.log_density(candidates.vectors[top]).max(axis=1)
    anew = shares.copy()
    anew[top[np.argsort(-strange, kind="stable")]] = -np.sort(-shares[top])
    return anew
