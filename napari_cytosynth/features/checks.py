"""What an embedder may be given, and which weights it may use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import InputError, WeightsError
from napari_cytosynth.core.protocols import Crops


def check_crops(crops: Crops) -> None:
    """Raise InputError unless crops are uint8[n, 96, 96, 3]."""
    shape = (CROP_PIXELS, CROP_PIXELS, 3)
    if crops.ndim != 4 or crops.shape[1:] != shape or crops.dtype != np.uint8:
        raise InputError(
            f"Crops of {crops.dtype}{crops.shape} cannot be embedded. Give uint8[n, "
            f"{CROP_PIXELS}, {CROP_PIXELS}, 3] at 0.25 um a pixel, as cut_crops does."
        )


def read_card(path: Path, what: str) -> Mapping[str, Any]:
    """Return the card of weights that ship with the package.

    Parameters
    ----------
    path : Path
        A JSON object.
    what : str
        Whose card it is, such as ``"the starter encoder"``.

    Raises
    ------
    WeightsError
        If it is missing or damaged.
    """
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The card of {what}, {path.name}, cannot be read ({error}). It ships with "
            "the package; install napari-cytosynth again."
        ) from error
    return card


def read_tensors(path: Path, wanted: str, what: str) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a safetensors file, if they are the right ones.

    Parameters and errors are those of :func:`read_checked`.
    """
    from safetensors.numpy import load

    arrays: dict[str, npt.NDArray[Any]] = load(read_checked(path, wanted, what))
    return arrays


def read_checked(path: Path, wanted: str, what: str) -> bytes:
    """Return the bytes of a file that ships with the package, if it is the right one.

    Parameters
    ----------
    path : Path
        The file.
    wanted : str
        SHA-256 of its bytes, hexadecimal.
    what : str
        Whose weights they are.

    Raises
    ------
    WeightsError
        If the file is missing, or another one than the hash says.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The weights of {what}, {path.name}, cannot be read ({error}). They ship "
            "with the package; install napari-cytosynth again."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise WeightsError(
            f"The weights of {what}, {path.name}, have SHA-256 {found[:12]}..., not "
            f"{wanted[:12]}... as their card says. The file is damaged or was "
            "exchanged, and is not used; install napari-cytosynth again."
        )
    return data
