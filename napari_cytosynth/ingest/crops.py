"""Cuts cells out of a smear, all at the same physical scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM, WIDE_CELL_UM
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.core.smear import SmearImage

_REACH = 3.0  # source pixels beyond the crop that bicubic antialiasing looks at


def cut_crops(
    image: SmearImage, boxes: npt.ArrayLike, mpp: float, *, um: float = CROP_UM
) -> Crops:
    """Cut a square around the centre of each box.

    Parameters
    ----------
    image : SmearImage
        An open smear.
    boxes : float32[n, 4]
        Boxes x, y, width, height; level-0 pixels, corner-based.
    mpp : float
        Micrometres a level-0 pixel, > 0.
    um : float
        Side of the square in micrometres; twice the usual shows a wide cell whole.

    Returns
    -------
    uint8[n, 96, 96, 3]
        RGB, white where the square leaves the picture. Resampled, with antialiasing,
        from the coarsest pyramid level that is still finer than the crop.

    Raises
    ------
    InputError
        If ``mpp`` is not above 0, or the picture is damaged.
    """
    if not mpp > 0:
        raise InputError(
            f"A pixel cannot be {mpp} micrometres wide. Give a pixel size above 0; "
            "most smears are scanned at 0.1 to 0.5."
        )
    wanted = np.asarray(boxes, np.float64).reshape(-1, 4)
    side = um / mpp
    level = _level_for(image, side / CROP_PIXELS)
    crops = np.empty((len(wanted), CROP_PIXELS, CROP_PIXELS, 3), np.uint8)
    for i, (x, y, width, height) in enumerate(wanted):
        centre = (x + width / 2, y + height / 2)
        crops[i] = _cut(image, centre, side, level)
    return crops


def is_wide(boxes: npt.ArrayLike, mpp: float) -> npt.NDArray[np.bool_]:
    """Tell which cells are too wide for the usual crop and need one of 48 um.

    Parameters
    ----------
    boxes : float32[n, 4]
        Boxes x, y, width, height; level-0 pixels.
    mpp : float
        Micrometres a level-0 pixel.

    Returns
    -------
    bool[n]
    """
    sides = np.asarray(boxes, np.float64).reshape(-1, 4)[:, 2:]
    wide: npt.NDArray[np.bool_] = sides.max(axis=1, initial=0) * mpp > WIDE_CELL_UM
    return wide


def _level_for(image: SmearImage, factor: float) -> int:
    """Return the coarsest level of no fewer pixels than the crop has."""
    finer = [i for i, d in enumerate(image.downsamples) if d <= factor * 1.001]
    return max(finer, default=0)


def _cut(
    image: SmearImage, centre: tuple[float, float], side: float, level: int
) -> npt.NDArray[np.uint8]:
    scale = image.downsamples[level]
    half = side / 2 / scale
    margin = _REACH * max(side / scale / CROP_PIXELS, 1.0)
    x, y = (c / scale for c in centre)
    left, top = (int(np.floor(c - half - margin)) for c in (x, y))
    right, bottom = (int(np.ceil(c + half + margin)) for c in (x, y))
    block = image.read(left, top, right - left, bottom - top, level)
    window = (x - half - left, y - half - top, x + half - left, y + half - top)
    resized = Image.fromarray(block).resize(
        (CROP_PIXELS, CROP_PIXELS), Image.Resampling.BICUBIC, box=window
    )
    return np.asarray(resized)
