r"""Write the ``starter`` encoder as a graph for ONNX Runtime, without its weights.

    python -m napari_cytosynth.features._torch.export_onnx --folder DIR

Needs ``onnxscript``, of the extra ``bench``. ``starter.onnx`` holds the operations
only; its weights are those of ``starter.safetensors``, put in when it is loaded. The
card ``starter.json`` of the folder gets the graph's name and SHA-256.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.features._torch.encoder import CellEncoder, EncoderSize
from napari_cytosynth.features.starter import FOLDER
from napari_cytosynth.features.starter_onnx import WEIGHTS, weights_of

_EXTERNAL = 1
"""``TensorProto.EXTERNAL``: the values are not in the file."""


class Whole(nn.Module):
    """Encoder and readout in one, from pixels as they come.

    Parameters
    ----------
    folder : Path
        Holds ``starter.json`` and the weights that it names.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        card = json.loads((folder / "starter.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / card["file"])
        self.encoder = CellEncoder(EncoderSize.from_json(card["size"]))
        own = {k: v.float() for k, v in tensors.items() if k.startswith("encoder.")}
        self.register_buffer("mean", tensors["readout.mean"].float())
        self.register_buffer("spread", tensors["readout.spread"].float())
        self.load_state_dict({**own, "mean": self.mean, "spread": self.spread})

    def forward(self, crops: Tensor) -> Tensor:
        """Map uint8[n, 96, 96, 3] to float32[n, dim]."""
        pixels = crops.permute(0, 3, 1, 2).float() / 255
        vectors: Tensor = (self.encoder(pixels) - self.mean) / self.spread
        return vectors


def export(folder: Path) -> None:
    """Write ``starter.onnx`` into a folder of weights, and name it in their card."""
    model = _graph(Whole(folder).eval())
    card_path = folder / "starter.json"
    card = json.loads(card_path.read_text(encoding="utf-8"))
    arrays = {k: v.numpy() for k, v in load_file(folder / card["file"]).items()}
    known = weights_of(arrays)
    for tensor in model.graph.initializer:
        if tensor.name in known:
            _emptied(tensor)
    _bare(model)
    data = model.SerializeToString()
    path = folder / "starter.onnx"
    path.write_bytes(data)
    card["onnx"] = {"file": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    card_path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _graph(whole: nn.Module) -> Any:
    sample = torch.zeros((2, CROP_PIXELS, CROP_PIXELS, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # The exporter warns about its own parts.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            whole,
            (sample,),
            dynamo=True,
            dynamic_shapes={"crops": {0: torch.export.Dim("n")}},
            input_names=["crops"],
            output_names=["vectors"],
            verbose=False,
        )
    return cast("torch.onnx.ONNXProgram", program).model_proto


def _emptied(tensor: Any) -> None:
    """Take the values out of a tensor; its name, type and shape stay."""
    tensor.ClearField("raw_data")
    tensor.data_location = _EXTERNAL
    for key, value in (("location", WEIGHTS), ("offset", "0"), ("length", "0")):
        tensor.external_data.add(key=key, value=value)


def _bare(model: Any) -> None:
    """Drop what the exporter notes of the source, paths of this machine among it."""
    graph = model.graph
    parts = (model, graph, *graph.node, *graph.initializer, *graph.value_info)
    for part in (*parts, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    export(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main()
