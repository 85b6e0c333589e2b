"""Which device torch will use."""

from __future__ import annotations

import torch


def describe_device() -> str:
    """Return ``"cpu"``, ``"mps"`` or ``"cuda:0 (name)"``."""
    if torch.cuda.is_available():
        return f"cuda:0 ({torch.cuda.get_device_name(0)})"
    return "mps" if torch.backends.mps.is_available() else "cpu"
