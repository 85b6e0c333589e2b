"""Precision, recall and F1 under many resamples at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.intervals import Interval

Floats = npt.NDArray[np.float64]

_BLOCK = 100
"""Resamples that are ranked at once: they fit the cache, which memory does not."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of each resample and class.

    Parameters
    ----------
    precision : float64[resamples, classes]
        0..1; 0 where a class occurs and was never predicted, as its F1 is: left out of
        a mean, a head that often misses it would look the better for it. NaN where it
        neither occurs nor was predicted.
    recall : float64[resamples, classes]
        0..1; NaN where a class does not occur.
    f1 : float64[resamples, classes]
        0..1; NaN where a class neither occurs nor was predicted.
    """

    precision: Floats
    recall: Floats
    f1: Floats

    @property
    def macro_f1(self) -> Floats:
        """Mean F1 over the classes that occur in a resample; float64[resamples]."""
        occurs = ~np.isnan(self.recall)
        total = np.where(occurs, self.f1, 0.0).sum(axis=1)
        return _ratio(total, occurs.sum(axis=1).astype(np.float64))


def weighted_scores(
    truth: npt.NDArray[np.integer],
    predicted: npt.NDArray[np.integer],
    weights: Floats,
    classes: int,
) -> Scores:
    """Score predictions under each row of weights.

    Parameters
    ----------
    truth, predicted : int[n]
        Class number of each test cell; a prediction outside 0..classes-1 is wrong for
        every class.
    weights : float64[resamples, n]
        How often each cell was drawn; a row of ones scores the cells as they are.
    classes : int
        How many classes are scored.
    """
    if not len(truth) == len(predicted) == weights.shape[1]:
        raise InputError(
            f"{len(truth)} cells, {len(predicted)} predictions and weights for "
            f"{weights.shape[1]} were given. Each cell needs one of each."
        )
    numbers = np.arange(classes)
    is_true = (truth[:, None] == numbers).astype(np.float64)
    is_predicted = (predicted[:, None] == numbers).astype(np.float64)
    hits = weights @ (is_true * is_predicted)
    there, found = weights @ is_true, weights @ is_predicted
    precision = _ratio(hits, found)
    precision[(found == 0) & (there > 0)] = 0.0
    return Scores(precision, _ratio(hits, there), _ratio(2 * hits, there + found))


def numbered(
    truth: Sequence[str], guesses: Sequence[str]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], tuple[str, ...]]:
    """Return truth and guesses as class numbers, and the classes of the truth.

    A guess of a class that does not occur has the number -1: it is wrong for all.
    """
    codes = tuple(sorted(set(truth)))
    number = {code: i for i, code in enumerate(codes)}
    there = np.array([number[c] for c in truth], np.intp)
    return there, np.array([number.get(c, -1) for c in guesses], np.intp), codes


def draw_counts(n: int, repeats: int, rng: np.random.Generator) -> Floats:
    """Return float64[repeats + 1, n]: ones, then bootstrap counts of ``n`` cells."""
    drawn = (
        rng.multinomial(n, np.full(n, 1 / n), size=repeats)
        if n
        else np.zeros((repeats, 0))
    )
    return np.vstack([np.ones((1, n)), drawn])


def draw_group_counts(
    groups: npt.NDArray[np.str_],
    repeats: int,
    rng: np.random.Generator,
    *,
    within: bool,
) -> Floats:
    """Return float64[repeats + 1, n]: ones, then bootstrap counts of whole groups.

    Cells of one patient resemble each other, so that they are fewer than they seem.

    Parameters
    ----------
    groups : str[n]
        Group of each cell.
    within : bool
        Draw the cells of each drawn group again, too. Where all cells of a class are of
        one patient, its recall would else be the same in every resample, as if there
        were no doubt at all.
    """
    names, index = np.unique(groups, return_inverse=True)
    drawn = draw_counts(len(names), repeats, rng)
    counts: Floats = drawn[:, index.ravel()]
    for number in range(len(names) if within else 0):
        rows = np.flatnonzero(index.ravel() == number)
        n = drawn[1:, number].astype(np.int64) * len(rows)
        counts[1:, rows] = rng.multinomial(n, np.full(len(rows), 1 / len(rows)))
    return counts


def interval_of(values: Floats, n: int, level: float = 0.95) -> Interval:
    """Return the figure in ``values[0]`` with the percentile interval of the others.

    Parameters
    ----------
    values : float64[repeats + 1]
        A statistic under each row of :func:`draw_counts`; NaN where it was undefined.
    n : int
        Cells that it rests on.
    """
    drawn = values[1:][~np.isnan(values[1:])]
    if not len(drawn):
        return Interval(float(values[0]), float("nan"), float("nan"), n)
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(values[0]), float(low), float(high), n)


def pooled(values: Floats, level: float = 0.95) -> Interval:
    """Return mean and interval by a two-level bootstrap: seeds, then test cells.

    Parameters
    ----------
    values : float64[seeds, repeats + 1]
        Of each seed a statistic under the rows of :func:`draw_counts`; NaN where it
        was undefined.

    Returns
    -------
    Interval
        Its ``n`` is the number of seeds.
    """
    drawn = resampled(values)
    low, high = np.nanquantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(
        float(np.nanmean(values[:, 0])), float(low), float(high), len(values)
    )


def resampled(values: Floats) -> Floats:
    """Return float64[repeats]: means over seeds that were drawn again.

    Parameters
    ----------
    values : float64[seeds, repeats + 1]
        As in :func:`pooled`.
    """
    seeds, repeats = len(values), values.shape[1] - 1
    drawn = seeds_again(seeds, repeats)
    picked: Floats = values[drawn, np.arange(1, repeats + 1)[:, None]]
    there = ~np.isnan(picked)
    return _ratio(
        np.where(there, picked, 0.0).sum(axis=1), there.sum(axis=1).astype(np.float64)
    )


def seeds_again(seeds: int, repeats: int) -> npt.NDArray[np.int64]:
    """Return int64[repeats, seeds]: which seeds stand in each resample of them.

    The same for every figure, so that two figures of the same seeds stay paired.
    """
    return np.random.default_rng(0).integers(seeds, size=(repeats, seeds))


def average_precisions(
    wanted: npt.NDArray[np.bool_], scores: Floats, weights: Floats
) -> Floats:
    """Return the area under the precision-recall curve under each row of weights.

    Parameters
    ----------
    wanted : bool[n]
        Whether each cell is of the class.
    scores : float64[n]
        How likely the class was held; equal ones are taken together, so that the
        order of the cells says nothing.
    weights : float64[resamples, n]
        How often each cell was drawn.

    Returns
    -------
    float64[resamples]
        0..1, the mean of precision over the cells of the class (step-wise, not
        interpolated); NaN where none was drawn.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = -scores[order]
    rows = np.flatnonzero(wanted[order])
    # Each cell of the class stands where the last one of the same score stands.
    ends = np.searchsorted(ranked, ranked[rows], side="right") - 1
    among = np.searchsorted(rows, ends, side="right") - 1
    found = np.empty(len(weights))
    for first in range(0, len(weights), _BLOCK):
        block = slice(first, first + _BLOCK)
        drawn = weights[block][:, order]
        hits = drawn[:, rows]
        precision = _ratio(hits.cumsum(axis=1)[:, among], drawn.cumsum(axis=1)[:, ends])
        total = np.where(hits > 0, precision * hits, 0.0).sum(axis=1)
        found[block] = _ratio(total, hits.sum(axis=1))
    return found


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
