"""The ``starter`` encoder run in other ways than it ships, to see which is quickest."""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.features._torch.encode import Readout
from napari_cytosynth.features._torch.export_onnx import Whole
from napari_cytosynth.features.checks import read_tensors
from napari_cytosynth.features.starter import StarterEmbedder

PLAIN, FUSED = "plain torch", "torch, fused"

Embed = Callable[[Crops], Vectors]


def runtimes() -> dict[str, Embed]:
    """Return the network in torch: as one writes it down, and with folded layers."""
    starter = StarterEmbedder()
    card, folder = starter.card, starter.folder
    arrays = read_tensors(folder / card["file"], card["sha256"], "the starter encoder")
    whole = Whole(folder).eval()

    def plain(crops: Crops) -> Vectors:
        with torch.inference_mode():
            vectors: Vectors = whole(torch.from_numpy(crops)).numpy()
        return vectors

    return {PLAIN: plain, FUSED: Readout(arrays, card["size"])}
