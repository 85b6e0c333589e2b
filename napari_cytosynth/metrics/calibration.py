"""Whether probabilities are what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BINS = 10
"""Bins of equal mass."""

_FLOOR = 1e-6
"""Least probability in a log loss: a class that a model lacks costs this, not all."""


def calibration_error(
    probabilities: npt.NDArray[np.floating],
    codes: Sequence[str],
    truth: npt.NDArray[np.str_],
) -> float:
    """Return the expected calibration error of the likeliest class.

    The mean gap between confidence and accuracy over ten bins of as many cells each
    (Guo et al. 2017, arXiv 1706.04599; equal mass: Nixon et al. 2019, arXiv
    1904.01685).

    Parameters
    ----------
    probabilities : float[n, classes]
        Rows sum to 1, n >= 1.
    codes : sequence of str
        Class of each column.
    truth : str[n]
        Class of each cell.
    """
    sure = probabilities.max(axis=1).astype(np.float64)
    right = np.array(codes)[probabilities.argmax(axis=1)] == truth
    order = np.argsort(sure, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [len(part) * abs(sure[part].mean() - right[part].mean()) for part in bins]
    return float(sum(gaps) / len(order))


def log_loss_ratio(
    probabilities: npt.NDArray[np.floating],
    codes: Sequence[str],
    truth: npt.NDArray[np.str_],
) -> float:
    """Return the log loss over that of the class shares alone.

    Parameters
    ----------
    probabilities, codes, truth
        As in :func:`calibration_error`; two classes at least in ``truth``.

    Returns
    -------
    float
        Below 1 where the probabilities tell more than the shares of ``truth`` do.
    """
    place = {code: i for i, code in enumerate(codes)}
    columns = np.array([place.get(code, -1) for code in truth.tolist()])
    given = probabilities[np.arange(len(truth)), columns].astype(np.float64)
    given[columns < 0] = 0.0
    _, counts = np.unique(truth, return_counts=True)
    shares = counts / counts.sum()
    prior = -float((shares * np.log(shares)).sum())
    return -float(np.log(np.maximum(given, _FLOOR)).mean()) / prior
