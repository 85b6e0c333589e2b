"""Several questions asked of the same cells: p, and its correction for their number.

Holm 1979 (Scandinavian Journal of Statistics 6, 65-70), the step-down rule: never less
powerful than Bonferroni's, and as safe whatever the figures have in common.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def two_sided(drawn: Floats) -> float:
    """Return the two-sided bootstrap p of "it is 0": 0..1, never below 2 / resamples.

    Parameters
    ----------
    drawn : float64[repeats]
        A difference under resamples; NaN where it was undefined, which speaks for
        neither side.

    Returns
    -------
    float
        1 where it was defined under no resample.
    """
    there = drawn[~np.isnan(drawn)]
    if not len(there):
        return 1.0
    tail = min((there <= 0).mean(), (there >= 0).mean())
    return float(min(1.0, 2 * max(float(tail), 1 / len(there))))


def holm(p: Floats) -> Floats:
    """Correct several p for their number.

    Parameters
    ----------
    p : float64[n]
        0..1.

    Returns
    -------
    float64[n]
        0..1, in the same order.
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(steps, 1.0)
    return found


def holm_levels(p: Floats, alpha: float = 0.05) -> Floats:
    """Return the level of each interval that asks what Holm's rule asks of its p.

    The smallest p of n is held against alpha / n, the next against alpha / (n - 1), and
    so on; from the first that fails, all others stand where it stood. An interval of
    the level that belongs to a p leaves 0 out where the rule rejects.

    Parameters
    ----------
    p : float64[n]
        0..1, not corrected.
    alpha : float
        Chance of one false claim among all, 0..1.

    Returns
    -------
    float64[n]
        Confidence, ``1 - alpha / n`` to ``1 - alpha``, in the same order.
    """
    order = np.argsort(p, kind="stable")
    share = alpha / np.arange(len(p), 0, -1)
    failed = np.flatnonzero(p[order] > share)
    if len(failed):
        share[failed[0] :] = share[failed[0]]
    found = np.empty(len(p))
    found[order] = 1 - share
    return found
