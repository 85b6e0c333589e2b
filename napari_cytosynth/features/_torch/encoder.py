"""The network of the ``starter`` embedder: a small residual encoder of single cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_cytosynth.core.cells import CROP_PIXELS


@dataclass(frozen=True, slots=True)
class EncoderSize:
    """Shape of the network.

    Parameters
    ----------
    widths : tuple of int
        Channels of the stem (48 x 48) and of the stages at 48, 24, 12 and 6 pixels.
    depths : tuple of int
        Residual blocks of each stage.
    """

    widths: tuple[int, ...] = (32, 32, 64, 128, 256)
    depths: tuple[int, ...] = (1, 2, 2, 2)

    def to_json(self) -> dict[str, Any]:
        """Return what a card keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EncoderSize:
        """Read what :meth:`to_json` wrote."""
        return cls(tuple(value["widths"]), tuple(value["depths"]))


class Residual(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016, arXiv 1512.03385)."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inward, outward, 3, stride)
        self.second = _convolution(outward, outward, 3, 1)
        nn.init.zeros_(self.second.get_parameter("1.weight"))  # a shortcut at first
        parts: list[nn.Module] = [nn.AvgPool2d(stride)] if stride > 1 else []
        if inward != outward:
            parts.append(_convolution(inward, outward, 1, 1))
        self.shortcut = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Map float[n, inward, y, x] to float[n, outward, y / stride, x / stride]."""
        y = self.second(torch.relu(self.first(x)))
        return torch.relu(y + self.shortcut(x))


class CenterPool(nn.Module):
    """A mean over places whose weights are learned and begin as a bell in the middle.

    The cell in question is in the middle of its crop; its neighbours are not it.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        axis = (torch.arange(side) + 0.5) / side - 0.5
        bell = -(axis[:, None] ** 2 + axis**2) / (2 * 0.3**2)
        self.weight = nn.Parameter(bell.flatten())

    def forward(self, x: Tensor) -> Tensor:
        """Map float[n, channels, side, side] to float[n, channels]."""
        return x.flatten(2) @ self.weight.softmax(0).to(x.dtype)


class CellEncoder(nn.Module):
    """Turns crops into features of two depths.

    Parameters
    ----------
    size : EncoderSize
        Its shape.
    """

    def __init__(self, size: EncoderSize | None = None) -> None:
        super().__init__()
        self.size = size or EncoderSize()
        widths = self.size.widths
        self.stem = nn.Sequential(_convolution(3, widths[0], 5, 2), nn.ReLU())
        self.stages = nn.ModuleList(
            _stage(widths[i], widths[i + 1], 1 if i == 0 else 2, depth)
            for i, depth in enumerate(self.size.depths)
        )
        deep = CROP_PIXELS // 2 ** len(self.size.depths)
        self.fine_pool = CenterPool(2 * deep)
        self.deep_pool = CenterPool(deep)
        lay_out(self)

    @property
    def dim(self) -> int:
        """Length of a feature vector: both depths, the deep one first."""
        return sum(self.size.widths[-2:])

    def forward(self, crops: Tensor) -> Tensor:
        """Map float[n, 3, 96, 96] within 0..1 to float[n, dim]."""
        x = (crops - 0.7) / 0.25
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for stage in self.stages[:-1]:
            x = stage(x)
        deep = self.stages[-1](x)
        pooled = (self.deep_pool(deep), self.fine_pool(x))
        return torch.cat([part.float() for part in pooled], 1)


def lay_out(net: nn.Module) -> None:
    """Keep the channels of a place together in memory, which is faster on a CPU."""
    for weights in net.parameters():
        if weights.dim() == 4:
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)


def _convolution(inward: int, outward: int, side: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, outward, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(outward),
    )


def _stage(inward: int, outward: int, stride: int, depth: int) -> nn.Sequential:
    blocks = [Residual(inward, outward, stride)]
    blocks += [Residual(outward, outward, 1) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)
