"""Integrating a learned flow from noise (time 0) to data (time 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from torch import Tensor

Velocity: TypeAlias = Callable[[Tensor, float], Tensor]


def heun(velocity: Velocity, noise: Tensor, times: Sequence[float]) -> Tensor:
    """Follow a velocity field with Heun's second-order steps, to the end.

    See :func:`heun_steps`.
    """
    state = noise
    for state in heun_steps(velocity, noise, times):  # noqa: B007 - the last
        pass
    return state


def heun_steps(
    velocity: Velocity, noise: Tensor, times: Sequence[float]
) -> Iterator[Tensor]:
    """Follow a velocity field with Heun's second-order steps, and yield each state.

    Parameters
    ----------
    velocity : callable
        From state and time to ``d state / d time``.
    noise : float[n, ...]
        State at ``times[0]``.
    times : sequence of float
        Ascending, from 0 to 1. The last step is Euler's: a field that was learned as
        "(data - state) / (1 - time)" has no value at time 1.
    """
    state = noise
    last = len(times) - 2
    for i, (now, then) in enumerate(pairwise(times)):
        first = velocity(state, now)
        step = state + (then - now) * first
        if i < last:
            step = state + (then - now) / 2 * (first + velocity(step, then))
        state = step
        yield state


def even_times(steps: int) -> list[float]:
    """Return ``steps + 1`` even times from 0 to 1."""
    return [float(t) for t in np.linspace(0, 1, steps + 1)]
