"""What all query strategies share: picking the best few of many, and saying why."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.core.taxonomy import Taxonomy

RARE_SHARE = 0.5
"""A class is rare with fewer labels than this share of the mean labelled class."""

_STEPS = 20
_SAMPLE = 20_000

NO_MODEL = "drawn at random: no model yet"

Explain = Callable[[npt.NDArray[np.intp]], tuple[str, ...]]
"""From positions in the pool to one reason each."""


def query_best(
    candidates: Candidates,
    utilities: npt.NDArray[np.floating],
    n: int,
    rng: np.random.Generator,
    explain: Explain,
) -> Query:
    """Return the ``n`` best of the pool, ties broken at random.

    Parameters
    ----------
    candidates : Candidates
        The pool.
    utilities : float[pool]
        Worth of each cell.
    n : int
        How many, >= 0; the whole pool if it is smaller.
    rng : numpy.random.Generator
        Breaks ties.
    explain : callable
        Called once, with the positions chosen.
    """
    best = best_of(utilities, n, rng)
    return Query(
        candidates.ids[best], utilities[best].astype(np.float32), explain(best)
    )


def best_of(
    utilities: npt.NDArray[np.floating], n: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Return the positions of the ``n`` largest values, best first, in linear time."""
    n = min(max(n, 0), len(utilities))
    if n == 0:
        return np.zeros(0, np.intp)
    bar = np.partition(utilities, len(utilities) - n)[len(utilities) - n]
    above = np.flatnonzero(utilities > bar)
    level = np.flatnonzero(utilities == bar)
    level = rng.choice(level, n - len(above), replace=False)
    chosen = np.concatenate([above, level])
    order = np.lexsort([rng.random(n), -utilities[chosen].astype(np.float64)])
    best: npt.NDArray[np.intp] = chosen[order]
    return best


def query_at_random(
    candidates: Candidates, n: int, rng: np.random.Generator, reason: str
) -> Query:
    """Return ``n`` cells drawn evenly from the pool, all with the same reason."""
    chosen = rng.permutation(len(candidates.ids))[: max(n, 0)]
    worth = np.zeros(len(chosen), np.float32)
    return Query(candidates.ids[chosen], worth, (reason,) * len(chosen))


def query_by_doubt(
    candidates: Candidates,
    n: int,
    rng: np.random.Generator,
    worth: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.floating]],
    words: Callable[[float], str],
) -> Query:
    """Return the ``n`` cells whose class is most in doubt; by chance without a model.

    Parameters
    ----------
    candidates : Candidates
        The pool.
    n : int
        How many, >= 0.
    rng : numpy.random.Generator
        Breaks ties.
    worth : callable
        From probabilities ``float32[pool, classes]`` to the worth of each cell.
    words : callable
        Says a worth; the two likeliest classes are named after it.
    """
    probabilities = candidates.probabilities
    if probabilities is None:
        return query_at_random(candidates, n, rng, NO_MODEL)
    utilities = worth(probabilities)

    def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
        pairs = doubt_between(candidates, *two_likeliest(probabilities[best]))
        told = zip(utilities[best], pairs, strict=True)
        return tuple(f"{words(utility)}: {pair}" for utility, pair in told)

    return query_best(candidates, utilities, n, rng, explain)


def two_likeliest(
    probabilities: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the columns of the largest and second largest of each row."""
    if probabilities.shape[1] == 1:
        only = np.zeros(len(probabilities), np.intp)
        return only, only
    top = np.argpartition(-probabilities, 1, axis=1)[:, :2]
    rows = np.arange(len(top))
    swap = probabilities[rows, top[:, 0]] < probabilities[rows, top[:, 1]]
    top[swap] = top[swap, ::-1]
    return top[:, 0], top[:, 1]


def entropy_of(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Return the entropy of each row, in bits."""
    # The floor only keeps the logarithm of an exact zero finite.
    logs = np.log2(np.maximum(probabilities, 1e-12))
    entropy: npt.NDArray[np.floating] = -np.einsum("nk,nk->n", probabilities, logs)
    return entropy


def share_below(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the share of values that are smaller than each, 0..1."""
    places = np.searchsorted(np.sort(values), values, side="left")
    return places / max(len(values), 1)


def rare_codes(counts: Mapping[str, int], taxonomy: Taxonomy) -> frozenset[str]:
    """Return the cell classes with far fewer labels than the others.

    Parameters
    ----------
    counts : mapping of code to int
        Real labelled cells.
    taxonomy : Taxonomy
        Abstain classes are left out.
    """
    known = {code: counts.get(code, 0) for code in taxonomy.cell_codes}
    labelled = [count for count in known.values() if count]
    if not labelled:
        return frozenset()
    bar = RARE_SHARE * sum(labelled) / len(labelled)
    return frozenset(code for code, count in known.items() if count < bar)


def doubt_between(
    candidates: Candidates,
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
) -> tuple[str, ...]:
    """Return "MY or PMY" for each pair of columns, with "; rare" where one is rare."""
    rare = rare_codes(candidates.counts, candidates.taxonomy)
    codes = candidates.codes
    words = []
    for one, other in zip(first, second, strict=True):
        pair = (codes[one],) if one == other else (codes[one], codes[other])
        ending = "; rare" if rare.intersection(pair) else ""
        words.append(" or ".join(pair) + ending)
    return tuple(words)


def to_pool_shares(
    probabilities: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Bring probabilities under equal class shares to the shares of the pool.

    The shares are estimated without labels by expectation maximisation: Saerens,
    Latinne, Decaestecker (2002), Neural Computation 14(1).

    Parameters
    ----------
    probabilities : float32[n, classes]
        Of a head that was fitted with balanced classes.
    rng : numpy.random.Generator
        Draws a sample of a pool above 20,000 cells to estimate from.
    """
    n, k = probabilities.shape
    sample = probabilities
    if n > _SAMPLE:
        sample = probabilities[rng.choice(n, _SAMPLE, replace=False, shuffle=False)]
    shares = np.full(k, 1 / k, np.float32)
    for _ in range(_STEPS):
        posterior = sample * shares
        posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), 1e-12)
        # One cell in advance for each class: no share sinks to nothing for ever.
        shares = (posterior.sum(axis=0) + 1) / (len(sample) + k)
    adapted: npt.NDArray[np.float32] = probabilities * shares
    adapted /= np.maximum(adapted.sum(axis=1, keepdims=True), 1e-12)
    return adapted
