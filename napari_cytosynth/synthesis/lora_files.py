"""Adapters as files of their own, in the layout that diffusers reads and writes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.numpy import save

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.files import write_durably
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.synthesis.lora_base import cached

ADAPTED = ("unet.", "text_encoder.")
"""How the names of adapters begin."""

LCM_FILE = "pytorch_lora_weights.safetensors"


def write_adapter(weights: Weights, path: Path) -> None:
    """Write both adapters, and nothing of the cells, to a safetensors file.

    diffusers reads it with ``load_lora_weights``, where alpha equals rank. Learned from
    patients' cells, it is personal data all the same.
    """
    own = {k: v for k, v in weights.tensors.items() if k.startswith(ADAPTED)}
    write_durably(path, save(own))


def find_lcm(name: str) -> tuple[str, str]:
    """Return path and SHA-256 of an LCM-LoRA: a file, or an id in the hub's cache.

    Raises
    ------
    WeightsError
        If it is not on this machine.
    """
    if not name:
        return "", ""
    path = Path(name).expanduser()
    if not path.is_file():
        folder = path if path.is_dir() else cached(name)
        path = folder / LCM_FILE if folder else path
    if not path.is_file():
        raise WeightsError(
            f"The LCM-LoRA '{name}' is not on this machine. Fetch it where there is a "
            "network: hf download latent-consistency/lcm-lora-sdv1-5 --include "
            f"{LCM_FILE} --local-dir lcm; copy it to the worker's machine and name the "
            f"file: lcm=/PATH/lcm/{LCM_FILE}."
        )
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()
