"""Makes features of unlike units count alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.metrics.neighbours import Points

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Counts each feature in units of its spread over some objects.

    Parameters
    ----------
    centre, spread : float64[dim]
        Mean, and standard deviation above 0.
    """

    centre: Floats
    spread: Floats

    @classmethod
    def of(cls, points: Points) -> Scaling:
        """Measure it on float[n, dim], one object at least.

        A feature that is the same in all of them gets a tiny spread, so that whatever
        differs in it lies far away.
        """
        x = np.asarray(points, np.float64)
        centre = x.mean(axis=0)
        return cls(centre, np.maximum(x.std(axis=0), 1e-6 * (1 + np.abs(centre))))

    def __call__(self, points: Points) -> Floats:
        """Return float64[n, dim]: mean 0 and spread 1 on what it was measured on."""
        moved: Floats = (np.asarray(points, np.float64) - self.centre) / self.spread
        return moved
