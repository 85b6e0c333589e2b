"""Bare torch loops: as many steps of the same networks, and nothing around them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from napari_cytosynth.synthesis._torch.painter import Painter
from napari_cytosynth.synthesis._torch.residual_flow import (
    FlowRecipe,
    FlowSize,
    ResidualFlow,
)
from napari_cytosynth.synthesis._torch.threads import one_thread

Vectors = npt.NDArray[np.float32]


def embedding_loop(
    vectors: Vectors, classes: npt.NDArray[np.int64], draws: int, draw_steps: int
) -> Vectors:
    """Train a flow by the default recipe, then draw from it.

    Parameters
    ----------
    vectors : float32[n, dims]
        Taken as they are: no whitening, no class means, no average of weights.
    classes : int64[n]
        Class index of each.
    draws, draw_steps : int
        Vectors drawn, and evaluations of each, twice as wide for guidance.
    """
    recipe = FlowRecipe()
    size = FlowSize(vectors.shape[1], int(classes.max()) + 1)
    net = ResidualFlow(size)
    with one_thread():
        _train(net, torch.from_numpy(vectors), torch.from_numpy(classes), recipe)
        with torch.inference_mode():
            return _draw(net, size, draws, draw_steps).numpy()


def _train(
    net: ResidualFlow, x: torch.Tensor, y: torch.Tensor, recipe: FlowRecipe
) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.rate, fused=True)
    for _ in range(recipe.steps):
        rows = torch.randint(len(x), (recipe.batch,))
        noise, t = torch.randn(recipe.batch, x.shape[1]), torch.rand(recipe.batch)
        at, target = t[:, None], x[rows]
        guess = net(at * target + (1 - at) * noise, t, y[rows])
        loss = ((guess - (target - noise)) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def _draw(net: ResidualFlow, size: FlowSize, draws: int, steps: int) -> torch.Tensor:
    x = torch.randn(draws, size.dims)
    own, free = torch.zeros(draws).long(), torch.full((draws,), size.classes)
    evaluations = 2 * steps - 1  # Heun's, the last step being Euler's
    for i in range(evaluations):
        t = torch.full((draws,), i / evaluations)
        anything = net(x, t, free)
        velocity = anything + 0.5 * (net(x, t, own) - anything)
        x = x + velocity / evaluations
    return x


def latent_loop(net: Painter, draws: int, batch: int, steps: int) -> None:
    """Evaluate a painter as often as ``steps`` guided steps of draws do.

    Parameters
    ----------
    net : Painter
        Loaded.
    draws, batch, steps : int
        Pictures in all, pictures at once, evaluations of each (twofold: guided).
    """
    side = net.size.side // 4
    condition = net.class_table.weight[:1].expand(2 * batch, -1)
    for _ in range(-(-draws // batch)):
        z = torch.randn(batch, net.size.channels, side, side)
        z = z.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            for i in range(steps):
                t = torch.full((2 * batch,), i / steps)
                own, free = net(torch.cat([z, z]), t, condition).chunk(2)
                z = z + (free + 1.5 * (own - free) - z) / steps
            net.codec.to_crops(z, 96)
