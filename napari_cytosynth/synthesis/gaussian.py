"""A Gaussian around each class mean, all of one shape: the plainest density of cells.

What the ``embedding`` generator is measured against: linear discriminant analysis read
as a density. It draws, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.training import Vectors
from napari_cytosynth.metrics.covariance import shrunk_factor

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GaussianModel:
    """Implements :class:`napari_cytosynth.core.protocols.DensityModel`.

    Parameters
    ----------
    codes : tuple of str
        Class of each column of a density, sorted.
    means : float64[classes, dim]
        In standardised units.
    factor : float64[dim, dim]
        Lower Cholesky factor of the covariance within classes, in those units.
    scale : float64[dim]
        One standardised unit.
    """

    codes: tuple[str, ...]
    means: Floats
    factor: Floats
    scale: Floats

    @classmethod
    def fit(cls, vectors: Vectors, codes: Sequence[str]) -> GaussianModel:
        """Learn means and the shared covariance.

        Parameters
        ----------
        vectors : float32[n, dim]
            Real vectors.
        codes : sequence of str
            Class of each. Where no class has two, the spread is next to none.

        Raises
        ------
        InputError
            If there is no vector.
        """
        if not len(vectors) or not vectors.shape[1]:
            raise InputError(
                f"A Gaussian was asked of vectors of shape {vectors.shape}. Embed and "
                "label a cell first."
            )
        names, index = np.unique(np.asarray(codes, np.str_), return_inverse=True)
        scale = vectors.std(axis=0, dtype=np.float64)
        scale[scale < 1e-6] = 1.0
        x = vectors / scale
        means = np.stack([x[index == i].mean(axis=0) for i in range(len(names))])
        # Each class spends one cell on its own mean.
        lost = len(x) / max(len(x) - len(names), 1)
        factor = shrunk_factor((x - means[index]) * np.sqrt(lost))
        return cls(tuple(names.tolist()), means, factor, scale)

    def log_density(self, vectors: Vectors) -> Floats:
        """Return float64[n, classes]: the log density of each vector in each class."""
        x = (vectors / self.scale)[:, None, :] - self.means
        white = np.linalg.solve(self.factor, x.reshape(-1, len(self.scale)).T)
        squares = (white**2).sum(axis=0).reshape(len(vectors), len(self.codes))
        volume = np.log(np.diag(self.factor)).sum() + np.log(self.scale).sum()
        density: Floats = (
            -0.5 * squares - volume - 0.5 * len(self.scale) * np.log(2 * np.pi)
        )
        return density

    def draw(self, code: str, count: int, rng: np.random.Generator) -> Vectors:
        """Return float32[count, dim] of a class."""
        noise = rng.standard_normal((count, len(self.scale)))
        x = self.means[self.codes.index(code)] + noise @ self.factor.T
        drawn: Vectors = (x * self.scale).astype(np.float32)
        return drawn
