"""Fits the classifier head: regularised multinomial logistic regression, calibrated.

It is fitted from the training split only; whoever calls sees to that.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import TrainingSet, Vectors
from napari_cytosynth.learning.folds import deal_folds
from napari_cytosynth.learning.head import STRENGTH, Head, one_thread

_TOLERANCE = 1e-4
_ROUNDS = 300
_TEMPERATURE_RANGE = (-1.5, 2.5)

Floats = npt.NDArray[np.float64]


def fit_head(
    training: TrainingSet,
    *,
    previous: Head | None = None,
    groups: npt.NDArray[np.str_] | None = None,
    seed: int = 0,
    folds: int = 3,
) -> Head:
    """Fit a head.

    Parameters
    ----------
    training : TrainingSet
        Vectors, classes and sample weights; two classes at least.
    previous : Head, optional
        Where to start from: a refit after a few labels then takes fewer steps. The
        optimum is the same.
    groups : str[n], optional
        Rows of one group are held out together when the temperature is set. Rows of the
        group ``""`` are never held out: synthetic ones, which measure nothing. By
        default equal vectors make a group.
    seed : int
        Decides the folds.
    folds : int
        Parts that are held out in turn to set the temperature; 0 leaves it at 1, which
        is enough where only the likeliest class is asked for.

    Raises
    ------
    InputError
        If there are no rows, only one class, or vectors that are not finite.
    """
    codes = _check(training)
    kept = groups if groups is not None else _groups_of(training.vectors)
    scale = _Scaler.of(training.vectors)
    rows = scale.apply(training.vectors)
    targets = np.searchsorted(np.array(codes), np.asarray(training.codes))
    with one_thread():
        start = scale.start_of(previous, codes) if previous is not None else None
        coefficients = _fit(rows, targets, training.weights, start)
        folded = deal_folds(targets, kept, folds, seed)
        held_out = _out_of_fold(rows, targets, training.weights, folded)
    temperature = _temperature(*held_out)
    slope = coefficients[:, :-1] / scale.spread / temperature
    intercepts = coefficients[:, -1] / temperature - slope @ scale.mean
    return Head(
        codes, slope.astype(np.float32), intercepts.astype(np.float32), temperature
    )


def _check(training: TrainingSet) -> tuple[str, ...]:
    codes = tuple(sorted(set(training.codes)))
    if len(codes) < 2:
        known = f"only {codes[0]}" if codes else "no class"
        raise InputError(
            f"A head cannot be fitted: {known} is labelled among {len(training.codes)} "
            "training cells. It tells classes apart, so label cells of two classes."
        )
    if not np.isfinite(training.vectors).all() or not training.vectors.shape[1]:
        raise InputError(
            "A head cannot be fitted: some vectors are missing or not finite. Embed "
            "all labelled cells first."
        )
    return codes


@dataclass(frozen=True, slots=True)
class _Scaler:
    """Centre and spread of each feature."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, vectors: Vectors) -> _Scaler:
        rows = vectors.astype(np.float64)
        spread = rows.std(axis=0)
        # A feature that never varies tells nothing, and must not blow up later.
        spread[spread < 1e-6 * (1.0 + np.abs(rows.mean(axis=0)))] = np.inf
        return cls(rows.mean(axis=0), spread)

    def apply(self, vectors: Vectors) -> Floats:
        scaled: Floats = (vectors - self.mean) / self.spread
        return scaled

    def start_of(self, previous: Head, codes: Sequence[str]) -> Floats | None:
        """Carry the coefficients of an older head into these units."""
        if previous.dim != len(self.mean):
            return None
        start = np.zeros((len(codes), previous.dim + 1))
        finite = np.where(np.isfinite(self.spread), self.spread, 0.0)
        for row, code in enumerate(codes):
            if code in previous.codes_:
                old = previous.codes_.index(code)
                slope = previous.coefficients[old].astype(np.float64)
                start[row, :-1] = slope * finite
                start[row, -1] = previous.intercepts[old] + slope @ self.mean
        return start * previous.temperature


def _fit(rows: Floats, targets: Any, weights: Floats, start: Floats | None) -> Floats:
    """Return float64[classes, dim + 1], the intercept last."""
    model = LogisticRegression(
        C=STRENGTH / max(rows.shape[1], 1),
        tol=_TOLERANCE,
        max_iter=_ROUNDS,
        warm_start=start is not None,
    )
    if start is not None:
        binary = len(start) == 2
        start = start[1:] - start[:1] if binary else start
        model.coef_, model.intercept_ = start[:, :-1].copy(), start[:, -1].copy()
    with warnings.catch_warnings():
        # Many classes and few labels is how every project begins, not a mistake.
        warnings.filterwarnings("ignore", message="The number of unique classes")
        model.fit(rows, targets, sample_weight=weights)
    found = np.column_stack([model.coef_, model.intercept_])
    # With two classes there is one row, the log odds of the second.
    return np.vstack([np.zeros_like(found), found]) if len(found) == 1 else found


def _groups_of(vectors: Vectors) -> npt.NDArray[np.str_]:
    """Name equal vectors alike, so that a copy never tests its original."""
    _, index = np.unique(vectors, axis=0, return_inverse=True)
    return index.ravel().astype(np.str_)


def _out_of_fold(
    rows: Floats,
    targets: npt.NDArray[np.intp],
    weights: Floats,
    folds: npt.NDArray[np.intp],
) -> tuple[Floats, npt.NDArray[np.intp], Floats]:
    """Return logits of held-out rows, their classes and weights."""
    logits = np.full((len(rows), int(targets.max()) + 1), np.nan)
    for fold in range(folds.max(initial=-1) + 1):
        test, train = folds == fold, folds != fold
        seen, inner = np.unique(targets[train], return_inverse=True)
        # A class that the rest lacks cannot be predicted, and its cells not judged.
        test &= np.isin(targets, seen)
        if len(seen) < 2 or not test.any():
            continue
        found = _fit(rows[train], inner, weights[train], None)
        block = np.full((int(test.sum()), logits.shape[1]), -np.inf)
        block[:, seen] = rows[test] @ found[:, :-1].T + found[:, -1]
        logits[test] = block
    known = ~np.isnan(logits[:, 0])
    return logits[known], targets[known], weights[known]


def _temperature(
    logits: Floats, targets: npt.NDArray[np.intp], weights: Floats
) -> float:
    """Temperature of the least log loss on held-out rows (Guo et al. 2017).

    A weak prior around 1 (a standard normal in the logarithm) holds it in place where a
    handful of cells would push it to an extreme.
    """
    if not len(targets):
        return 1.0
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        fit = -float(weights @ scores[rows, targets])
        return fit + 0.5 * log_temperature**2

    best = minimize_scalar(loss, bounds=_TEMPERATURE_RANGE, method="bounded")
    return float(np.exp(best.x))
