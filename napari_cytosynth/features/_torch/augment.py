"""Pictures of one cell as other microscopes, stains and files would show it.

All of it works on a batch at once, and takes its chance from a generator that is given.
"""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from napari_cytosynth.core.cells import CROP_PIXELS

_TINY = 1 / 256


def augmented(pictures: Tensor, span: float, rng: torch.Generator) -> Tensor:
    """Return changed crops.

    Parameters
    ----------
    pictures : uint8[n, 3, side, side]
        Cells, centred.
    span : float
        Share of the side that a crop of 24 um covers.
    rng : torch.Generator
        Source of chance.

    Returns
    -------
    float[n, 3, 96, 96]
        Within 0..1, steps of 1 / 255.
    """
    x = _moved(pictures.float() / 255, span, rng)
    x = _with_other_surroundings(x, rng)
    x = _restained(x, rng)
    x = _recoloured(x, rng)
    x = _framed(x, rng)
    x = _blurred(x, rng)
    x = x + torch.randn(x.shape, generator=rng) * _span(x, 0.0, 0.04, rng)
    x = _cut_out(x.clamp(0, 1), rng)
    return _compressed(x, rng)


def plain(pictures: Tensor, span: float) -> Tensor:
    """Return the middle of pictures as crops, float[n, 3, 96, 96] within 0..1."""
    theta = torch.eye(2, 3).mul(span).expand(len(pictures), 2, 3)
    return _sampled(pictures.float() / 255, theta)


def _span(x: Tensor, low: float, high: float, rng: torch.Generator) -> Tensor:
    """Draw a number for each picture, float[n, 1, 1, 1]."""
    return low + (high - low) * torch.rand((len(x), 1, 1, 1), generator=rng)


def _chosen(x: Tensor, share: float, rng: torch.Generator) -> Tensor:
    return torch.rand((len(x), 1, 1, 1), generator=rng) < share


def _sampled(x: Tensor, theta: Tensor) -> Tensor:
    size = [len(x), 3, CROP_PIXELS, CROP_PIXELS]
    grid = functional.affine_grid(theta, size, align_corners=False)
    return functional.grid_sample(
        x, grid, padding_mode="reflection", align_corners=False
    )


def _moved(x: Tensor, span: float, rng: torch.Generator) -> Tensor:
    """Turn, mirror, scale by 0.7 to 1.4, stretch a little and shift."""
    n = len(x)
    angle = torch.rand(n, generator=rng) * 2 * math.pi
    mirror = torch.randint(2, (n,), generator=rng) * 2.0 - 1
    scale = torch.exp(-0.18 * torch.randn(n, generator=rng)).clamp(1 / 1.4, 1 / 0.7)
    stretch = torch.exp(0.05 * torch.randn(n, generator=rng))
    wide, high = span * scale * stretch, span * scale / stretch
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = torch.cos(angle) * wide * mirror
    theta[:, 0, 1] = -torch.sin(angle) * high
    theta[:, 1, 0] = torch.sin(angle) * wide * mirror
    theta[:, 1, 1] = torch.cos(angle) * high
    theta[:, :, 2] = (torch.randn(n, 2, generator=rng) * 0.06).clamp(-0.15, 0.15)
    return _sampled(x, theta)


def _radius() -> Tensor:
    axis = torch.arange(CROP_PIXELS) - (CROP_PIXELS - 1) / 2
    return (axis[:, None] ** 2 + axis**2).sqrt()


def _with_other_surroundings(x: Tensor, rng: torch.Generator) -> Tensor:
    """Take what lies around some cells from other pictures of the batch."""
    edge = _span(x, 34, 50, rng)
    inside = ((edge - _radius()) / 2).clamp(0, 1)
    others = x[torch.randperm(len(x), generator=rng)]
    return torch.where(_chosen(x, 0.25, rng), inside * x + (1 - inside) * others, x)


def _restained(x: Tensor, rng: torch.Generator) -> Tensor:
    """Mix the optical densities of the channels, and tint the light behind."""
    density = -torch.log(x.clamp(_TINY, 1))
    strength = torch.where(_chosen(x, 0.2, rng), 0.2, 0.08).view(-1, 1, 1)
    mixing = torch.eye(3) + strength * torch.randn(len(x), 3, 3, generator=rng)
    mixed = torch.einsum("nij,njyx->niyx", mixing, density).clamp_min(0)
    amount = torch.exp(0.25 * torch.randn(len(x), 3, 1, 1, generator=rng))
    overall = torch.exp(0.2 * torch.randn(len(x), 1, 1, 1, generator=rng))
    stained = torch.exp(-mixed * amount * overall)
    light = 1 - 0.35 * torch.rand(len(x), 3, 1, 1, generator=rng) ** 2
    yellow = torch.cat([_span(x, *span, rng) for span in _YELLOW], 1)
    light = torch.where(_chosen(x, 0.15, rng), yellow, light)
    return stained * light


_YELLOW = ((0.75, 1.0), (0.65, 0.95), (0.3, 0.8))


def _recoloured(x: Tensor, rng: torch.Generator) -> Tensor:
    """Turn the hue, and change saturation, contrast, brightness and gamma."""
    grey = x.mean(1, keepdim=True)
    saturation = _span(x, 0.4, 1.6, rng)
    saturation = torch.where(_chosen(x, 0.05, rng), torch.zeros(()), saturation)
    chroma = torch.einsum("nij,njyx->niyx", _hue_turns(len(x), rng), x - grey)
    x = grey + saturation * chroma
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + _span(x, 0.6, 1.4, rng) * (x - middle)
    x = (x + 0.08 * torch.randn(len(x), 1, 1, 1, generator=rng)).clamp(_TINY, 1)
    return x ** torch.exp(0.2 * torch.randn(len(x), 1, 1, 1, generator=rng))


def _hue_turns(n: int, rng: torch.Generator) -> Tensor:
    """Return rotations about the grey axis, by Rodrigues' formula."""
    angle = (0.3 * torch.randn(n, generator=rng)).view(-1, 1, 1)
    k = 1 / math.sqrt(3)
    cross = torch.tensor([[0, -k, k], [k, 0, -k], [-k, k, 0]])
    outer = torch.full((3, 3), 1 / 3)
    turn = torch.cos(angle) * torch.eye(3) + torch.sin(angle) * cross
    return turn + (1 - torch.cos(angle)) * outer


def _framed(x: Tensor, rng: torch.Generator) -> Tensor:
    """Leave some pictures small, with white around, as a crop beyond an edge is."""
    axis = torch.arange(CROP_PIXELS).float()
    low = torch.rand((2, len(x), 1), generator=rng) * 18
    high = CROP_PIXELS - torch.rand((2, len(x), 1), generator=rng) * 18
    rows, columns = (axis >= low) & (axis < high)
    inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(_chosen(x, 0.15, rng) & ~inside, torch.ones(()), x)


def _blurred(x: Tensor, rng: torch.Generator) -> Tensor:
    """Blur some pictures by a Gaussian, and store some with fewer pixels."""
    order = torch.randperm(len(x), generator=rng)
    out = x.clone()
    share = len(x) // 8
    for place, sigma in enumerate((0.6, 1.0, 1.6)):
        rows = order[place * share : (place + 1) * share]
        out[rows] = _gaussian(x[rows], sigma)
    rows = order[3 * share : 4 * share]
    side = int(torch.randint(36, 72, (1,), generator=rng))
    if len(rows):
        small = functional.interpolate(x[rows], (side, side), mode="area")
        shape = (CROP_PIXELS, CROP_PIXELS)
        out[rows] = functional.interpolate(small, shape, mode="bilinear")
    return out


def _gaussian(x: Tensor, sigma: float) -> Tensor:
    reach = math.ceil(2.5 * sigma)
    axis = torch.arange(-reach, reach + 1).float()
    bell = torch.exp(-(axis**2) / (2 * sigma**2))
    kernel = (bell / bell.sum()).expand(3, 1, 1, -1)
    padded = functional.pad(x, (reach,) * 4, mode="reflect")
    rows = functional.conv2d(padded, kernel, groups=3)
    return functional.conv2d(rows, kernel.transpose(2, 3), groups=3)


def _cut_out(x: Tensor, rng: torch.Generator) -> Tensor:
    """Cover a rectangle of some pictures with one colour (DeVries and Taylor 2017)."""
    axis = torch.arange(CROP_PIXELS).float()
    centre = torch.rand((2, len(x), 1), generator=rng) * CROP_PIXELS
    half = 4 + torch.rand((2, len(x), 1), generator=rng) * 10
    rows, columns = (axis - centre).abs() < half
    inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    colour = x[:, :, :1, :1]
    return torch.where(_chosen(x, 0.2, rng) & inside, colour, x)


def _compressed(x: Tensor, rng: torch.Generator) -> Tensor:
    """Pass a quarter of the pictures through JPEG."""
    pictures = (x * 255).round().to(torch.uint8)
    n = len(x) // 4
    rows = torch.randperm(len(x), generator=rng)[:n].tolist()
    levels = torch.randint(25, 95, (n,), generator=rng).tolist()
    for row, level in zip(rows, levels, strict=True):
        pictures[row] = _through_jpeg(pictures[row], level)
    return pictures.float() / 255


def _through_jpeg(picture: Tensor, level: int) -> Tensor:
    buffer = io.BytesIO()
    pixels = picture.permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=level)
    with Image.open(buffer) as stored:
        return torch.from_numpy(np.array(stored)).permute(2, 0, 1)
