"""Teaching a trained painter one more class: one vector is learned, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cytosynth.synthesis._torch.painter import Painter
from napari_cytosynth.synthesis._torch.threads import one_thread
from napari_cytosynth.synthesis._torch.turns import turned

BATCH = 8


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
    """

    crops: npt.NDArray[np.uint8]
    index: int | None
    steps: int
    seed: int


def learn_class(
    net: Painter, lesson: Lesson
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield step and class vector ``float32[width]`` after each step."""
    rng = torch.Generator().manual_seed(lesson.seed)
    codec = net.codec
    pictures = codec.resize(torch.from_numpy(lesson.crops))
    start = net.size.classes if lesson.index is None else lesson.index
    vector = net.class_table.weight[start].detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([vector], lr=0.02)
    for step in range(lesson.steps):
        rows = torch.randint(len(pictures), (BATCH,), generator=rng)
        x = codec.encode(turned(pictures[rows], rng))
        with one_thread():
            loss = _loss(net, x, vector, rng)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        yield step + 1, vector.detach().numpy().copy()


def _loss(net: Painter, x: Tensor, vector: Tensor, rng: torch.Generator) -> Tensor:
    t = torch.sigmoid(torch.randn(len(x), generator=rng) * 1.2 - 1.0)
    at = t[:, None, None, None]
    z = at * x + (1 - at) * torch.randn(x.shape, generator=rng)
    clean = net(z, t, vector[None].expand(len(x), -1))
    _, out, _ = net.preconditioning(t)
    error: Tensor = ((clean - x) / out) ** 2 * net.codec.importance()
    return error.mean()
