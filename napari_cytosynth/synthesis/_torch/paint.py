"""Painting crops with a trained painter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cytosynth.synthesis._torch.flow import heun_steps
from napari_cytosynth.synthesis._torch.multistep import multistep
from napari_cytosynth.synthesis._torch.painter import Painter, PainterSize
from napari_cytosynth.synthesis._torch.threads import one_thread

Clean = Callable[[Tensor, float], Tensor]

Strokes = Iterator[npt.NDArray[np.uint8] | None]
"""None after each step, and at last the crops: so it can be stopped between steps."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """How a crop is painted.

    Parameters
    ----------
    steps : int
        Steps.
    solver : str
        ``"heun"`` looks twice a step, ``"multistep"`` once.
    guidance : float
        1 follows the condition, more exaggerates it (Ho and Salimans 2022, arXiv
        2207.12598).
    start, stop : float
        Guidance acts between these times only, 0..1 (Kynkaanniemi et al. 2024, arXiv
        2404.07724).
    """

    steps: int = 12
    guidance: float = 2.0
    start: float = 0.1
    stop: float = 0.8
    solver: str = "multistep"


@dataclass(frozen=True, slots=True)
class Sketch:
    """What crops are painted from.

    Parameters
    ----------
    noise : float32[n, channels, h, w]
        Standard normal.
    condition : float32[n, width]
        What to paint; see :func:`condition_of`.
    base : uint8[n, y, x, 3] or None
        Pictures to begin with, or to keep parts of.
    begin : float
        Time at which painting begins, 0..1: the later, the more of ``base`` is left.
    keep : float32[n, y, x] or None
        1 where ``base`` stands, 0 where anything may be painted.
    """

    noise: npt.NDArray[np.float32]
    condition: npt.NDArray[np.float32]
    base: npt.NDArray[np.uint8] | None = None
    begin: float = 0.0
    keep: npt.NDArray[np.float32] | None = None


def load_painter(arrays: Mapping[str, npt.NDArray[Any]], size: PainterSize) -> Painter:
    """Build a painter from its arrays, of any float type, on a GPU if there is one.

    Names that begin with ``space.`` are not the painter's and are passed over.
    """
    net = Painter(size)
    net.load_state_dict(
        {
            name: torch.from_numpy(np.array(value, np.float32))
            for name, value in arrays.items()
            if not name.startswith("space.")
        }
    )
    net.requires_grad_(requires_grad=False)
    net.unet.to(memory_format=torch.channels_last)
    return net.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def condition_of(
    net: Painter, row: npt.NDArray[np.float32], looks: npt.NDArray[np.float32] | None
) -> npt.NDArray[np.float32]:
    """Return what to paint, ``float32[n, width]``.

    Parameters
    ----------
    net : Painter
        From :func:`load_painter`.
    row : float32[width]
        A row of the class table, or one that was learned.
    looks : float32[n, descriptor] or None
        Looks to paint, if any (n is 1 then).
    """
    if looks is None:
        return row[None]
    with torch.inference_mode():
        shown = net.embedded_looks(torch.from_numpy(looks).to(net.device))
    total: npt.NDArray[np.float32] = row + shown.cpu().numpy()
    return total


def paint(net: Painter, sketch: Sketch, stroke: Stroke, side: int = 96) -> Strokes:
    """Turn noise into crops, step by step, so that it can be stopped between steps.

    Yields
    ------
    None, and at last uint8[n, side, side, 3]
        RGB.
    """
    times = _times(stroke.steps, sketch.begin)
    # The mode is left before each yield: it would leak into the caller's thread.
    with one_thread(), torch.inference_mode():
        clean, codes = _prepared(net, sketch, stroke)
    states = _states(clean, codes, times, stroke.solver)
    for _ in times[1:]:
        with one_thread(), torch.inference_mode():
            codes = next(states)
        yield None
    with one_thread(), torch.inference_mode():
        crops = net.codec.to_crops(codes, side).cpu().numpy()
    yield crops


def _prepared(net: Painter, sketch: Sketch, stroke: Stroke) -> tuple[Clean, Tensor]:
    count = len(sketch.noise)
    own = torch.from_numpy(sketch.condition).to(net.device).expand(count, -1)
    free = net.class_table.weight[-1].expand(count, -1)
    codes = torch.from_numpy(sketch.noise).to(net.device)
    base = keep = None
    if sketch.base is not None:
        base = net.codec.from_crops(torch.from_numpy(sketch.base).to(net.device))
        codes = sketch.begin * base + (1 - sketch.begin) * codes
    if sketch.keep is not None:
        masks = torch.from_numpy(sketch.keep)[:, None].to(net.device)
        keep = torch.nn.functional.adaptive_avg_pool2d(
            masks, (codes.shape[-2], codes.shape[-1])
        )

    def goal(z: Tensor, t: float) -> Tensor:
        time = torch.full((count,), t, device=net.device)
        if stroke.guidance == 1 or not stroke.start <= t <= stroke.stop:
            clean: Tensor = net(z, time, own)
        else:
            both = net(torch.cat([z, z]), time.repeat(2), torch.cat([own, free]))
            wanted, anything = both.chunk(2)
            clean = anything + stroke.guidance * (wanted - anything)
        if keep is not None and base is not None:
            # What is kept goes straight from its noise to itself, and the rest is
            # painted to fit it (cf. RePaint, Lugmayr et al. 2022, arXiv 2201.09865).
            clean = keep * base + (1 - keep) * clean
        return clean

    return goal, codes.contiguous(memory_format=torch.channels_last)


def _states(
    clean: Clean, codes: Tensor, times: list[float], solver: str
) -> Iterator[Tensor]:
    if solver == "multistep":
        return multistep(clean, codes, times)

    def velocity(z: Tensor, t: float) -> Tensor:
        return (clean(z, t) - z) / max(1 - t, 1e-3)

    return heun_steps(velocity, codes, times)


def _times(steps: int, begin: float = 0.0) -> list[float]:
    """Return times from ``begin`` to 1, even in the log of signal to noise."""
    if steps < 2:
        return [begin, 1.0]
    between = 1 / (1 + np.exp(-np.linspace(-3.2, 4.0, steps - 1)))
    return [begin, *(float(t) for t in between if t > begin + 1e-3), 1.0]
