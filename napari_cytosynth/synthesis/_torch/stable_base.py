"""A Stable Diffusion held in memory: its parts, its adapters, its precision.

Loaded without the safety checker: it was trained on photographs, and blackens stained
tissue without a word.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from diffusers import DDPMScheduler
from diffusers.pipelines.stable_diffusion import StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional
from transformers.utils import logging as transformers_logging

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.synthesis._torch.threads import one_thread

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

Network: TypeAlias = Any
"""A network of diffusers or transformers, whose mixins hide their methods' types."""

CELLS = "cells"
"""Name of the adapters that learn cells."""

LCM = "lcm"
"""Name of the adapter that makes few steps do."""

TARGETS = {
    "unet": ["to_q", "to_k", "to_v", "to_out.0"],
    "text_encoder": ["q_proj", "k_proj", "v_proj", "out_proj"],
}
"""Layers that are adapted, of each part."""

_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, SafetensorError)
_SMALL_PARAMETERS = 10_000_000


def pick_device() -> torch.device:
    """Return the device to work on: a GPU where there is one."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_precision(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the device computes in it, else float32.

    Never float16: the range of Stable Diffusion's activations exceeds it.
    """
    able = device.type == "cuda" and torch.cuda.is_bf16_supported(
        including_emulation=False
    )
    return torch.bfloat16 if able else torch.float32


class StableBase:
    """The parts of a base, on a device.

    Parameters
    ----------
    pipeline : StableDiffusionPipeline
        In float32.
    device : torch.device
        Where it works.
    precision : torch.dtype
        In which it works; adapters stay in float32.

    Attributes
    ----------
    unet, vae, text_encoder : nn.Module
        The networks, of diffusers and transformers.
    tokenizer : CLIPTokenizer
        Counts and cuts prompts.
    training_scheduler : DDPMScheduler
        The noise that the base was trained with.
    """

    def __init__(
        self,
        pipeline: StableDiffusionPipeline,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        pipeline.set_progress_bar_config(disable=True)
        self.pipeline, self.device = pipeline.to(device), device
        self._work_in(precision)
        self.training_scheduler: Any = DDPMScheduler.from_config(
            pipeline.scheduler.config
        )
        self._rank = (0, 0)
        for part in (self.unet, self.vae, self.text_encoder):
            part.requires_grad_(requires_grad=False)
            part.eval()

    @classmethod
    def load(
        cls,
        folder: Path,
        device: torch.device | None = None,
        precision: torch.dtype | None = None,
    ) -> StableBase:
        """Load a base from its folder, from safetensors only.

        Raises
        ------
        WeightsError
            If a file is missing or damaged.
        """
        device = device or pick_device()
        try:
            with quiet():
                pipeline = StableDiffusionPipeline.from_pretrained(
                    folder,
                    use_safetensors=True,
                    safety_checker=None,
                    feature_extractor=None,
                    requires_safety_checker=False,
                    local_files_only=True,
                )
        except _UNREADABLE as error:
            raise WeightsError(
                f"The base in '{folder}' cannot be loaded ({error}). Fetch it again; "
                "it must be a Stable Diffusion 1 or 2 in the layout of diffusers."
            ) from error
        return cls(pipeline, device, precision or pick_precision(device))

    @property
    def unet(self) -> Network:
        """The denoiser."""
        return self.pipeline.unet

    @property
    def vae(self) -> Network:
        """The autoencoder."""
        return self.pipeline.vae

    @property
    def text_encoder(self) -> Network:
        """Reads prompts."""
        return self.pipeline.text_encoder

    @property
    def tokenizer(self) -> Any:
        """Cuts prompts into tokens."""
        return self.pipeline.tokenizer

    @property
    def pixels(self) -> int:
        """Side of its pictures."""
        return int(self.unet.config.sample_size * self.pipeline.vae_scale_factor)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Shape of the latent of one picture."""
        side = int(self.unet.config.sample_size)
        return int(self.unet.config.in_channels), side, side

    def threads(self) -> AbstractContextManager[None]:
        """Return the context to compute in: tiny networks are faster on one thread."""
        small = sum(p.numel() for p in self.unet.parameters()) < _SMALL_PARAMETERS
        return one_thread() if small and self.device.type == "cpu" else nullcontext()

    def count_tokens(self, prompt: str) -> int:
        """Return the tokens of a prompt, start and end included, none cut off."""
        return len(self.tokenizer(prompt, truncation=False, verbose=False).input_ids)

    def tokens(self, prompts: Sequence[str]) -> Tensor:
        """Return int64[n, 77]."""
        cut = self.tokenizer(
            list(prompts),
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        ids: Tensor = cut.input_ids.to(self.device)
        return ids

    def read(self, tokens: Tensor) -> Tensor:
        """Return what the text encoder makes of tokens: float[n, 77, width]."""
        states: Tensor = self.text_encoder(tokens)[0]
        return states.to(self.precision)

    def encode(self, crops: npt.NDArray[np.uint8]) -> Tensor:
        """Return the latents of crops ``uint8[n, y, x, 3]``: float32, on the device."""
        pictures = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device)
        x = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        x = functional.interpolate(
            x, (self.pixels, self.pixels), mode="bicubic", antialias=True
        )
        found = self.vae.encode(x.clamp(-1, 1).to(self.precision)).latent_dist.mode()
        latents: Tensor = found.float() * self.vae.config.scaling_factor
        return latents

    def decode(self, latents: Tensor, side: int) -> Tensor:
        """Return pictures of latents: float32[n, 3, side, side], -1..1, may be NaN."""
        scaled = latents.to(self.precision) / self.vae.config.scaling_factor
        pictures = self.vae.decode(scaled, return_dict=False)[0].float()
        return functional.interpolate(
            pictures.clamp(-1, 1), (side, side), mode="bicubic", antialias=True
        )

    def start_adapters(self, rank: int, alpha: int, seed: int) -> list[list[Tensor]]:
        """Put fresh adapters in place and return their parameters, those of each part.

        They change nothing at first: of each pair of matrices one is zero.
        """
        self._shape_adapters(rank, alpha)
        rng = torch.Generator().manual_seed(seed)
        found: list[list[Tensor]] = []
        for part in TARGETS:
            found.append([])
            for name, parameter in self._adapter_parameters(part):
                fresh = torch.zeros(parameter.shape)
                if ".lora_A." in name:
                    nn.init.kaiming_uniform_(fresh, math.sqrt(5), generator=rng)
                parameter.data = fresh.to(self.device)
                parameter.requires_grad_()
                found[-1].append(parameter)
        return found

    def put_adapters(self, arrays: Arrays, rank: int, alpha: int) -> None:
        """Put learned adapters in place.

        Raises
        ------
        WeightsError
            If they do not fit this base.
        """
        self._shape_adapters(rank, alpha)
        for part in TARGETS:
            own = {
                name.removeprefix(f"{part}."): torch.from_numpy(np.array(array))
                for name, array in arrays.items()
                if name.startswith(f"{part}.")
            }
            module = getattr(self, part)
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
            for _, parameter in self._adapter_parameters(part):
                parameter.requires_grad = False

    def adapter_arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the adapters by the names that diffusers reads them under."""
        arrays = {}
        for part in TARGETS:
            found = get_peft_model_state_dict(getattr(self, part), adapter_name=CELLS)
            for name, tensor in found.items():
                arrays[f"{part}.{name}"] = tensor.detach().float().cpu().numpy().copy()
        return arrays

    def use_lcm(self, path: str) -> None:
        """Set the adapter for few steps beside the cells' own; empty: none."""
        has = LCM in getattr(self.unet, "peft_config", {})
        if has:
            self.unet.delete_adapters(LCM)
        if path:
            self._load_lcm(Path(path))
        self._activate([CELLS, LCM] if path else [CELLS])

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """Compute in full precision for a while; adapters lose nothing by it."""
        kept = [(p, p.data) for part in TARGETS for _, p in self._lora_of(part)]
        before = self.precision
        self._work_in(torch.float32)
        try:
            yield
        finally:
            self._work_in(before)
            for parameter, data in kept:
                parameter.data = data

    def _work_in(self, precision: torch.dtype) -> None:
        self.precision = precision
        with quiet():
            self.pipeline.to(dtype=precision)

    def _shape_adapters(self, rank: int, alpha: int) -> None:
        """Have adapters of this rank in place, and nothing else active."""
        if self._rank == (rank, alpha):
            self._activate([CELLS])
            return
        for part, targets in TARGETS.items():
            module = getattr(self, part)
            if self._rank != (0, 0):
                drop = getattr(module, "delete_adapters", None) or module.delete_adapter
                drop(CELLS)
            config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets)
            module.add_adapter(config, adapter_name=CELLS)
            for _, parameter in self._adapter_parameters(part):
                parameter.data = parameter.data.float()
        self._rank = (rank, alpha)

    def _activate(self, names: list[str]) -> None:
        self.unet.set_adapter(names)
        for _, parameter in self._lora_of("unet"):
            parameter.requires_grad = False

    def _load_lcm(self, path: Path) -> None:
        where = (path.parent, path.name) if path.is_file() else (path, None)
        try:
            with quiet(), warnings.catch_warnings():
                # Two adapters side by side are what is meant here.
                warnings.filterwarnings("ignore", "Already found a `peft_config`")
                self.pipeline.load_lora_weights(
                    str(where[0]),
                    weight_name=where[1],
                    adapter_name=LCM,
                    local_files_only=True,
                    use_safetensors=True,
                )
        except _UNREADABLE as error:
            raise WeightsError(
                f"The LCM-LoRA '{path}' cannot be used ({error}). Name a safetensors "
                "file made for this base, such as pytorch_lora_weights.safetensors of "
                "latent-consistency/lcm-lora-sdv1-5 for Stable Diffusion 1.5."
            ) from error

    def _adapter_parameters(self, part: str) -> list[tuple[str, nn.Parameter]]:
        ending = f".{CELLS}.weight"
        return [(n, p) for n, p in self._lora_of(part) if n.endswith(ending)]

    def _lora_of(self, part: str) -> list[tuple[str, nn.Parameter]]:
        named = getattr(self, part).named_parameters()
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
