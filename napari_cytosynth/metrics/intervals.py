"""Intervals: what a figure from few cells is worth."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from napari_cytosynth.core.errors import InputError


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


def wilson(hits: float, n: int, level: float = 0.95) -> Interval:
    """Return the score interval of a proportion (Wilson 1927).

    Parameters
    ----------
    hits : float
        Successes, 0..n; a mean over runs need not be whole.
    n : int
        Trials.
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
