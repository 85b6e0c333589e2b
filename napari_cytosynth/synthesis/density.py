"""How well each class explains a vector, by the flow of the ``embedding`` generator.

The density is that of the generator's own draws along its principal axes, by the
instantaneous change of variables (Chen et al. 2018, arXiv 1806.07366). Off the axes,
where the generator draws only part of the spread, it is a Gaussian as wide as the real
cells are there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.training import Vectors
from napari_cytosynth.synthesis.embedding import (
    EmbeddingConfig,
    EmbeddingGenerator,
    guidance_of,
    net_arrays,
    spread_of,
)
from napari_cytosynth.synthesis.residuals import ResidualSpace
from napari_cytosynth.synthesis.tracing import TracedFlow, traced_back

STEPS = 8
"""Steps in which a vector is traced back to the noise that it would be drawn from:
within a quarter of what many steps find."""

NEAREST = 3
"""Classes of each vector whose flow is followed, the likeliest by a Gaussian. The
others explain it no better than the worst of these, and it takes long."""

Floats = npt.NDArray[np.float64]


class FlowDensity:
    """Implements :class:`napari_cytosynth.core.protocols.DensityModel`, without torch.

    Parameters
    ----------
    weights : Weights
        What a fit of the ``embedding`` generator left.

    Attributes
    ----------
    codes : tuple of str
        Class of each column.

    Raises
    ------
    WeightsError
        If they are another generator's.
    """

    def __init__(self, weights: Weights) -> None:
        if weights.meta.get("generator") != EmbeddingGenerator.key:
            raise WeightsError(
                f"A density was asked of weights of '{weights.meta.get('generator')}'. "
                "It is read off those of the embedding generator; fit that."
            )
        self._weights = weights
        self._space = ResidualSpace.from_arrays(weights.tensors)
        self._options = EmbeddingConfig.read(weights.meta["config"])
        self.codes: tuple[str, ...] = tuple(weights.meta["codes"])

    def log_density(self, vectors: Vectors) -> Floats:
        """Return float64[n, classes]: the log density of each vector in each class.

        The flow is followed for the three classes that explain a vector best by the
        Gaussian that it starts from. Another class has the density of that Gaussian,
        and at most that of the least of the three.
        """
        white, level = self._white(vectors)
        found = level - 0.5 * (white**2).sum(axis=2)
        order = np.argsort(-found, axis=1, kind="stable")[:, :NEAREST]
        followed = np.zeros(found.shape, bool)
        np.put_along_axis(followed, order, True, axis=1)
        flow, counts = TracedFlow(net_arrays(self._weights)), self._counts()
        for i, count in enumerate(counts):
            rows = np.flatnonzero(followed[:, i])
            field = flow.guided(i, guidance_of(count, self._options.kappa))
            points = white[rows, i].astype(np.float32)
            found[rows, i] = traced_back(field, points, STEPS) + level[rows, i]
            # What a standard normal adds is in the flow's density already.
            found[rows, i] += 0.5 * white.shape[2] * np.log(2 * np.pi)
        least = np.where(followed, found, np.inf).min(axis=1, initial=np.inf)
        out: Floats = np.where(followed, found, np.minimum(found, least[:, None]))
        return out

    def _counts(self) -> list[int]:
        return [self._weights.meta["counts"][code] for code in self.codes]

    def _white(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """Return what vectors are to the flow of each class, and the rest of a density.

        Returns
        -------
        white : float64[n, classes, k]
            Residuals as the flow draws them.
        level : float64[n, classes]
            Log density where such a residual is 0: off the axes, and by volume.
        """
        space, (n, k) = self._space, (len(vectors), len(self._space.axes))
        factor = space.factor.astype(np.float64)
        volume = np.log(np.diag(factor)).sum() + np.log(space.scale.astype(float)).sum()
        white, level = np.empty((n, len(self.codes), k)), np.empty((n, len(self.codes)))
        for i, count in enumerate(self._counts()):
            apart = (vectors - space.centre) / space.scale - space.means[i]
            along = apart @ space.axes.T
            spread = spread_of(count, self._options.jitter)
            white[:, i] = np.linalg.solve(factor, along.T).T / spread
            level[:, i] = self._off_axes(apart - along @ space.axes, k)
            level[:, i] -= volume + k * (np.log(spread) + 0.5 * np.log(2 * np.pi))
        return white, level

    def _off_axes(self, rest: Vectors, axes: int) -> Floats | float:
        """Return the log density off the axes, of as many dimensions as are left."""
        left = rest.shape[1] - axes
        power = float((self._space.rest.astype(np.float64) ** 2).sum())
        if left < 1 or power <= 0:
            return 0.0
        variance = power / left
        squares = (rest.astype(np.float64) ** 2).sum(axis=1) / variance
        found: Floats = -0.5 * (squares + left * np.log(2 * np.pi * variance))
        return found
