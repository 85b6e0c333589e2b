"""Following a learned flow with one evaluation a step.

DPM-Solver++(2M) of Lu et al. 2022, arXiv 2211.01095, for the straight path
``z = t x + (1 - t) e``: each step extrapolates the clean picture from the last two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from torch import Tensor


def multistep(
    clean: Callable[[Tensor, float], Tensor], noise: Tensor, times: Sequence[float]
) -> Iterator[Tensor]:
    """Yield the state after each step.

    Parameters
    ----------
    clean : callable
        From state and time to the clean picture that is expected there.
    noise : float[n, ...]
        State at ``times[0]``.
    times : sequence of float
        Ascending, the first at least 0, the last 1.
    """
    state, before, step_before = noise, None, 0.0
    for now, then in pairwise(times):
        expected = clean(state, now)
        step = _log_snr(then) - _log_snr(now)
        ahead = expected
        if before is not None and math.isfinite(step) and math.isfinite(step_before):
            ahead = expected + step / (2 * step_before) * (expected - before)
        ratio = (1 - then) / (1 - now)
        state = ratio * state + (then - now * ratio) * ahead
        before, step_before = expected, step
        yield state


def _log_snr(t: float) -> float:
    """Return the log of signal to noise, infinite at both ends."""
    if not 0 < t < 1:
        return math.inf if t >= 1 else -math.inf
    return math.log(t / (1 - t))
