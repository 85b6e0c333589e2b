"""Two ways to tell classes apart that the classifier in training does not use.

It is a logistic regression. Pictures are told apart by a normal distribution a class,
of one shrunk covariance, on other features; vectors, where the features are the same
and the generator itself thinks of normal distributions, by the real cells around them.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_cytosynth.metrics.neighbours import nearest, squared_distances
from napari_cytosynth.metrics.scaling import Scaling

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]


class Validator(Protocol):
    """Tells classes apart, all of them taken to be equally common."""

    def probability(self, x: Floats, code: str) -> Floats:
        """Return float64[n], 0..1; 0 for a class that it never saw."""
        ...


class NormalValidator:
    """Discriminant analysis of one shrunk covariance (Ledoit and Wolf 2004).

    Parameters
    ----------
    x : float64[n, dim]
        Real cells.
    labels : str[n]
        Class of each.
    """

    def __init__(self, x: npt.NDArray[np.floating], labels: Labels) -> None:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        # A class of one cell has no spread to learn, unless nothing else is left.
        names, inverse, counts = np.unique(
            labels, return_inverse=True, return_counts=True
        )
        if (counts > 1).sum() > 1:
            several = counts[inverse] > 1
            x, labels, names = x[several], labels[several], names[counts > 1]
        analysis = LinearDiscriminantAnalysis(
            solver="lsqr",
            shrinkage="auto",
            priors=np.full(len(names), 1 / len(names)),
        )
        self._names: list[str] = names.tolist()
        self._model: Any = make_pipeline(StandardScaler(), analysis).fit(x, labels)

    def predict(self, x: npt.NDArray[np.floating]) -> Labels:
        """Return str[n]: the likeliest class of each."""
        if not len(x):
            return np.zeros(0, np.str_)
        return np.asarray(self._model.predict(x), np.str_)

    def probability(self, x: Floats, code: str) -> Floats:
        """Return float64[n], 0..1; 0 for a class that it never saw."""
        if code not in self._names:
            return np.zeros(len(x))
        found: Floats = self._model.predict_proba(x)[:, self._names.index(code)]
        return found


class ParzenValidator:
    """Parzen windows: a class is as likely as its real cells lie near.

    The window's width is half the median distance to the nearest real neighbour.

    Parameters
    ----------
    x : float64[n, dim]
        Real cells, two at least.
    labels : str[n]
        Class of each.
    """

    def __init__(self, x: Floats, labels: Labels) -> None:
        self._scaling = Scaling.of(x)
        self._points = self._scaling(x)
        self._labels = labels
        near, _ = nearest(self._points, self._points, 1, leave_out_self=True)
        self._width = max(float(np.median(near)) / 2, 1e-6)

    def probability(self, x: Floats, code: str) -> Floats:
        """Return float64[n], 0..1; 0 for a class that it never saw."""
        power = -squared_distances(self._scaling(x), self._points) / (
            2 * self._width**2
        )
        window = np.exp(power - power.max(axis=1, keepdims=True))
        means = {c: window[:, self._labels == c].mean(axis=1) for c in self._codes}
        if code not in means:
            return np.zeros(len(x))
        share: Floats = means[code] / np.sum(list(means.values()), axis=0)
        return share

    @property
    def _codes(self) -> list[str]:
        codes: list[str] = np.unique(self._labels).tolist()
        return codes
