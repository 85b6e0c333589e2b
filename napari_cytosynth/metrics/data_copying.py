"""The data-copying test of Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.neighbours import Points, nearest

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DataCopying:
    """What the test found.

    Parameters
    ----------
    score : float
        C_T, in standard deviations: about 0 for new objects, far below 0 where
        synthetic ones lie nearer to training objects than held-out real ones do, far
        above where they lie farther away. NaN where no region could be judged.
    judged, regions : int
        Regions with objects enough, and in all.
    share : float
        Of the held-out objects, those in judged regions; 0..1.
    """

    score: float
    judged: int
    regions: int
    share: float


def rank_score(first: Floats, second: Floats) -> float:
    """Return the Mann-Whitney statistic of two samples as a z score.

    Parameters
    ----------
    first, second : float64[n], float64[m]
        One value at least each.

    Returns
    -------
    float
        Below 0 where values of ``first`` are smaller; ties count half, and their
        variance is corrected. 0 where all values are the same.
    """
    n, m = len(first), len(second)
    values = np.concatenate([first, second])
    _, place, ties = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    above = float(ranks[:n].sum()) - n * (n + 1) / 2
    total = n + m
    tied = float((ties.astype(np.float64) ** 3 - ties).sum())
    variance = n * m / 12 * (total + 1 - tied / (total * (total - 1)))
    return (above - n * m / 2) / variance**0.5 if variance > 0 else 0.0


def data_copying(
    train: Points, test: Points, fake: Points, centres: Points, *, least: int = 8
) -> DataCopying:
    """Ask whether synthetic objects lie nearer to training ones than held-out ones do.

    Space is cut into regions, each the points nearest to one centre; in each, distances
    to the nearest training object of the region are compared by
    :func:`rank_score`. The mean weighs regions by their held-out objects.

    Parameters
    ----------
    train, test, fake : float[n, dim], float[h, dim], float[m, dim]
        Training objects, held-out real ones, synthetic ones.
    centres : float[r, dim]
        One for each region, such as the means of k-means of ``train``.
    least : int
        Held-out and synthetic objects without which a region is not judged; the normal
        approximation of the test needs about eight.

    Raises
    ------
    InputError
        If one of the sets is empty.
    """
    if not (len(train) and len(test) and len(fake) and len(centres)):
        raise InputError(
            f"A data-copying test was asked of {len(train)} training, {len(test)} "
            f"held-out and {len(fake)} synthetic objects in {len(centres)} regions. "
            "Each needs one at least."
        )
    where = [nearest(points, centres, 1)[1][:, 0] for points in (train, test, fake)]
    scores, weights = [], []
    for region in range(len(centres)):
        own, held, made = (
            points[place == region]
            for points, place in zip((train, test, fake), where, strict=True)
        )
        if len(own) and min(len(held), len(made)) >= least:
            to_own = [nearest(points, own, 1)[0][:, 0] for points in (made, held)]
            scores.append(rank_score(to_own[0], to_own[1]))
            weights.append(len(held))
    total = sum(weights)
    mean = float(np.dot(scores, weights) / total) if total else float("nan")
    return DataCopying(mean, len(scores), len(centres), total / len(test))
