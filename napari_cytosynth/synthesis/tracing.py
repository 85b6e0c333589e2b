"""The density that a flow of residuals gives a point, in plain numpy.

A ranking asks for it where torch is never loaded: beside the window. The network is
that of :mod:`napari_cytosynth.synthesis._torch.residual_flow`, which learns it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Sums = npt.NDArray[np.float64]

Field = Callable[[Floats, float], tuple[Floats, Floats]]
"""From float32[n, dims] and a time, 0..1, to their velocity and its divergence."""

_TRACED = 128
"""Points traced back at once: each takes a matrix of its dimensions by the width."""


def traced_back(field: Field, points: Floats, steps: int) -> Sums:
    """Return the log density of points that a velocity field carries noise to.

    The instantaneous change of variables (Chen et al. 2018, arXiv 1806.07366), with
    the exact divergence and midpoint steps from time 1 to 0.

    Parameters
    ----------
    field : callable
        Velocity and divergence; rows do not depend on each other.
    points : float32[n, dims]
        States at time 1.
    steps : int
        At least 1.

    Returns
    -------
    float64[n]
    """
    out = np.empty(len(points))
    times = [float(t) for t in np.linspace(1, 0, steps + 1)]
    for at in range(0, len(points), _TRACED):
        state, gathered = points[at : at + _TRACED], np.zeros(1)
        for then, now in pairwise(times):
            step = np.float32(now - then)
            middle = state + step / 2 * field(state, then)[0]
            velocity, divergence = field(middle, (now + then) / 2)
            gathered = gathered + float(step) * divergence.astype(np.float64)
            state = state + step * velocity
        noise = state.astype(np.float64)
        normal = -0.5 * (noise**2 + np.log(2 * np.pi)).sum(axis=1)
        out[at : at + _TRACED] = normal + gathered
    return out


class TracedFlow:
    """A learned flow: the velocity of a residual, and how it spreads.

    Parameters
    ----------
    arrays : mapping of str to float32 array
        Weights of a :class:`ResidualFlow`, by its own names.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self._arrays = arrays
        self._any = len(arrays["table.weight"]) - 1
        self._blocks = sum(name.endswith("modulate.weight") for name in arrays)

    def guided(self, label: int, guidance: float) -> Field:
        """Return the field of a class, as far as guidance lets it leave that of all."""

        def field(state: Floats, time: float) -> tuple[Floats, Floats]:
            free, own = (self._at(state, time, k) for k in (self._any, label))
            weight = np.float32(guidance)
            velocity, divergence = (
                f + weight * (o - f) for f, o in zip(free, own, strict=True)
            )
            return velocity, divergence

        return field

    def _at(self, state: Floats, time: float, label: int) -> tuple[Floats, Floats]:
        """Return float32[n, dims] and float32[n] under one class."""
        a, condition = self._arrays, self._condition(time, label)
        hidden = self._linear("enter", state)
        # How each hidden number changes with each of the state: [n, dims, width].
        slopes = np.broadcast_to(
            a["enter.weight"].T, (len(state), *a["enter.weight"].T.shape)
        )
        for i in range(self._blocks):
            hidden, slopes = self._block(f"blocks.{i}", hidden, slopes, condition)
        divergence = np.einsum("ndw,dw->n", slopes, a["leave.weight"])
        return self._linear("leave", hidden), divergence

    def _block(
        self, name: str, hidden: Floats, slopes: Floats, condition: Floats
    ) -> tuple[Floats, Floats]:
        shift, scale, gate = np.split(self._linear(f"{name}.modulate", condition), 3)
        centred = hidden - hidden.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + np.float32(1e-5))
        normed = centred / spread
        before = self._linear(f"{name}.inner.0", normed * (1 + scale) + shift)
        sure = np.reciprocal(1 + np.exp(-before))
        after = self._linear(f"{name}.inner.2", before * sure)
        rise = sure * (1 + before * (1 - sure))
        turned = _normed_slopes(slopes, normed, spread) * (1 + scale)
        turned = turned @ self._arrays[f"{name}.inner.0.weight"].T * rise[:, None, :]
        turned = turned @ (self._arrays[f"{name}.inner.2.weight"].T * gate)
        return hidden + gate * after, slopes + turned

    def _condition(self, time: float, label: int) -> Floats:
        rates = np.exp(np.linspace(0, np.log(1000), 32)).astype(np.float32)
        angles = rates * np.float32(time)
        waves: Floats = np.concatenate([np.sin(angles), np.cos(angles)], dtype="f4")
        told = _silu(self._linear("time.0", waves))
        return _silu(told + self._arrays["table.weight"][label])

    def _linear(self, name: str, x: Floats) -> Floats:
        out: Floats = (
            x @ self._arrays[f"{name}.weight"].T + self._arrays[f"{name}.bias"]
        )
        return out


def _normed_slopes(slopes: Floats, normed: Floats, spread: Floats) -> Floats:
    """Return the slopes behind a layer that centres and scales each row."""
    centred = slopes - slopes.mean(axis=2, keepdims=True)
    rows = normed[:, None, :]
    along = (rows * centred).mean(axis=2, keepdims=True)
    out: Floats = (centred - rows * along) / spread[:, :, None]
    return out


def _silu(x: Floats) -> Floats:
    out: Floats = x / (1 + np.exp(-x))
    return out
