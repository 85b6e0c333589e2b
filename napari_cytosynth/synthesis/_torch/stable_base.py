"""A Stable Diffusion held in memory: its parts, its adapters, its precision.

Loaded without the safety checker: it was trained on photographs, and blackens stained
tissue without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from diffusers import DDPMScheduler
from torch import Tensor
from torch.nn import functional

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.synthesis._torch.lora_adapters import (
    TARGETS,
    UNREADABLE,
    Adapters,
    quiet,
)
from napari_cytosynth.synthesis._torch.stable_pipeline import StableDiffusionPipeline
from napari_cytosynth.synthesis._torch.threads import one_thread

Network: TypeAlias = Any
"""A network of diffusers or transformers, whose mixins hide their methods' types."""

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
    adapters : Adapters
        Those in place.
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
        self.adapters = Adapters(self.pipeline)
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
        except UNREADABLE as error:
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

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """Compute in full precision for a while; adapters lose nothing by it."""
        own = [p for part in TARGETS for _, p in self.adapters.of(part)]
        kept = [(parameter, parameter.data) for parameter in own]
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
