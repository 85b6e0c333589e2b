"""Cells have no up: pictures may be flipped and turned at will."""

from __future__ import annotations

import torch
from torch import Tensor


def turned(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Flip and rotate each picture ``float[n, channels, y, y]`` at random."""
    choice = torch.randint(8, (len(pictures),), generator=rng)
    out = pictures.clone()
    for k in range(8):
        rows = choice == k
        part = torch.rot90(pictures[rows], k % 4, (2, 3))
        out[rows] = part.flip(3) if k >= 4 else part
    return out
