"""DINOv2's network by transformers: load weights into it, and run crops through."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn.functional import interpolate

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.features._torch.dinov2_keys import (
    INPUT,
    PATCH,
    Checkpoint,
    read_checkpoint,
)
from napari_cytosynth.features.dinobloom import PREPARATION
from napari_cytosynth.features.dinobloom_files import is_safetensors


class Backbone:
    """A loaded network on its device.

    Parameters
    ----------
    model : Dinov2Model
        In evaluation mode.
    dim : int
        Length of its vectors.
    device : torch.device
        Where it runs: half precision on CUDA, single elsewhere.
    """

    def __init__(self, model: Any, dim: int, device: torch.device) -> None:
        self.dim = dim
        self._device = device
        self._half = device.type == "cuda"
        self._model = model.to(device, torch.float16 if self._half else torch.float32)

    @torch.inference_mode()
    def vectors(self, crops: Crops) -> Vectors:
        """Return float32[n, dim] for uint8[n, y, x, 3], in one batch."""
        pictures = prepared(torch.from_numpy(np.array(crops)).to(self._device))
        found = self._run(pictures)
        if self._half and not bool(torch.isfinite(found).all()):
            # Half precision ends at 65504; a checkpoint that passes it runs in single.
            self._half, self._model = False, self._model.float()
            found = self._run(pictures)
        vectors: Vectors = found.cpu().numpy()
        return vectors

    def _run(self, pictures: torch.Tensor) -> torch.Tensor:
        given = pictures.half() if self._half else pictures
        answer = self._model(pixel_values=given)
        token: torch.Tensor = answer.last_hidden_state[:, 0].float()
        return token


def prepared(crops: torch.Tensor) -> torch.Tensor:
    """Resize uint8[n, y, x, 3] to 224 pixels and normalise: float32[n, 3, 224, 224]."""
    pictures = crops.permute(0, 3, 1, 2).float() / 255
    pictures = interpolate(pictures, size=(INPUT, INPUT), mode="bilinear")
    mean = torch.tensor(PREPARATION["mean"], device=crops.device).view(1, 3, 1, 1)
    std = torch.tensor(PREPARATION["std"], device=crops.device).view(1, 3, 1, 1)
    return (pictures - mean) / std


def load_backbone(stream: BinaryIO, path: Path) -> Backbone:
    """Build the network of an opened weight file, whose hash was looked at before.

    Parameters
    ----------
    stream : binary file
        At its start. A pickle is read from this very handle, so that no other file can
        take its place after the check.
    path : Path
        Its path.

    Raises
    ------
    WeightsError
        If the file is damaged, or no DINOv2 ViT/14 without registers.
    """
    checkpoint = read_checkpoint(_opened(stream, path), path.name)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Backbone(_network(checkpoint, path.name), checkpoint.dim, device)


def _opened(stream: BinaryIO, path: Path) -> object:
    damaged = (
        f"'{path.name}' cannot be read as model weights. It is damaged or of another "
        "kind; fetch it again."
    )
    try:
        if is_safetensors(stream):
            return load_file(path)
        return torch.load(stream, map_location="cpu", weights_only=True)
    except (
        SafetensorError,
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        EOFError,
        LookupError,
    ) as error:
        raise WeightsError(damaged) from error


def _network(checkpoint: Checkpoint, name: str) -> Any:
    # Untyped: what from_pretrained returns depends on its arguments.
    transformers: Any = import_module("transformers")

    config = transformers.Dinov2Config(
        hidden_size=checkpoint.dim,
        num_hidden_layers=checkpoint.layers,
        num_attention_heads=checkpoint.heads,
        mlp_ratio=checkpoint.mlp_ratio,
        use_swiglu_ffn=checkpoint.swiglu,
        image_size=INPUT,
        patch_size=PATCH,
        use_mask_token=False,
    )
    with _quiet():
        try:
            model, told = transformers.Dinov2Model.from_pretrained(
                None,
                config=config,
                state_dict=dict(checkpoint.tensors),
                output_loading_info=True,
            )
        except RuntimeError as error:
            raise WeightsError(_unfit(name, str(error))) from error
    left = {kind: found for kind, found in told.items() if found}
    if left:
        raise WeightsError(_unfit(name, str(left)))
    return model.eval()


def _unfit(name: str, problem: str) -> str:
    return (
        f"The tensors of '{name}' do not fit a DINOv2 ViT/14: {problem}. Nothing is "
        "guessed; give the original checkpoint."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' own bars and reports off the terminal; errors tell instead."""
    logging: Any = import_module("transformers.utils.logging")

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
