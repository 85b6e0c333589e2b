"""Adapters of low rank on a Stable Diffusion: the cells' own, and one for few steps."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from diffusers.utils import logging as diffusers_logging
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from napari_cytosynth.core.errors import WeightsError

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

CELLS = "cells"
"""Name of the adapters that learn cells."""

LCM = "lcm"
"""Name of the adapter that makes few steps do."""

TARGETS = {
    "unet": ["to_q", "to_k", "to_v", "to_out.0"],
    "text_encoder": ["q_proj", "k_proj", "v_proj", "out_proj"],
}
"""Layers that are adapted, of each part."""

UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, SafetensorError)
"""What the libraries raise at a file that they cannot use."""


class Adapters:
    """The adapters of a pipeline's U-Net and text encoder, always in float32.

    Parameters
    ----------
    pipeline : StableDiffusionPipeline
        On its device.
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._rank = (0, 0)

    def start(self, rank: int, alpha: int, seed: int) -> list[list[Tensor]]:
        """Put fresh adapters in place and return their parameters, those of each part.

        They change nothing at first: of each pair of matrices one is zero.
        """
        self._shape(rank, alpha)
        rng = torch.Generator().manual_seed(seed)
        found: list[list[Tensor]] = []
        for part in TARGETS:
            found.append([])
            for name, parameter in self._own(part):
                fresh = torch.zeros(parameter.shape)
                if ".lora_A." in name:
                    nn.init.kaiming_uniform_(fresh, math.sqrt(5), generator=rng)
                parameter.data = fresh.to(self._pipeline.device)
                parameter.requires_grad_()
                found[-1].append(parameter)
        return found

    def put(self, arrays: Arrays, rank: int, alpha: int) -> None:
        """Put learned adapters in place.

        Raises
        ------
        WeightsError
            If they do not fit this base.
        """
        self._shape(rank, alpha)
        for part in TARGETS:
            own = {
                name.removeprefix(f"{part}."): torch.from_numpy(np.array(array))
                for name, array in arrays.items()
                if name.startswith(f"{part}.")
            }
            module = getattr(self._pipeline, part)
            wanted = get_peft_model_state_dict(module, adapter_name=CELLS)
            if {k: v.shape for k, v in own.items()} != {
                k: v.shape for k, v in wanted.items()
            }:
                raise WeightsError(
                    f"The adapter of the {part} does not fit this base: it has "
                    f"{len(own)} tensors, {len(wanted)} of certain shapes are needed. "
                    "It was trained on another base or with another rank; fit again."
                )
            set_peft_model_state_dict(module, own, adapter_name=CELLS)
            for _, parameter in self._own(part):
                parameter.requires_grad = False

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the adapters by the names that diffusers reads them under."""
        arrays = {}
        for part in TARGETS:
            found = get_peft_model_state_dict(
                getattr(self._pipeline, part), adapter_name=CELLS
            )
            for name, tensor in found.items():
                arrays[f"{part}.{name}"] = tensor.detach().float().cpu().numpy().copy()
        return arrays

    def use_lcm(self, path: str) -> None:
        """Set the adapter for few steps beside the cells' own; empty: none."""
        has = LCM in getattr(self._pipeline.unet, "peft_config", {})
        if has:
            self._pipeline.unet.delete_adapters(LCM)
        if path:
            self._load_lcm(Path(path))
        self._activate([CELLS, LCM] if path else [CELLS])

    def _shape(self, rank: int, alpha: int) -> None:
        """Have adapters of this rank in place, and nothing else active."""
        if self._rank == (rank, alpha):
            self._activate([CELLS])
            return
        for part, targets in TARGETS.items():
            module = getattr(self._pipeline, part)
            if self._rank != (0, 0):
                drop = getattr(module, "delete_adapters", None) or module.delete_adapter
                drop(CELLS)
            config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets)
            module.add_adapter(config, adapter_name=CELLS)
            for _, parameter in self._own(part):
                parameter.data = parameter.data.float()
        self._rank = (rank, alpha)

    def _activate(self, names: list[str]) -> None:
        self._pipeline.unet.set_adapter(names)
        for _, parameter in self.of("unet"):
            parameter.requires_grad = False

    def _load_lcm(self, path: Path) -> None:
        where = (path.parent, path.name) if path.is_file() else (path, None)
        try:
            with quiet(), warnings.catch_warnings():
                # Two adapters side by side are what is meant here.
                warnings.filterwarnings("ignore", "Already found a `peft_config`")
                self._pipeline.load_lora_weights(
                    str(where[0]),
                    weight_name=where[1],
                    adapter_name=LCM,
                    local_files_only=True,
                    use_safetensors=True,
                )
        except UNREADABLE as error:
            raise WeightsError(
                f"The LCM-LoRA '{path}' cannot be used ({error}). Name a safetensors "
                "file made for this base, such as pytorch_lora_weights.safetensors of "
                "latent-consistency/lcm-lora-sdv1-5 for Stable Diffusion 1.5."
            ) from error

    def _own(self, part: str) -> list[tuple[str, nn.Parameter]]:
        ending = f".{CELLS}.weight"
        return [(n, p) for n, p in self.of(part) if n.endswith(ending)]

    def of(self, part: str) -> list[tuple[str, nn.Parameter]]:
        """Return the parameters of all adapters of a part, by name."""
        named = getattr(self._pipeline, part).named_parameters()
        return [(n, p) for n, p in named if ".lora_" in n]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars and chatter of the libraries off the worker's output."""
    libraries = (diffusers_logging, transformers_logging)
    levels = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.disable_progress_bar()
        library.set_verbosity_error()
    try:
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.enable_progress_bar()
            library.set_verbosity(level)
