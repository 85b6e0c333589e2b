"""The ``starter`` embedder: a small network whose weights ship with the package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.features.checks import check_crops

if TYPE_CHECKING:
    from napari_cytosynth.features._torch.encode import Readout

FOLDER = Path(__file__).parent / "weights"
"""Where the shipped weights lie: ``starter.json`` names the file and its SHA-256."""

_VERSION = 1
_BATCH = 64


class StarterEmbedder:
    """Embeds cells with a residual network of 2.8 M parameters.

    It was trained on healthy blood under strong changes of stain, blur, scale and
    compression, so that its vectors change little under them. A crop's vector does not
    depend on the batch it comes in, up to rounding. Loading it reads only its card;
    torch and the weights are loaded when it first embeds.

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
        """What is known of the weights: ``starter.json``.

        Raises
        ------
        WeightsError
            If it is missing or damaged.
        """
        path = self.folder / "starter.json"
        try:
            card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WeightsError(
                f"The card of the starter encoder, {path.name}, cannot be read "
                f"({error}). It ships with the package; install napari-cytosynth again."
            ) from error
        return card

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
    def _net(self) -> Readout:
        from napari_cytosynth.features._torch.encode import Readout

        arrays = _checked(self.folder / self.card["file"], self.card["sha256"])
        return Readout(arrays, self.card["size"])


def _checked(path: Path, wanted: str) -> dict[str, npt.NDArray[Any]]:
    from safetensors.numpy import load

    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The weights of the starter encoder, {path.name}, cannot be read "
            f"({error}). They ship with the package; install napari-cytosynth again."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise WeightsError(
            f"The weights of the starter encoder, {path.name}, have SHA-256 "
            f"{found[:12]}..., not {wanted[:12]}... as their card says. The file is "
            "damaged or was exchanged, and is not used; install napari-cytosynth again."
        )
    arrays: dict[str, npt.NDArray[Any]] = load(data)
    return arrays
