"""What cells look like as an embedder sees them, in few numbers.

The painter is conditioned on a class and, if wished, on a "look": a cell's embedding,
standardised and reduced to its leading principal components. How the looks of a class
vary is kept as a normal distribution, so that a look can be drawn where none is given
(as representation-conditioned generation does: Li et al. 2023, arXiv 2312.03701).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.metrics.covariance import shrunk_covariance

Floats = npt.NDArray[np.float32]

OWN = 50
"""Cells at which the spread of a class counts as much as that pooled over classes."""


@dataclass(frozen=True, slots=True)
class LookSpace:
    """A linear map from embeddings to looks, and where the classes lie in it.

    Parameters
    ----------
    centre : float32[dim]
        Mean embedding.
    axes : float32[k, dim]
        Principal axes, divided by the spread along each: looks have variance 1.
    means : float32[classes, k]
        Mean look of each class.
    factors : float32[classes, k, k]
        Lower Cholesky factor of the covariance of each class, shrunk towards the one
        pooled over classes.
    """

    centre: Floats
    axes: Floats
    means: Floats
    factors: Floats

    @classmethod
    def fit(
        cls, vectors: Floats, classes: npt.NDArray[np.int64], dims: int, count: int
    ) -> LookSpace:
        """Learn the space.

        Parameters
        ----------
        vectors : float32[n, dim]
            Embeddings of real cells.
        classes : int64[n]
            Class of each, ``count`` where unknown.
        dims, count : int
            Length of a look; number of classes, any of which may be empty.
        """
        centre = vectors.mean(axis=0, dtype=np.float64)
        _, singular, axes = np.linalg.svd(vectors - centre, full_matrices=False)
        axes = _scaled(axes, singular / np.sqrt(len(vectors)), dims)
        looks = (vectors - centre) @ axes.T
        means, factors = _classes(looks, classes, count)
        parts = (centre, axes, means, factors)
        return cls(*(part.astype(np.float32) for part in parts))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> LookSpace | None:
        """Build from what :meth:`to_arrays` returned; None where it is not there."""
        if "space.axes" not in arrays:
            return None
        parts = (np.float32(arrays[f"space.{name}"]) for name in cls.__slots__)
        return cls(*(np.asarray(part) for part in parts))

    def to_arrays(self) -> dict[str, Floats]:
        """Return the parts by name."""
        return {f"space.{name}": getattr(self, name) for name in self.__slots__}

    def looks(self, vectors: Floats) -> Floats:
        """Map embeddings ``float32[n, dim]`` to looks ``float32[n, k]``."""
        looks: Floats = ((vectors - self.centre) @ self.axes.T).astype(np.float32)
        return looks

    def draw(self, index: int, rng: np.random.Generator, spread: float = 1.0) -> Floats:
        """Draw a look of a class, ``float32[k]``.

        ``spread`` scales the distance from the class mean: 1 is how real cells vary.
        """
        noise = rng.standard_normal(len(self.axes)).astype(np.float32)
        look: Floats = self.means[index] + spread * self.factors[index] @ noise
        return look


def _scaled(
    axes: npt.NDArray[np.float64], spread: npt.NDArray[np.float64], dims: int
) -> npt.NDArray[np.float64]:
    """Return ``dims`` axes divided by their spread; zeros where there is none."""
    useful = spread[:dims] > 1e-6 * max(float(spread[0]), 1e-30)
    scaled = np.zeros((dims, axes.shape[1]))
    scaled[: len(useful)][useful] = axes[:dims][useful] / spread[:dims][useful, None]
    return scaled


def _classes(
    looks: npt.NDArray[np.float64], classes: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and Cholesky factor of each class."""
    parts = [looks[classes == index] for index in range(count)]
    everything = looks.mean(axis=0)
    means = np.stack([p.mean(axis=0) if len(p) else everything for p in parts])
    labelled = classes < count
    pooled, _ = shrunk_covariance(looks[labelled] - means[classes[labelled]])
    tiny = 1e-6 * np.eye(len(pooled))
    factors = []
    for part, mean in zip(parts, means, strict=True):
        own = (part - mean).T @ (part - mean) / max(len(part), 1)
        trust = len(part) / (len(part) + OWN)
        mixed = trust * own + (1 - trust) * pooled
        factors.append(np.linalg.cholesky(mixed + tiny))
    return means, np.stack(factors)
