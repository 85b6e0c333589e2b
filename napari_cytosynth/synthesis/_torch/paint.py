"""Painting crops with a trained painter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cytosynth.synthesis._torch.flow import heun_steps
from napari_cytosynth.synthesis._torch.painter import Painter, PainterSize
from napari_cytosynth.synthesis._torch.threads import one_thread


@dataclass(frozen=True, slots=True)
class Stroke:
    """How a crop is painted.

    Parameters
    ----------
    steps : int
        Heun steps.
    guidance : float
        1 follows the class, more exaggerates it (Ho and Salimans 2022, arXiv
        2207.12598).
    start, stop : float
        Guidance acts between these times only, 0..1 (Kynkaanniemi et al. 2024, arXiv
        2404.07724).
    """

    steps: int = 10
    guidance: float = 2.0
    start: float = 0.1
    stop: float = 0.8


def load_painter(arrays: Mapping[str, npt.NDArray[Any]], size: PainterSize) -> Painter:
    """Build a painter from its arrays, of any float type."""
    net = Painter(size)
    net.load_state_dict(
        {k: torch.from_numpy(np.array(v, np.float32)) for k, v in arrays.items()}
    )
    net.requires_grad_(requires_grad=False)
    net.unet.to(memory_format=torch.channels_last)
    return net.eval()


def paint(
    net: Painter,
    noise: npt.NDArray[np.float32],
    condition: npt.NDArray[np.float32],
    stroke: Stroke,
    side: int = 96,
) -> Iterator[npt.NDArray[np.uint8] | None]:
    """Turn noise into crops, step by step, so that it can be stopped between steps.

    Parameters
    ----------
    net : Painter
        From :func:`load_painter`.
    noise : float32[n, channels, h, w]
        Standard normal.
    condition : float32[width] or float32[n, width]
        What to paint: a row of the class table, plus the embedded look if wanted.

    Yields
    ------
    None, and at last uint8[n, side, side, 3]
        RGB.
    """
    own = torch.from_numpy(np.array(condition)).expand(len(noise), -1)
    free = net.class_table.weight[-1].expand(len(noise), -1)
    codes = torch.from_numpy(noise).contiguous(memory_format=torch.channels_last)
    velocity = _velocity(net, own, free, stroke)
    states = heun_steps(velocity, codes, _times(stroke.steps))
    for _ in range(stroke.steps):
        # The mode is left before each yield: it would leak into the caller's thread.
        with one_thread(), torch.inference_mode():
            codes = next(states)
        yield None
    with one_thread(), torch.inference_mode():
        crops = net.codec.to_crops(codes, side).numpy()
    yield crops


def _velocity(net: Painter, own: Tensor, free: Tensor, stroke: Stroke) -> Any:
    def clean(z: Tensor, t: float, condition: Tensor) -> Tensor:
        guess: Tensor = net(z, torch.full((len(z),), t), condition)
        return guess

    def velocity(z: Tensor, t: float) -> Tensor:
        if stroke.guidance == 1 or not stroke.start <= t <= stroke.stop:
            goal = clean(z, t, own)
        else:
            both = clean(torch.cat([z, z]), t, torch.cat([own, free]))
            wanted, anything = both.chunk(2)
            goal = anything + stroke.guidance * (wanted - anything)
        return (goal - z) / max(1 - t, 1e-3)

    return velocity


def _times(steps: int) -> list[float]:
    """Return times from 0 to 1, even in the log of signal to noise."""
    if steps < 2:
        return [0.0, 1.0]
    between = 1 / (1 + np.exp(-np.linspace(-3.2, 4.0, steps - 1)))
    return [0.0, *(float(t) for t in between), 1.0]
