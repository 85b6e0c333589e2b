"""What an embedder may be given, and which weights it may use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.core.shipped import read_checked


def check_crops(crops: Crops) -> None:
    """Raise InputError unless crops are uint8[n, 96, 96, 3]."""
    shape = (CROP_PIXELS, CROP_PIXELS, 3)
    if crops.ndim != 4 or crops.shape[1:] != shape or crops.dtype != np.uint8:
        raise InputError(
            f"Crops of {crops.dtype}{crops.shape} cannot be embedded. Give uint8[n, "
            f"{CROP_PIXELS}, {CROP_PIXELS}, 3] at 0.25 um a pixel, as cut_crops does."
        )


def read_tensors(path: Path, wanted: str, what: str) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a safetensors file, if they are the right ones.

    Parameters and errors are those of
    :func:`~napari_cytosynth.core.shipped.read_checked`.
    """
    from safetensors.numpy import load

    arrays: dict[str, npt.NDArray[Any]] = load(read_checked(path, wanted, what))
    return arrays
