"""Novelty: cells that no known class explains.

For the class that nobody has named yet. A cell is strange that lies far from all that
are labelled, and that no class explains as well as the pool at large does: relative
Mahalanobis distance (Ren et al. 2021, arXiv 2106.09022). Odd specimens of a known class
are strange, too, but a head is seldom in doubt of them: so strangeness and doubt count
alike. A density model, where the caller gives one, puts the strangest in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Candidates, LabelledCells, Query
from napari_cytosynth.learning.ranking import (
    NO_MODEL,
    best_of,
    entropy_of,
    query_at_random,
    query_best,
    share_below,
)
from napari_cytosynth.learning.space import PoolSpace, in_order, spread_of
from napari_cytosynth.metrics.covariance import shrunk_factor
from napari_cytosynth.metrics.neighbours import nearest

REACH = 300
"""Cells that a density model is asked about, the strangest: it takes long."""

DISTANCE, DENSITY = "distance", "density"
"""What tells how strange a cell is."""

_BLOCK = 1024
_SAMPLE = 4000
_BY_DENSITY = (
    "As novelty, the strangest in order by the density that the embedding generator "
    "learns: no better so far, and some seconds slower."
)

Floats = npt.NDArray[np.float64]


class Novelty:
    """Ranks by how badly the best class explains a cell.

    Parameters
    ----------
    by : str
        ``"distance"``, or ``"density"``: then it asks for a density model, and does
        without where none can be had.

    Raises
    ------
    InputError
        If ``by`` is neither.
    """

    key = "novelty"
    summary = "Cells that no labelled class explains: perhaps one that has no name yet."

    def __init__(self, by: str = DISTANCE) -> None:
        if by not in (DISTANCE, DENSITY):
            raise InputError(
                f"Novelty was asked for by '{by}'. It is told by {DISTANCE} or by "
                f"{DENSITY}: write 'novelty' or 'novelty:{DENSITY}'."
            )
        self.wants_density = by == DENSITY
        if self.wants_density:
            self.summary = _BY_DENSITY

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` strangest cells.

        Strange is the mean of two shares of the pool: of cells nearer to a labelled
        one, and of cells better explained by a class against the pool. With a density
        model the 300 strangest are ordered anew by the density under the class that
        explains each best. The utility is that share, and its mean with the share of
        cells that are less in doubt (entropy) where there is a head.
        """
        labelled = candidates.labelled
        if labelled is None or not len(labelled):
            return query_at_random(candidates, n, rng, NO_MODEL)
        told = _Told.of(candidates, labelled)
        strange = (share_below(told.apart) + share_below(told.unlike)) / 2
        shares = worth = _explained(candidates, share_below(strange), rng)
        if candidates.probabilities is not None:
            worth = (shares + share_below(entropy_of(candidates.probabilities))) / 2

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            return tuple(
                f"stranger than {shares[i]:.1%} of cells; nearest is {told.closest[i]}"
                for i in best
            )

        return query_best(candidates, worth, n, rng, explain)


@dataclass(frozen=True, slots=True)
class _Told:
    """What tells of each cell how strange it is.

    Parameters
    ----------
    apart : float64[n]
        Distance to the nearest labelled cell.
    unlike : float64[n]
        How much better the pool explains it than the class that does so best.
    closest : str[n]
        Code of the nearest labelled cell.
    """

    apart: Floats
    unlike: Floats
    closest: npt.NDArray[np.str_]

    @classmethod
    def of(cls, candidates: Candidates, labelled: LabelledCells) -> _Told:
        """Compare all cells, block by block, in the pool's main axes."""
        count, space = len(candidates.ids), PoolSpace.of(candidates)
        known = space.apply(labelled.vectors)
        sides = _Sides.of(candidates, space, (known, labelled.codes))
        apart, unlike = np.empty(count), np.empty(count)
        closest = np.empty(count, np.intp)
        for at in range(0, count, _BLOCK):
            part = slice(at, at + _BLOCK)
            points = space.apply(candidates.vectors[part])
            found, index = nearest(points, known, 1)
            apart[part], closest[part] = found[:, 0], index[:, 0]
            unlike[part] = sides.unlike(points)
        return cls(apart, unlike, np.array(labelled.codes)[closest])


@dataclass(frozen=True, slots=True)
class _Sides:
    """Gaussians of one shape around the class means, and one around the pool's.

    Parameters
    ----------
    middle, unit : float64[k]
        Mean and spread of the pool along its axes, which are independent there.
    within : float64[k, k]
        Turns a point in those units into one whose spread within classes is 1.
    means : float64[classes, k]
        Of the classes, so turned.
    """

    middle: Floats
    unit: Floats
    within: Floats
    means: Floats

    @classmethod
    def of(
        cls,
        candidates: Candidates,
        space: PoolSpace,
        known: tuple[npt.NDArray[np.float32], tuple[str, ...]],
    ) -> _Sides:
        rows = in_order(candidates)
        rows = rows[:: max(1, len(rows) // _SAMPLE)]
        pool = space.apply(candidates.vectors[rows]).astype(np.float64)
        middle: Floats = pool.mean(axis=0) if len(pool) else np.zeros(pool.shape[1])
        unit = spread_of(pool).astype(np.float64) if len(pool) else middle + 1
        points = (known[0] - middle) / unit
        names, index = np.unique(np.array(known[1]), return_inverse=True)
        means = np.stack([points[index == i].mean(axis=0) for i in range(len(names))])
        # Each class spends one cell on its own mean.
        lost = np.sqrt(len(points) / max(len(points) - len(names), 1))
        factor = shrunk_factor((points - means[index]) * lost)
        within = np.linalg.inv(factor).T.astype(np.float64)
        return cls(middle, unit, within, means @ within)

    def unlike(self, points: npt.NDArray[np.float32]) -> Floats:
        """Return float64[n]: squared distance to the nearest class less the pool's."""
        alike = (points - self.middle) / self.unit
        own = nearest(alike @ self.within, self.means, 1)[0][:, 0] ** 2
        apart: Floats = own - (alike**2).sum(axis=1)
        return apart


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
    places = 1 + np.arange(len(top))
    anew[top[np.argsort(-strange, kind="stable")]] = 1 - places / len(shares)
    return anew
