"""Writes painted smears as OME-Zarr 0.5, tile by tile."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from napari_cytosynth.testing.painter.spec import FieldSpec, PaintedCell, PaintedField

CHUNK = 256


@dataclass(frozen=True, slots=True)
class Writing:
    """How a picture is stored.

    Parameters
    ----------
    levels : int
        Levels of the pyramid, each half the size of the one before.
    shard : int
        Side of a shard in pixels, a multiple of 256; one file each.
    step : int
        Grey levels are rounded to multiples of this, which keeps the file small.
    zstd : int
        Effort of compression, 1..22.
    """

    levels: int = 4
    shard: int = 2048
    step: int = 1
    zstd: int = 5


def write_omezarr(
    path: Path, spec: FieldSpec, tiles: Iterable[PaintedField], how: Writing
) -> tuple[PaintedCell, ...]:
    """Write tiles as they come, then the coarser levels from the finer ones.

    Parameters
    ----------
    path : Path
        Folder to write; an older one is replaced.
    spec : FieldSpec
        Size and scale of the whole smear.
    tiles : iterable of PaintedField
        Best of the size of a shard, which is else written again and again.
    how : Writing
        Levels, shards, compression.

    Returns
    -------
    tuple of PaintedCell
        The truth of all tiles.
    """
    if path.exists():
        shutil.rmtree(path)
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.attrs["ome"] = _metadata(spec.mpp, how.levels)
    finest = _level(group, 0, (spec.height, spec.width), how)
    cells: list[PaintedCell] = []
    for tile in tiles:
        x, y = tile.origin
        height, width = tile.pixels.shape[:2]
        planes = np.moveaxis(_rounded(tile.pixels, how.step), 2, 0)
        finest[:, y : y + height, x : x + width] = planes
        cells.extend(tile.cells)
    finer = finest
    for number in range(1, how.levels):
        size = finer.shape[1] // 2, finer.shape[2] // 2
        coarser = _level(group, number, size, how)
        _halve(finer, coarser, how)
        finer = coarser
    return tuple(cells)


def _level(
    group: zarr.Group, number: int, size: tuple[int, int], how: Writing
) -> zarr.Array[Any]:
    whole = (-(-n // CHUNK) * CHUNK for n in size)
    return group.create_array(
        str(number),
        shape=(3, *size),
        dtype=np.uint8,
        chunks=(3, CHUNK, CHUNK),
        shards=(3, *(min(n, how.shard) for n in whole)),
        compressors=ZstdCodec(level=how.zstd),
        dimension_names=("c", "y", "x"),
        fill_value=255,
    )


def _rounded(pixels: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    if step == 1:
        return pixels
    steps = np.rint(pixels.astype(np.float32) / step) * step
    return np.asarray(np.clip(steps, 0, 255), dtype=np.uint8)


def _halve(finer: zarr.Array[Any], coarser: zarr.Array[Any], how: Writing) -> None:
    """Average 2 x 2 pixels, shard by shard: corners stay where they are."""
    for y in range(0, coarser.shape[1], how.shard):
        for x in range(0, coarser.shape[2], how.shard):
            bottom = min(y + how.shard, coarser.shape[1])
            right = min(x + how.shard, coarser.shape[2])
            block = np.asarray(finer[:, 2 * y : 2 * bottom, 2 * x : 2 * right])
            quads = block.reshape(3, bottom - y, 2, right - x, 2)
            mean = np.rint(quads.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)
            coarser[:, y:bottom, x:right] = _rounded(mean, how.step)


def _metadata(mpp: float, levels: int) -> dict[str, Any]:
    space = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    multiscale = {
        "name": "marrow",
        "axes": [{"name": "c", "type": "channel"}, *space],
        "datasets": [_dataset(level, mpp) for level in range(levels)],
    }
    colours = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}
    channels = [_channel(label, colour) for label, colour in colours.items()]
    return {
        "version": "0.5",
        "multiscales": [multiscale],
        "omero": {"channels": channels},
    }


def _channel(label: str, colour: str) -> dict[str, Any]:
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    return {"label": label, "color": colour, "active": True, "window": window}


def _dataset(level: int, mpp: float) -> dict[str, Any]:
    size = mpp * 2**level
    # The centre of a coarse pixel lies half a pixel of each scale further in.
    shift = (size - mpp) / 2
    return {
        "path": str(level),
        "coordinateTransformations": [
            {"type": "scale", "scale": [1.0, size, size]},
            {"type": "translation", "translation": [0.0, shift, shift]},
        ],
    }
