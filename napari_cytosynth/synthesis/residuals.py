"""Where the ``embedding`` generator draws: class means plus a shared, whitened spread.

Rare classes borrow the shape of the variation within all classes (empirical Bayes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.metrics.covariance import shrunk_factor

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ResidualSpace:
    """A linear map between vectors and whitened residuals around class means.

    Parameters
    ----------
    centre, scale : float32[dim]
        Standardise the vectors.
    axes : float32[k, dim]
        Principal axes kept, orthonormal rows.
    rest : float32[1]
        Spread along each axis that was not kept.
    means : float32[classes, k]
        Class means along the axes.
    factor : float32[k, k]
        Lower Cholesky factor of the pooled covariance within classes.
    """

    centre: Floats
    scale: Floats
    axes: Floats
    rest: Floats
    means: Floats
    factor: Floats

    @classmethod
    def fit(
        cls, vectors: Floats, classes: npt.NDArray[np.int64], dims: int
    ) -> ResidualSpace:
        """Learn the map.

        Parameters
        ----------
        vectors : float32[n, dim]
            Real vectors.
        classes : int64[n]
            Class index of each, ``0..classes-1``, none empty.
        dims : int
            Axes to keep at most; never more than ``max(4, n / 4)``.
        """
        centre = vectors.mean(axis=0, dtype=np.float64)
        scale = vectors.std(axis=0, dtype=np.float64)
        scale[scale < 1e-6] = 1.0
        x = (vectors - centre) / scale
        keep = min(dims, max(4, len(x) // 4), x.shape[1])
        _, singular, axes = np.linalg.svd(x, full_matrices=False)
        axes = axes[:keep]
        lost = float((singular[keep:] ** 2).sum()) / len(x)
        rest = np.sqrt(lost / max(x.shape[1] - len(axes), 1))
        z = x @ axes.T
        means = np.stack(
            [z[classes == c].mean(axis=0) for c in range(classes.max() + 1)]
        )
        factor = shrunk_factor(z - means[classes])
        parts = (centre, scale, axes, np.array([rest]), means, factor)
        return cls(*(p.astype(np.float32) for p in parts))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> ResidualSpace:
        """Build from what :meth:`to_arrays` returned."""
        return cls(**{name: arrays[f"space.{name}"] for name in cls.__slots__})

    def to_arrays(self) -> dict[str, Floats]:
        """Return the parts by name."""
        return {f"space.{name}": getattr(self, name) for name in self.__slots__}

    def residuals(self, vectors: Floats, classes: npt.NDArray[np.int64]) -> Floats:
        """Return whitened residuals, corrected for the cell's share in its own mean.

        Returns
        -------
        float32[m, k]
            Without the cells that are alone in their class: their residual is unknown.
            Pair with ``classes[kept]`` by :meth:`kept`.
        """
        kept = self.kept(classes)
        z = (vectors - self.centre) / self.scale @ self.axes.T - self.means[classes]
        n = np.bincount(classes)[classes].astype(np.float64)
        z = z[kept] * np.sqrt(n[kept] / (n[kept] - 1))[:, None]
        return np.linalg.solve(self.factor.astype(np.float64), z.T).T.astype(np.float32)

    @staticmethod
    def kept(classes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell which cells share their class with another."""
        kept: npt.NDArray[np.bool_] = np.bincount(classes)[classes] > 1
        return kept

    def vectors(
        self, residuals: Floats, label: int, rng: np.random.Generator
    ) -> Floats:
        """Turn whitened residuals of a class into vectors; ``rng`` fills lost axes."""
        z = self.means[label] + residuals @ self.factor.T
        x = z @ self.axes
        if float(self.rest[0]) > 0:
            noise = rng.standard_normal(x.shape).astype(np.float32) * self.rest[0]
            x = x + noise - noise @ self.axes.T @ self.axes
        filled: Floats = (x * self.scale + self.centre).astype(np.float32)
        return filled
