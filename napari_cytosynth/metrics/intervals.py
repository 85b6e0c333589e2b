"""Intervals: what a figure from few cells is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError

Rows: TypeAlias = npt.NDArray[Any]
Statistic: TypeAlias = Callable[[Rows], float]

REPEATS = 1000
"""Resamples of a bootstrap."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the range in which its true value may lie.

    Parameters
    ----------
    value : float
        The figure on all the data.
    low, high : float
        Ends of the interval.
    n : int
        Cells that it rests on.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n = {self.n})"


def wilson(hits: int, n: int, level: float = 0.95) -> Interval:
    """Return the score interval of a proportion (Wilson 1927).

    Parameters
    ----------
    hits, n : int
        Successes and trials, 0 <= hits <= n.
    level : float
        0..1.

    Returns
    -------
    Interval
        0..1; the whole range and NaN as its value for n = 0.
    """
    if not 0 <= hits <= n:
        raise InputError(
            f"{hits} successes of {n} trials: give 0 <= successes <= trials."
        )
    if n == 0:
        return Interval(float("nan"), 0.0, 1.0, 0)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), n)


def bootstrap(
    rows: Rows,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    repeats: int = REPEATS,
    level: float = 0.95,
) -> Interval:
    """Return a percentile bootstrap interval over cells.

    Parameters
    ----------
    rows : array[n, ...]
        One row a test cell.
    statistic : callable
        From rows to a number; called on resamples drawn with replacement.
    """
    return two_level_bootstrap([rows], statistic, rng, repeats=repeats, level=level)


def paired_bootstrap(
    first: Rows,
    second: Rows,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    repeats: int = REPEATS,
    level: float = 0.95,
) -> Interval:
    """Return the interval of a difference of two methods on the same cells.

    Parameters
    ----------
    first, second : array[n, ...]
        Row ``i`` of both is the same test cell under two methods.
    """
    if len(first) != len(second):
        raise InputError(
            f"A paired interval got {len(first)} and {len(second)} cells. Both methods "
            "must be tested on the same cells, in the same order."
        )
    places = np.arange(len(first))

    def difference(index: Rows) -> float:
        return statistic(first[index]) - statistic(second[index])

    return two_level_bootstrap([places], difference, rng, repeats=repeats, level=level)


def two_level_bootstrap(
    seeds: Sequence[Rows],
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    repeats: int = REPEATS,
    level: float = 0.95,
) -> Interval:
    """Return the interval of a statistic averaged over seeds.

    Each resample draws seeds with replacement, then test cells within each, so that
    both the luck of training and the luck of the test set widen the interval.

    Parameters
    ----------
    seeds : sequence of array[n, ...]
        The test cells of each run, one row a cell; at least one run with one cell.
    statistic : callable
        From the rows of one run to a number.
    """
    if not seeds or any(len(rows) == 0 for rows in seeds):
        raise InputError(
            "A bootstrap was asked of no cells. Give each seed at least one."
        )
    value = float(np.mean([statistic(rows) for rows in seeds]))
    draws = [_resample(seeds, statistic, rng) for _ in range(repeats)]
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high), sum(len(rows) for rows in seeds))


def _resample(
    seeds: Sequence[Rows], statistic: Statistic, rng: np.random.Generator
) -> float:
    values = []
    for chosen in rng.integers(len(seeds), size=len(seeds)):
        rows = seeds[chosen]
        values.append(statistic(rows[rng.integers(len(rows), size=len(rows))]))
    return float(np.mean(values))
