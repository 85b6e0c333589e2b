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
    net_of,
    spread_of,
)
from napari_cytosynth.synthesis.residuals import ResidualSpace

STEPS = 20
"""Steps in which a vector is traced back to the noise that it would be drawn from."""

Floats = npt.NDArray[np.float64]


class FlowDensity:
    """Implements :class:`napari_cytosynth.core.protocols.DensityModel`; takes torch.

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
        self.codes: tuple[str, ...] = tuple(weights.meta["codes"])

    def log_density(self, vectors: Vectors) -> Floats:
        """Return float64[n, classes]: the log density of each vector in each class."""
        columns = [self._of_class(vectors, i) for i in range(len(self.codes))]
        return np.stack(columns, axis=1)

    def _of_class(self, vectors: Vectors, label: int) -> Floats:
        from napari_cytosynth.synthesis._torch.residual_flow import trace

        space, meta = self._space, self._weights.meta
        options = EmbeddingConfig.read(meta["config"])
        count = meta["counts"][self.codes[label]]
        apart = (vectors - space.centre) / space.scale - space.means[label]
        along = apart @ space.axes.T
        spread = spread_of(count, options.jitter)
        white = np.linalg.solve(space.factor.astype(np.float64), along.T).T / spread
        net, size = net_of(self._weights)
        flow = trace(
            net,
            size,
            white.astype(np.float32),
            label,
            guidance=guidance_of(count, options.kappa),
            steps=STEPS,
        )
        k = len(space.axes)
        volume = np.log(np.diag(space.factor.astype(np.float64))).sum()
        volume += k * np.log(spread) + np.log(space.scale.astype(np.float64)).sum()
        density: Floats = flow - volume + self._off_axes(apart - along @ space.axes, k)
        return density

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
