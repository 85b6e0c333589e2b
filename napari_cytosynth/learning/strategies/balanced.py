"""Balanced: the default. Typical cells first, then open ones of every kind, some rare.

Until the first labels are in, what a model doubts says little, and ordinary cells of
every cluster teach most (Hacohen, Dekel, Weinshall 2022, arXiv 2202.02794). After that,
of the cells that are most open between two classes those are taken, one by one, whose
labels would take most variance from the model's guesses over the pool, all classes
alike (:mod:`napari_cytosynth.learning.steadying`). Fixed shares go to what is rare and
to what no class explains, so that a class nobody has seen yet is not passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Candidates, Query, QueryStrategy
from napari_cytosynth.core.registry import load
from napari_cytosynth.learning.head import STRENGTH
from napari_cytosynth.learning.ranking import best_of, doubt_between, two_likeliest
from napari_cytosynth.learning.space import PoolSpace, in_order
from napari_cytosynth.learning.steadying import Guessed, steadying

COLD = 10
"""Labels up to which typical cells are shown."""

KEPT = 300
"""Cells of most doubt that are weighed against each other; three times as many as asked
where that is more."""

DIMENSIONS = 48
"""Main axes of the pool in which they are weighed."""

AUDIENCE = 2000
"""Cells, spread over the pool, whose guesses are to become steadier."""

_PHASES = 100


@dataclass(frozen=True, slots=True)
class Shares:
    """What part of the cards goes to what, once typical cells are labelled.

    Parameters
    ----------
    uncertain, rare, novel, typical : float
        At least 0, not all 0; they are divided by their sum.
    """

    uncertain: float = 0.95
    rare: float = 0.03
    novel: float = 0.02
    typical: float = 0.0

    def __post_init__(self) -> None:
        parts = self.parts()
        if min(parts.values()) < 0 or not 0 < sum(parts.values()) < np.inf:
            told = ", ".join(f"{name} {part:g}" for name, part in parts.items())
            raise InputError(
                f"The shares of the strategy 'balanced' were given as {told}. None "
                "may be negative, and not all may be 0."
            )

    def parts(self) -> dict[str, float]:
        """Return each part by its name."""
        return {f.name: float(getattr(self, f.name)) for f in fields(self)}

    def __str__(self) -> str:
        """For a person: ``"95 % uncertain, 3 % rare, 2 % novel"``."""
        whole = sum(self.parts().values())
        parts = [(100 * part / whole, name) for name, part in self.parts().items()]
        return ", ".join(f"{part:.3g} % {name}" for part, name in parts if part)

    def turns(self) -> Iterator[str]:
        """Yield the name of the part that has the next card, for ever."""
        parts = self.parts()
        whole = sum(parts.values())
        owed = dict.fromkeys(parts, 0.0)
        while True:
            for name, part in parts.items():
                owed[name] += part / whole
            name = max(owed, key=lambda k: owed[k])
            owed[name] -= 1
            yield name


class Balanced:
    """Ranks typical cells, then a mixture; see the module.

    Parameters
    ----------
    shares : Shares
        Of the mixture.
    """

    key = "balanced"
    summary = (
        "Typical cells first; then uncertain ones of every kind, with some rare ones."
    )

    def __init__(self, shares: Shares | None = None) -> None:
        self.shares = shares or Shares()

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return ``n`` cells; the utility is one over the rank."""
        known = candidates.labelled
        cold = known is None or len(known) < COLD or candidates.probabilities is None
        if cold:
            return _part("typical").query(candidates, n, rng)
        n = min(max(n, 0), len(candidates.ids))
        # Any turn may be first, or a queue of few cards would never show a rare one.
        first = int(rng.integers(_PHASES))
        turns = list(islice(self.shares.turns(), first, first + n))
        found = {"uncertain": _open(candidates, n, rng)}
        for name, strategy in _PARTS.items():
            if name in turns:
                found[name] = _part(strategy).query(candidates, n, rng)
        # Where no class lacks labels, nothing is rare.
        lacking = {k: q for k, q in found.items() if k != "rare" or q.utilities.any()}
        return _dealt(lacking, turns)


_PARTS = {"rare": "rare", "novel": "novelty", "typical": "typical"}
"""The strategy that ranks for each part beside the uncertain cells."""


def _part(name: str) -> QueryStrategy:
    strategy: QueryStrategy = load("strategies", name)()
    return strategy


def _open(candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
    """Of the cells of most doubt, rank those whose labels would steady the model."""
    probabilities = candidates.probabilities
    if probabilities is None:
        raise ValueError("open cells are those that a model doubts")
    first, second = two_likeliest(probabilities)
    rows = np.arange(len(probabilities))
    margin = probabilities[rows, first] - probabilities[rows, second]
    margin = np.where(first == second, 1.0, margin)
    top = best_of(1 - margin, max(KEPT, 3 * n), rng)
    chosen, gains = _steadying(candidates, probabilities, top, n)
    best = top[chosen]
    pairs = doubt_between(candidates, first[best], second[best])
    reasons = tuple(
        f"margin {margin[i]:.2f}: {pair}" for i, pair in zip(best, pairs, strict=True)
    )
    return Query(candidates.ids[best], gains.astype(np.float32), reasons)


def _steadying(
    candidates: Candidates,
    probabilities: npt.NDArray[np.float32],
    top: npt.NDArray[np.intp],
    n: int,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    if not n:
        return top[:0], np.zeros(0)
    space, vectors = PoolSpace.of(candidates, DIMENSIONS), candidates.vectors
    everyone = in_order(candidates)
    everyone = everyone[:: max(1, len(everyone) // AUDIENCE)]
    known = candidates.labelled
    if known is None:
        raise ValueError("a model has labelled cells")
    told = candidates.labelled_probabilities
    if told is None:
        told = np.tile(probabilities[everyone].mean(axis=0), (len(known), 1))
    return steadying(
        Guessed(space.apply(vectors[top]), probabilities[top]),
        Guessed(space.apply(known.vectors), told),
        Guessed(space.apply(vectors[everyone]), probabilities[everyone]),
        n,
        ridge=vectors.shape[1] / STRENGTH,
    )


def _dealt(found: dict[str, Query], turns: Sequence[str]) -> Query:
    """Take from the parts in turn, no cell twice."""
    cards = {
        name: zip(query.ids.tolist(), query.reasons, strict=True)
        for name, query in found.items()
    }
    taken: dict[int, str] = {}
    for name in turns:
        # A part that has nothing gives its turn to the uncertain: there are as many of
        # them as turns.
        for cell, reason in chain(cards.get(name, ()), cards["uncertain"]):
            if cell not in taken:
                taken[cell] = reason
                break
    worth = (1 / (1 + np.arange(len(taken)))).astype(np.float32)
    return Query(np.array(list(taken), np.int64), worth, tuple(taken.values()))
