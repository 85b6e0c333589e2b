"""The network of the ``latent`` generator: a small U-Net over whitened picture patches.

A crop is resized to 80 x 80 and cut into 4 x 4 patches, whose 48 numbers a fixed
principal component transform turns into 32 channels: a linear "autoencoder" that
needs no training and cannot blur. The network learns the flow from noise to data there
(Lipman et al. 2023, arXiv 2210.02747), each channel preconditioned by its own spread in
the manner of Karras et al. 2022, arXiv 2206.00364.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class PainterSize:
    """Size of a painter.

    Parameters
    ----------
    classes : int
        Classes that it knows; one more index stands for "any".
    descriptor : int
        Length of the vector that may describe the wanted look: a reduced embedding
        (:class:`~napari_cytosynth.synthesis.lookspace.LookSpace`).
    side : int
        Side of the picture that it paints, pixels; a multiple of 16.
    channels : int
        Components kept of each 4 x 4 x 3 patch, 1..48.
    widths : tuple of int
        Channels of the U-Net's levels, multiples of 16.
    """

    classes: int = 11
    descriptor: int = 48
    side: int = 80
    channels: int = 32
    widths: tuple[int, ...] = (96, 144, 160)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return {**asdict(self), "widths": list(self.widths)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PainterSize:
        """Build from what :meth:`to_json` wrote."""
        return cls(**{**value, "widths": tuple(value["widths"])})


class PatchCodec(nn.Module):
    """Fixed linear transform between pictures and patch components.

    Buffers: ``basis`` float32[channels, 48]; ``mean`` float32[48]; ``scale``
    float32[channels], what each component is divided by; ``spread`` float32[channels],
    its standard deviation after that. Components are whitened half-way, so that fine
    detail is drawn after coarse shape, yet is not drowned in noise until the very end.
    """

    basis: Tensor
    mean: Tensor
    scale: Tensor
    spread: Tensor

    def __init__(self, size: PainterSize) -> None:
        super().__init__()
        self.side = size.side
        self.register_buffer("basis", torch.eye(size.channels, 48))
        self.register_buffer("mean", torch.zeros(48))
        self.register_buffer("scale", torch.ones(size.channels))
        self.register_buffer("spread", torch.ones(size.channels))

    def fit(self, pictures: Tensor) -> None:
        """Find the components of ``float[n, 3, side, side]``, values -1..1."""
        patches = F.pixel_unshuffle(pictures, 4).movedim(1, -1).reshape(-1, 48)
        mean = patches.mean(0)
        _, variance, axes = torch.linalg.svd(torch.cov((patches - mean).T.double()))
        keep = len(self.scale)
        deviation = variance[:keep].sqrt().clamp_min(1e-3)
        spread = deviation.sqrt() / deviation.mean().sqrt()
        self.mean.copy_(mean)
        self.basis.copy_(axes[:keep].float())
        self.spread.copy_(spread.float())
        self.scale.copy_((deviation / spread).float())

    def importance(self) -> Tensor:
        """Return the weight of each component's error, ``float[1, channels, 1, 1]``.

        In step with what the component adds to the picture; 1 on average.
        """
        deviation = self.scale * self.spread
        return (deviation / deviation.mean())[None, :, None, None]

    def encode(self, pictures: Tensor) -> Tensor:
        """Map ``float[n, 3, side, side]`` to ``float[n, channels, side/4, side/4]``."""
        patches = F.pixel_unshuffle(pictures, 4).movedim(1, -1) - self.mean
        return ((patches @ self.basis.T) / self.scale).movedim(-1, 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Map components back to ``float[n, 3, side, side]``."""
        patches = (codes.movedim(1, -1) * self.scale) @ self.basis + self.mean
        return F.pixel_shuffle(patches.movedim(-1, 1), 4)

    def from_crops(self, crops: Tensor) -> Tensor:
        """Encode ``uint8[n, y, x, 3]`` crops of any size."""
        return self.encode(self.resize(crops))

    def resize(self, crops: Tensor) -> Tensor:
        """Turn ``uint8[n, y, x, 3]`` into ``float[n, 3, side, side]``, values -1..1."""
        pictures = crops.movedim(-1, 1).float() / 127.5 - 1
        return F.interpolate(
            pictures, (self.side, self.side), mode="bicubic", antialias=True
        ).clamp(-1, 1)

    def to_crops(self, codes: Tensor, side: int) -> Tensor:
        """Decode to ``uint8[n, side, side, 3]``."""
        pictures = F.interpolate(self.decode(codes), (side, side), mode="bicubic")
        pixels = (pictures.clamp(-1, 1) + 1) * 127.5
        return pixels.round().to(torch.uint8).movedim(1, -1)


class Painter(nn.Module):
    """Predicts clean patch components from noisy ones.

    Time ``t`` runs from 0 (noise) to 1 (data): ``z = t x + (1 - t) e``.
    """

    look_mean: Tensor
    look_spread: Tensor

    def __init__(self, size: PainterSize) -> None:
        super().__init__()
        self.size = size
        width = 4 * size.widths[0]
        self.codec = PatchCodec(size)
        self.register_buffer("look_mean", torch.zeros(size.descriptor))
        self.register_buffer("look_spread", torch.ones(size.descriptor))
        self.class_table = nn.Embedding(size.classes + 1, width)
        self.look = nn.Sequential(
            nn.Linear(size.descriptor, 64), nn.SiLU(), nn.Linear(64, width)
        )
        # Zero at first: a painter that learned classes alone keeps what it knows.
        for last in self.look[-1].parameters():
            nn.init.zeros_(last)
        self.unet = _unet(size)

    def condition(self, classes: Tensor, looks: Tensor, shown: Tensor) -> Tensor:
        """Return the conditioning vector ``float[n, 4 * widths[0]]``.

        Parameters
        ----------
        classes : int64[n]
            Class index; ``size.classes`` for any.
        looks : float[n, descriptor]
            Looks; ignored where not shown.
        shown : float[n]
            1 where the look counts, else 0.
        """
        vector: Tensor = self.class_table(classes)
        return vector + self.embedded_looks(looks) * shown[:, None]

    def embedded_looks(self, looks: Tensor) -> Tensor:
        """Return what looks ``float[n, descriptor]`` add to the condition."""
        looks = ((looks - self.look_mean) / self.look_spread).clamp(-3, 3)
        vector: Tensor = self.look(looks)
        return vector

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.class_table.weight.device

    def forward(self, z: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Return the clean components ``float[n, channels, h, w]``.

        Parameters
        ----------
        z : float[n, channels, h, w]
            Noisy components.
        t : float[n]
            Time, 0..1.
        condition : float[n, 4 * widths[0]]
            From :meth:`condition`.
        """
        skip, out, norm = self.preconditioning(t)
        raw = self.unet(z * norm, t * 1000, class_labels=condition).sample
        clean: Tensor = skip * z + out * raw.float()
        return clean

    def preconditioning(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return skip, output and input factors, ``float[n, channels, 1, 1]``."""
        t = t[:, None, None, None]
        spread = self.codec.spread[None, :, None, None]
        power = (t * spread) ** 2 + (1 - t) ** 2
        return t * spread**2 / power, (1 - t) * spread / power.sqrt(), power.rsqrt()


def _unet(size: PainterSize) -> Any:
    levels = len(size.widths)
    attention = [False] * (levels - 1) + [True]
    return UNet2DModel(
        sample_size=size.side // 4,
        in_channels=size.channels,
        out_channels=size.channels,
        layers_per_block=1,
        block_out_channels=size.widths,
        down_block_types=tuple(
            "AttnDownBlock2D" if a else "DownBlock2D" for a in attention
        ),
        up_block_types=tuple(
            "AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)
        ),
        norm_num_groups=16,
        attention_head_dim=min(32, size.widths[-1]),
        class_embed_type="identity",
    )
