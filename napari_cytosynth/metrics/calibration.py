"""Whether probabilities are what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BINS = 10
"""Bins of equal mass."""

_DRAWS = 500

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
    return float(_gap(sure, right[None])[0])


def error_of_calibrated(
    probabilities: npt.NDArray[np.floating], rng: np.random.Generator
) -> float:
    """Return the calibration error to be expected if the probabilities were true.

    Chance alone moves the accuracy of each bin: of a few hundred cells, even a
    perfectly calibrated model shows this much (Bröcker and Smith 2007, Weather and
    Forecasting 22(3), consistency bars).

    Parameters
    ----------
    probabilities : float[n, classes]
        Rows sum to 1, n >= 1.
    rng : numpy.random.Generator
        Draws who is right, 500 times.
    """
    sure = probabilities.max(axis=1).astype(np.float64)
    return float(_gap(sure, rng.random((_DRAWS, len(sure))) < sure).mean())


def _gap(
    sure: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return float64[draws] from confidence [n] and who is right, bool[draws, n]."""
    order = np.argsort(sure, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [
        len(part) * np.abs(sure[part].mean() - right[:, part].mean(axis=1))
        for part in bins
    ]
    total: npt.NDArray[np.float64] = np.sum(gaps, axis=0) / len(order)
    return total


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
