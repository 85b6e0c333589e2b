"""What an embedder may be given."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Crops


def check_crops(crops: Crops) -> None:
    """Raise InputError unless crops are uint8[n, 96, 96, 3]."""
    shape = (CROP_PIXELS, CROP_PIXELS, 3)
    if crops.ndim != 4 or crops.shape[1:] != shape or crops.dtype != np.uint8:
        raise InputError(
            f"Crops of {crops.dtype}{crops.shape} cannot be embedded. Give uint8[n, "
            f"{CROP_PIXELS}, {CROP_PIXELS}, 3] at 0.25 um a pixel, as cut_crops does."
        )
