"""Teaching a trained painter one more class: one vector is learned, nothing else.

It ends early where what it paints becomes copies of the cells that it learns from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cytosynth.synthesis import thumbnails
from napari_cytosynth.synthesis._torch.paint import Sketch, Stroke, paint
from napari_cytosynth.synthesis._torch.painter import Painter
from napari_cytosynth.synthesis._torch.threads import one_thread
from napari_cytosynth.synthesis._torch.turns import turned

BATCH = 8
PROBE_EVERY = 20
"""Steps between two looks at what the class has become."""

PROBES = 8
"""Cells painted for that, in a few steps."""

MAX_COPIES = 0.05
"""Share of copies among them beyond which learning ends."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be learned.

    Parameters
    ----------
    crops : uint8[n, 96, 96, 3]
        Real cells of the class, in the stain of the training cells.
    index : int or None
        Trained class to start from; None starts from any.
    steps, seed : int
        Training steps and seed.
    threshold : float
        Distance between thumbnails below which real cells hardly ever lie.
    """

    crops: npt.NDArray[np.uint8]
    index: int | None
    steps: int
    seed: int
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Learned:
    """Where learning stands.

    Parameters
    ----------
    step : int
        Steps behind ``vector``.
    vector : float32[width]
        The class.
    copies : float
        Share of copies among the probes last painted, 0..1; NaN before.
    """

    step: int
    vector: npt.NDArray[np.float32]
    copies: float


def learn_class(net: Painter, lesson: Lesson) -> Iterator[Learned]:
    """Yield after each step; the last is the one to keep.

    Every :data:`PROBE_EVERY` steps, and at the end, cells are painted and compared
    with those of the lesson by the rule of the copy critic. Beyond
    :data:`MAX_COPIES`, what was there at the probe before is given, and learning ends.
    """
    rng = torch.Generator().manual_seed(lesson.seed)
    pictures = net.codec.resize(torch.from_numpy(lesson.crops).to(net.device))
    start = net.size.classes if lesson.index is None else lesson.index
    vector = net.class_table.weight[start].detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([vector], lr=0.02)
    kept = now = Learned(0, _array(vector), float("nan"))
    for step in range(1, lesson.steps + 1):
        rows = torch.randint(len(pictures), (BATCH,), generator=rng)
        x = net.codec.encode(turned(pictures[rows], rng))
        with one_thread():
            loss = _loss(net, x, vector, rng)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        now = Learned(step, _array(vector), now.copies)
        yield now
        if step % PROBE_EVERY == 0 or step == lesson.steps:
            now = Learned(step, now.vector, copied_share(net, lesson, now.vector))
            if now.copies > MAX_COPIES:
                yield Learned(kept.step, kept.vector, now.copies)
                return
            yield now
            kept = now


def copied_share(
    net: Painter, lesson: Lesson, vector: npt.NDArray[np.float32]
) -> float:
    """Paint a few cells; return how many are copies of the lesson's, 0..1."""
    side = net.size.side // 4
    rng = np.random.default_rng([lesson.seed, 1])
    shape = (PROBES, net.size.channels, side, side)
    noise = rng.standard_normal(shape).astype(np.float32)
    *_, crops = paint(net, Sketch(noise, vector[None]), Stroke(steps=6))
    if crops is None:
        return 0.0
    return thumbnails.copied_share(crops, lesson.crops, lesson.threshold)


def _array(vector: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = vector.detach().cpu().numpy().copy()
    return array


def _loss(net: Painter, x: Tensor, vector: Tensor, rng: torch.Generator) -> Tensor:
    t = torch.sigmoid(torch.randn(len(x), generator=rng) * 1.2 - 1.0).to(x.device)
    at = t[:, None, None, None]
    z = at * x + (1 - at) * torch.randn(x.shape, generator=rng).to(x.device)
    clean = net(z, t, vector[None].expand(len(x), -1))
    _, out, _ = net.preconditioning(t)
    error: Tensor = ((clean - x) / out) ** 2 * net.codec.importance()
    return error.mean()
