"""The network of the ``embedding`` generator: a flow over whitened class residuals.

Flow matching (Lipman et al. 2023, arXiv 2210.02747) with an MLP whose blocks are
modulated by time and class, starting as the identity (adaLN-zero; Peebles and Xie 2023,
arXiv 2212.09748).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_cytosynth.synthesis._torch.flow import Velocity, even_times, heun
from napari_cytosynth.synthesis._torch.threads import one_thread

Arrays = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class FlowSize:
    """Size of a residual flow: dimensions, classes, width and blocks of its MLP."""

    dims: int
    classes: int
    width: int = 128
    blocks: int = 2


@dataclass(frozen=True, slots=True)
class FlowRecipe:
    """How a residual flow is trained."""

    steps: int = 400
    batch: int = 128
    rate: float = 1e-3
    ema: float = 0.995
    drop_label: float = 0.3
    jitter: float = 0.5
    seed: int = 0


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.inner = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.modulate = nn.Linear(width, 3 * width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale, gate = self.modulate(condition).chunk(3, dim=1)
        changed: Tensor = x + gate * self.inner(self.norm(x) * (1 + scale) + shift)
        return changed


class ResidualFlow(nn.Module):
    """Predicts the velocity of a residual, by time and class."""

    def __init__(self, size: FlowSize) -> None:
        super().__init__()
        self.size = size
        self.enter = nn.Linear(size.dims, size.width)
        self.time = nn.Sequential(nn.Linear(64, size.width), nn.SiLU())
        self.table = nn.Embedding(size.classes + 1, size.width)
        self.blocks = nn.ModuleList(_Block(size.width) for _ in range(size.blocks))
        self.leave = nn.Linear(size.width, size.dims)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, t: Tensor, classes: Tensor) -> Tensor:
        """Return ``float[n, dims]``.

        Parameters
        ----------
        x : float[n, dims]
            Noisy residuals.
        t : float[n]
            Time, 0 (noise) to 1 (data).
        classes : int64[n]
            Class index; ``size.classes`` for any.
        """
        condition = nn.functional.silu(self.time(_waves(t)) + self.table(classes))
        hidden = self.enter(x)
        for block in self.blocks:
            hidden = block(hidden, condition)
        velocity: Tensor = self.leave(hidden)
        return velocity


REPORT_EVERY = 20
"""Training steps between two reports."""


class _Trainer:
    """A run: network, average of its weights, optimiser and chance."""

    def __init__(
        self, x: Tensor, y: Tensor, net: ResidualFlow, recipe: FlowRecipe
    ) -> None:
        self.x, self.y, self.net, self.recipe = x, y, net, recipe
        self.rng = torch.Generator().manual_seed(recipe.seed)
        self.optimiser = torch.optim.AdamW(
            net.parameters(), lr=recipe.rate, weight_decay=0.01, fused=True
        )
        self.average = {k: v.detach().clone() for k, v in net.state_dict().items()}
        weight = torch.bincount(y).clamp_min(1).float().rsqrt()[y]
        self.weight = weight / weight.mean()

    def advance(self, step: int) -> float:
        recipe = self.recipe
        rows = torch.randint(len(self.x), (recipe.batch,), generator=self.rng)
        losses = _loss(self.net, self.x[rows], self.y[rows], recipe, self.rng)
        loss = losses @ self.weight[rows] / recipe.batch
        rate = recipe.rate * (1 + math.cos(math.pi * step / recipe.steps)) / 2
        self.optimiser.param_groups[0]["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        _average(self.average, self.net, min(recipe.ema, (1 + step) / (10 + step)))
        return float(loss.detach())


def train(
    residuals: npt.NDArray[np.float32],
    classes: npt.NDArray[np.int64],
    size: FlowSize,
    recipe: FlowRecipe,
) -> Iterator[tuple[int, float, Arrays | None]]:
    """Train a flow; yield step and loss at times, and the averaged weights at the end.

    Parameters
    ----------
    residuals : float32[n, dims]
        About unit variance.
    classes : int64[n]
        Class index of each. A class counts by the root of its cells, not their number.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = ResidualFlow(size)
    run = _Trainer(torch.from_numpy(residuals), torch.from_numpy(classes), net, recipe)
    loss = 0.0
    for start in range(0, recipe.steps, REPORT_EVERY):
        stop = min(start + REPORT_EVERY, recipe.steps)
        with one_thread():
            for step in range(start, stop):
                loss = run.advance(step)
        yield stop, loss, None
    yield recipe.steps, loss, {k: v.numpy() for k, v in run.average.items()}


def sample(
    arrays: Mapping[str, npt.NDArray[np.float32]],
    size: FlowSize,
    noise: npt.NDArray[np.float32],
    label: int,
    *,
    guidance: float,
    steps: int,
) -> npt.NDArray[np.float32]:
    """Turn noise into residuals of a class.

    Parameters
    ----------
    noise : float32[n, dims]
        Standard normal.
    guidance : float
        0 draws from the flow of all classes, 1 from that of class ``label``.
    """
    velocity = _guided(arrays, size, label, guidance)
    with one_thread(), torch.inference_mode():
        drawn = heun(velocity, torch.from_numpy(noise), even_times(steps))
    return drawn.numpy()


def _guided(
    arrays: Mapping[str, npt.NDArray[np.float32]],
    size: FlowSize,
    label: int,
    guidance: float,
) -> Velocity:
    """Return the velocity of a class, as far as guidance lets it leave that of all."""
    net = ResidualFlow(size)
    net.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})

    def velocity(x: Tensor, t: float) -> Tensor:
        at = torch.full((len(x),), t)
        own, any_class = (
            torch.full((len(x),), label),
            torch.full((len(x),), size.classes),
        )
        free: Tensor = net(x, at, any_class)
        guided: Tensor = free + guidance * (net(x, at, own) - free)
        return guided

    return velocity


def _loss(
    net: ResidualFlow, x: Tensor, y: Tensor, recipe: FlowRecipe, rng: torch.Generator
) -> Tensor:
    target = x + recipe.jitter * torch.randn(x.shape, generator=rng)
    noise = torch.randn(x.shape, generator=rng)
    t = torch.rand(len(x), generator=rng)
    drop = torch.rand(len(x), generator=rng) < recipe.drop_label
    y = torch.where(drop, torch.tensor(net.size.classes), y)
    at = t[:, None]
    guess = net(at * target + (1 - at) * noise, t, y)
    error: Tensor = (guess - (target - noise)) ** 2
    return error.mean(dim=1)


@torch.no_grad()
def _average(average: dict[str, Tensor], net: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(
        list(average.values()), list(net.state_dict().values()), 1 - decay
    )


def _waves(t: Tensor) -> Tensor:
    rates = torch.exp(torch.linspace(0, math.log(1000), 32))
    angles = t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
