"""A small residual network, trained from scratch on cells (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.evidence.study import Floats

STEPS = 400
"""Steps of training, whatever the number of pictures: every case has the same time."""

BATCH = 32
RATE = 2e-3
_SIDE = 48  # pixels; a nucleus still spans twenty
_AT_ONCE = 256
_WIDTHS = (16, 32, 64)


class _Block(nn.Module):
    """Two convolutions around a shortcut; the first halves the side."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.short = nn.Conv2d(before, after, 1, stride=2, bias=False)
        self.norms = nn.ModuleList(nn.GroupNorm(4, after) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        inner = nnf.relu(self.norms[0](self.first(x)))
        inner = self.norms[1](self.second(inner))
        return nnf.relu(inner + self.short(x))


class SmallResNet:
    """Learns classes from pictures, turned and mirrored by chance.

    Parameters
    ----------
    classes : sequence of str
        Codes, in the order of the columns of :meth:`chances`.
    seed : int
        Decides the start, and the order of the pictures.
    steps : int
        Steps of each fit.
    """

    def __init__(
        self, classes: Sequence[str], *, seed: int = 0, steps: int = STEPS
    ) -> None:
        self._classes = list(classes)
        self._steps = steps
        self._rng = np.random.default_rng(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            pairs = zip((8, *_WIDTHS), _WIDTHS, strict=False)
            self._model = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1),
                *(_Block(a, b) for a, b in pairs),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(_WIDTHS[-1], len(self._classes)),
            )

    def fit(self, crops: Crops, codes: Sequence[str], weights: Floats) -> SmallResNet:
        """Train on; a second fit begins where the first ended.

        Parameters
        ----------
        crops : uint8[n, 96, 96, 3]
            Pictures.
        codes : sequence of str
            Class of each.
        weights : float64[n]
            How often each is shown, relative to the others.
        """
        x = _small(crops)
        y = torch.tensor([self._classes.index(code) for code in codes])
        share = weights / weights.sum()
        optimiser = torch.optim.AdamW(self._model.parameters(), RATE, weight_decay=1e-2)
        rate = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, RATE, total_steps=self._steps
        )
        self._model.train()
        for _ in range(self._steps):
            rows = torch.from_numpy(self._rng.choice(len(x), BATCH, p=share))
            loss = nnf.cross_entropy(self._model(self._turned(x[rows])), y[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            rate.step()
        return self

    def chances(self, crops: Crops) -> Floats:
        """Return float64[n, classes], rows sum to 1."""
        self._model.eval()
        with torch.no_grad():
            parts = [
                self._model(_small(crops[at : at + _AT_ONCE])).softmax(dim=1)
                for at in range(0, len(crops), _AT_ONCE)
            ]
        found: Floats = torch.cat(parts).double().numpy()
        return found

    def _turned(self, x: Tensor) -> Tensor:
        """Turn each batch by a quarter, mirror it, and change its light a little."""
        x = torch.rot90(x, int(self._rng.integers(4)), (2, 3))
        x = x.flip(3) if self._rng.integers(2) else x
        gain = torch.from_numpy(1 + 0.1 * self._rng.standard_normal((len(x), 3, 1, 1)))
        return x * gain.float()


def _small(crops: Crops) -> Tensor:
    """Return float32[n, 3, 48, 48] around 0."""
    x = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float()
    return nnf.interpolate(x / 127.5 - 1, size=_SIDE, mode="area")
