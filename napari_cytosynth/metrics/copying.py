"""Tell copies of real objects from new ones: rules on nearest-neighbour distances.

The one-third rule is that of Gu et al. 2023, arXiv 2310.02664; the percentile rule
follows Dar et al. 2024, arXiv 2402.01054.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.metrics.neighbours import Points, nearest

Floats = npt.NDArray[np.float64]
Nearest = tuple[Floats, npt.NDArray[np.intp]]
"""Distances and rows of the nearest real objects, as ``nearest`` returns them."""

THIRD = 1.0 / 3.0
"""A copy lies nearer to one real object than a third of the way to the next."""

PERCENTILE = 1.0
"""A copy lies nearer than this percentile of real-to-real distances."""


def copy_threshold(real: Points, percentile: float = PERCENTILE) -> float:
    """Return the distance below which two different real objects hardly ever lie.

    Parameters
    ----------
    real : float[n, dim]
        Real objects; exact repeats among them do not count.
    percentile : float
        0..100.

    Returns
    -------
    float
        That percentile of the distances to the nearest other real object; 0 for n < 2.
    """
    distinct = np.unique(np.asarray(real), axis=0)
    if len(distinct) < 2:
        return 0.0
    distances, _ = nearest(distinct, distinct, 1, leave_out_self=True)
    return float(np.percentile(distances[:, 0], percentile))


def third_rule(near: Floats) -> npt.NDArray[np.bool_]:
    """Tell which objects copy a real one by the one-third rule.

    Parameters
    ----------
    near : float64[m, k]
        Ascending distances of each to the nearest real objects, two at least.

    Returns
    -------
    bool[m]
        An exact repeat is a copy too. False where there are under two to compare with.
    """
    if near.shape[1] < 2:
        return np.zeros(len(near), bool)
    return np.asarray((near[:, 0] < THIRD * near[:, 1]) | (near[:, 0] == 0), np.bool_)


def farther_than_real(near: Nearest, real: Nearest) -> npt.NDArray[np.bool_]:
    """Tell which objects are not closer to a real one than real ones are.

    An object is authentic if it lies farther from its nearest real object than that one
    from its own nearest real neighbour (Alaa et al. 2022, arXiv 2102.08921).

    Parameters
    ----------
    near, real : distances and rows as :func:`nearest` returns them
        The nearest real objects of each object, and of each real one itself left out.

    Returns
    -------
    bool[m]
    """
    return np.asarray(near[0][:, 0] > real[0][near[1][:, 0], 0], np.bool_)


def real_farther_than_real(real: Nearest) -> npt.NDArray[np.bool_]:
    """Tell which real objects would be authentic, had they been made from the others.

    Parameters
    ----------
    real : distances and rows as :func:`nearest` returns them
        The two nearest of each real object, itself left out; the object in question
        counts among the neighbours of none.

    Returns
    -------
    bool[n]
    """
    distances, rows = real
    own = rows[:, 0]
    mutual = rows[own, 0] == np.arange(len(rows))
    bar = np.where(mutual, distances[own, 1], distances[own, 0])
    return np.asarray(distances[:, 0] > bar, np.bool_)


def authenticity(fake: Points, real: Points) -> float:
    """Return the share of synthetic objects that are not closer than real ones are.

    Returns
    -------
    float
        By :func:`farther_than_real`: 0..1; for perfect samples one half or more. NaN
        under two real objects.
    """
    if len(real) < 2 or not len(fake):
        return float("nan")
    between = nearest(real, real, 1, leave_out_self=True)
    return float(farther_than_real(nearest(fake, real, 1), between).mean())
