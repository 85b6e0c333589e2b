"""Figures beside those of real objects, at the same size.

Most figures of two sets depend on how many objects there are, so that one by itself
says little. Here real objects are split into halves again and again: one half against
the other tells what a perfect generator would reach, and the same half against as many
synthetic objects tells what this one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.neighbours import Points

Measure = Callable[[Points, Points], Sequence[float]]
"""Real objects and as many others to one or more figures."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure, and the same of real objects.

    Parameters
    ----------
    value, spread : float
        Mean and standard deviation over the splits, of synthetic objects.
    real, real_spread : float
        The same of real objects. A spread covers the luck of the splits only: halves
        of one set overlap between repeats.
    n : int
        Objects on each side.
    repeats : int
        Splits.
    """

    value: float
    spread: float
    real: float
    real_spread: float
    n: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Halves:
    """One draw of three sets of the same size, of rows; each intp[n]."""

    half: np.ndarray[tuple[int], np.dtype[np.intp]]
    other: np.ndarray[tuple[int], np.dtype[np.intp]]
    fake: np.ndarray[tuple[int], np.dtype[np.intp]]


def same_size(real: int, fake: int) -> int:
    """Return how many objects each side of a comparison can have."""
    return min(real // 2, fake)


def splits(
    real: int, fake: int, rng: np.random.Generator, repeats: int
) -> Iterator[Halves]:
    """Yield rows of two disjoint parts of the real objects, and of as many others."""
    n = same_size(real, fake)
    for _ in range(repeats):
        order = rng.permutation(real)
        yield Halves(order[:n], order[n : 2 * n], rng.permutation(fake)[:n])


def summed_up(made: Sequence[float], real: Sequence[float], n: int) -> Beside:
    """Return mean and spread of a figure over the splits."""
    return Beside(
        float(np.mean(made)),
        float(np.std(made)),
        float(np.mean(real)),
        float(np.std(real)),
        n,
        len(made),
    )


def compare(
    measure: Measure,
    real: Points,
    fake: Points,
    rng: np.random.Generator,
    repeats: int = 10,
) -> tuple[Beside, ...]:
    """Take figures of synthetic objects beside those of real ones.

    Parameters
    ----------
    measure : callable
        Real objects and others to figures.
    real, fake : float[n, dim], float[m, dim]
        Two real objects and a synthetic one at least.
    rng : Generator
        Splits.
    repeats : int
        How often, >= 1.

    Raises
    ------
    InputError
        If there are too few.
    """
    n = same_size(len(real), len(fake))
    if n < 1:
        raise InputError(
            f"{len(fake)} synthetic objects were to be compared with {len(real)} real "
            "ones. Two real ones and a synthetic one are needed."
        )
    made, own = [], []
    for split in splits(len(real), len(fake), rng, repeats):
        half = real[split.half]
        made.append(measure(half, fake[split.fake]))
        own.append(measure(half, real[split.other]))
    pairs = zip(np.transpose(made), np.transpose(own), strict=True)
    return tuple(summed_up(m.tolist(), o.tolist(), n) for m, o in pairs)
