"""The ``starter`` encoder run in other ways than it ships, to see which is quickest."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.features._torch.encoder import CellEncoder, EncoderSize
from napari_cytosynth.features.starter import StarterEmbedder

PLAIN, ONNX = "plain torch", "ONNX Runtime"

_BATCH = 64

Embed = Callable[[Crops], Vectors]


class _Whole(nn.Module):
    """Encoder and readout in one, as one writes them down."""

    def __init__(self, starter: StarterEmbedder) -> None:
        super().__init__()
        tensors = load_file(starter.folder / starter.card["file"])
        self.net = CellEncoder(EncoderSize.from_json(starter.card["size"]))
        own = {
            key.removeprefix("encoder."): value.float()
            for key, value in tensors.items()
            if key.startswith("encoder.")
        }
        self.net.load_state_dict(own)
        self.mean = tensors["readout.mean"].float()
        self.spread = tensors["readout.spread"].float()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map float[n, 3, 96, 96] within 0..255 to float[n, dim]."""
        vectors: torch.Tensor = (self.net(pixels / 255) - self.mean) / self.spread
        return vectors


def runtimes() -> dict[str, Embed]:
    """Return other ways to embed; ONNX Runtime only where it is installed."""
    whole = _Whole(StarterEmbedder()).eval()
    found = {PLAIN: _batched(_torch(whole))}
    if find_spec("onnxruntime") and find_spec("onnxscript"):
        found[ONNX] = _batched(_onnx(whole))
    return found


def _torch(whole: nn.Module) -> Embed:
    def embed(pixels: Crops) -> Vectors:
        with torch.inference_mode():
            vectors: Vectors = whole(torch.from_numpy(pixels)).numpy()
        return vectors

    return embed


def _onnx(whole: nn.Module) -> Embed:
    import onnxruntime

    with warnings.catch_warnings():
        # The exporter warns about its own parts.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            whole,
            (torch.zeros(2, 3, 96, 96),),
            dynamo=True,
            dynamic_shapes={"pixels": {0: torch.export.Dim("n")}},
            verbose=False,
        )
    graph = cast("torch.onnx.ONNXProgram", program).model_proto
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def embed(pixels: Crops) -> Vectors:
        vectors: Vectors = session.run(None, {name: pixels})[0]
        return vectors

    return embed


def _batched(embed: Embed) -> Embed:
    def whole(crops: Crops) -> Vectors:
        parts = [crops[i : i + _BATCH] for i in range(0, len(crops), _BATCH)]
        planes = [np.moveaxis(part, -1, 1).astype(np.float32) for part in parts]
        return np.concatenate([embed(np.ascontiguousarray(part)) for part in planes])

    return whole
