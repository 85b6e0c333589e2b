"""The ``starter`` embedder: a small network whose weights ship with the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.core.shipped import read_card, read_checked
from napari_cytosynth.features.checks import check_crops, read_tensors
from napari_cytosynth.features.starter_onnx import OnnxReadout, onnx_is_here

FOLDER = Path(__file__).parent / "weights"
"""Where the shipped weights lie: ``starter.json`` names the file and its SHA-256."""

_VERSION = 1
_WHAT = "the starter encoder"
_BATCH = 64


class StarterEmbedder:
    """Embeds cells with a residual network of 2.8 M parameters.

    It was trained on healthy blood under strong changes of stain, blur, scale and
    compression, so that its vectors change little under them. A crop's vector does not
    depend on the batch it comes in, up to rounding. Loading it reads only its card; the
    weights are loaded when it first embeds, and run by ONNX Runtime, or by torch where
    that is not installed: the same numbers, up to rounding.

    Parameters
    ----------
    folder : Path
        Where ``starter.json`` and the weights lie; those that ship by default.

    Attributes
    ----------
    key : str
        Fingerprint: name, version of the arithmetic and SHA-256 of the weights.
    dim : int
        Length of a vector.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """What ``starter.json`` says of them; WeightsError where it cannot be read."""
        return read_card(self.folder / "starter.json", _WHAT)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.card["dim"])

    @property
    def key(self) -> str:
        """Fingerprint under which embeddings are stored."""
        return f"starter-{_VERSION}-{self.card['sha256'][:12]}"

    def embed(self, crops: Crops) -> Vectors:
        """Embed crops.

        Parameters
        ----------
        crops : uint8[n, 96, 96, 3]
            RGB, 0.25 um a pixel.

        Returns
        -------
        float32[n, dim]
            Finite; each column has mean 0 and spread 1 over the training cells.

        Raises
        ------
        InputError
            If the crops have another shape or type.
        WeightsError
            If the weights are missing, damaged, or not the ones that the card names.
        """
        check_crops(crops)
        out = np.empty((len(crops), self.dim), np.float32)
        for start in range(0, len(crops), _BATCH):
            part = crops[start : start + _BATCH]
            out[start : start + len(part)] = self._net(part)
        return out

    @cached_property
    def _net(self) -> Callable[[Crops], Vectors]:
        card = self.card
        arrays = read_tensors(self.folder / card["file"], card["sha256"], _WHAT)
        if "onnx" in card and onnx_is_here():
            graph = card["onnx"]
            path = self.folder / graph["file"]
            return OnnxReadout(read_checked(path, graph["sha256"], _WHAT), arrays)
        from napari_cytosynth.features._torch.encode import Readout

        return Readout(arrays, card["size"])
