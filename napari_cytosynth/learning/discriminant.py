"""A discriminant analysis with a shrunk covariance: fitted at once, not by steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.metrics.covariance import shrunk_covariance

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Discriminant:
    """Linear scores: ``points @ slope.T + level``.

    Parameters
    ----------
    slope, level : float64[classes, k], float64[classes]
        One row a class.
    """

    slope: Floats
    level: Floats

    @classmethod
    def fit(
        cls, points: Floats, classes: npt.NDArray[np.intp], weights: Floats
    ) -> Discriminant:
        """Fit a Gaussian a class, all of one shape.

        Parameters
        ----------
        points : float64[n, k]
            Known points.
        classes : intp[n]
            Class of each, ``0..classes-1``, none empty.
        weights : float64[n]
            What each counts, > 0.
        """
        means = np.stack(
            [
                np.average(points[classes == c], axis=0, weights=weights[classes == c])
                for c in range(classes.max() + 1)
            ]
        )
        scale = np.sqrt(weights / weights.mean())[:, None]
        covariance, _ = shrunk_covariance((points - means[classes]) * scale)
        # Where each class has one cell there is no spread: any will do.
        floor = 1e-3 * (float(np.trace(covariance)) / len(covariance) or 1.0)
        slope = np.linalg.solve(covariance + floor * np.eye(len(covariance)), means.T)
        return cls(slope.T, -0.5 * (means.T * slope).sum(axis=0))

    def shares(self, points: npt.NDArray[np.floating]) -> Floats:
        """Return float64[n, classes]: probabilities under equal shares."""
        scores = points @ self.slope.T + self.level
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        shares: Floats = scores / scores.sum(axis=1, keepdims=True)
        return shares
