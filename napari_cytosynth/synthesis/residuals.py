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

CELLS_AN_AXIS, LEAST_AXES = 12, 8
"""Cells for which one principal axis is kept, and the axes kept where cells are few."""

REST = 0.25
"""Share of the spread off the principal axes that draws have."""

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
    rest : float32[dim]
        Spread within classes of each feature, off the axes.
    means : float32[classes, dim]
        Class means, off the axes, too: what sets a class apart may lie there.
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
        cls,
        vectors: Floats,
        classes: npt.NDArray[np.int64],
        dims: int,
        labelled: npt.NDArray[np.bool_] | None = None,
    ) -> ResidualSpace:
        """Learn the map.

        Parameters
        ----------
        vectors : float32[n, dim]
            Real vectors.
        classes : int64[n]
            Class index of each, ``0..classes-1``, none empty.
        dims : int
            Axes to keep at most; see :func:`axes_of`.
        labelled : bool[n], optional
            Cells that tell where the means lie, of every class one at least; the
            others tell of axes and spread only. By default all.
        """
        own = np.ones(len(vectors), bool) if labelled is None else labelled
        centre = vectors.mean(axis=0, dtype=np.float64)
        scale = vectors.std(axis=0, dtype=np.float64)
        scale[scale < 1e-6] = 1.0
        x = (vectors - centre) / scale
        _, _, axes = np.linalg.svd(x, full_matrices=False)
        axes = axes[: axes_of(len(x), min(dims, x.shape[1]))]
        names = range(classes.max() + 1)
        means = np.stack([x[own & (classes == c)].mean(axis=0) for c in names])
        # Each class spends one cell on its own mean.
        lost = np.sqrt(len(x) / max(len(x) - len(names), 1))
        within = (x - means[classes]) * lost
        along = within @ axes.T
        rest = (within - along @ axes).std(axis=0)
        parts = (centre, scale, axes, rest, means, shrunk_factor(along))
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
        x = (vectors - self.centre) / self.scale - self.means[classes]
        z = x @ self.axes.T
        n = np.bincount(classes)[classes].astype(np.float64)
        z = z[kept] * np.sqrt(n[kept] / (n[kept] - 1))[:, None]
        return np.linalg.solve(self.factor.astype(np.float64), z.T).T.astype(np.float32)

    def residuals_of_others(
        self, vectors: Floats, classes: npt.NDArray[np.int64], counts: Floats
    ) -> Floats:
        """Return whitened residuals of cells that had no share in the means.

        Parameters
        ----------
        vectors, classes : float32[m, dim], int64[m]
            Cells, and the class that each is taken for.
        counts : float[classes]
            Cells behind each mean.
        """
        x = (vectors - self.centre) / self.scale - self.means[classes]
        n = counts[classes]
        z = x @ self.axes.T * np.sqrt(n / (n + 1))[:, None]
        return np.linalg.solve(self.factor.astype(np.float64), z.T).T.astype(np.float32)

    @staticmethod
    def kept(classes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell which cells share their class with another."""
        kept: npt.NDArray[np.bool_] = np.bincount(classes)[classes] > 1
        return kept

    def vectors(
        self, residuals: Floats, label: int, rng: np.random.Generator
    ) -> Floats:
        """Turn whitened residuals of a class into vectors.

        ``rng`` draws a share :data:`REST` of the spread off the axes. All of it would
        put every vector farther from the real cells than they lie from each other: the
        lost axes are many, and not independent as the draws are.
        """
        noise = rng.standard_normal((len(residuals), len(self.rest)))
        noise = (noise * self.rest * REST).astype(np.float32)
        x = self.means[label] + residuals @ self.factor.T @ self.axes
        x = x + noise - noise @ self.axes.T @ self.axes
        filled: Floats = (x * self.scale + self.centre).astype(np.float32)
        return filled


def axes_of(cells: int, most: int) -> int:
    """Return how many principal axes so many cells bear: one for twelve of them.

    With one for four, as many as covariances are fitted on at the least, draws spread
    so widely that they lay in a third of the real neighbourhoods.
    """
    return min(most, max(LEAST_AXES, cells // CELLS_AN_AXIS), max(cells // 4, 4))
