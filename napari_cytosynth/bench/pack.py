"""Cells of the developers' PBC pack that no shipped weights were trained on."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Crops

_PIXELS = 128
_SPAN_UM = 36.0  # what 128 pixels of the pack span
_FIRST_FIGURE_SHARE = 6  # hashes 0 to 5 may train shipped weights
_OPEN = ("IG", "NEUTROPHIL", "")


@dataclass(frozen=True, slots=True)
class Pack:
    """Crops with their class.

    Parameters
    ----------
    crops : uint8[n, 96, 96, 3]
        At 0.25 um a pixel.
    codes : str[n]
        Class of each, as in the taxonomy ``pbc11``.
    """

    crops: Crops
    codes: npt.NDArray[np.str_]


def figure_cells(data: Path, *, each: int) -> Pack:
    """Return cells for figures: those whose name hashes to 6..9.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    each : int
        Cells of each class at most; the first in the order of their hash.

    Raises
    ------
    InputError
        If the pack is not there.
    """
    chosen: dict[str, list[Path]] = {}
    for path, code in figure_files(data):
        chosen.setdefault(code, []).append(path)
    picked = [
        (path, code)
        for code in sorted(chosen)
        for path in sorted(chosen[code], key=lambda p: _number(p.name))[:each]
    ]
    crops = np.stack([pack_crop(path) for path, _ in picked])
    return Pack(crops, np.array([code for _, code in picked]))


def figure_files(data: Path) -> list[tuple[Path, str]]:
    """Return picture and class of all cells whose name hashes to 6..9.

    Raises
    ------
    InputError
        If the pack is not there.
    """
    table = data / "pack_pbc128" / "labels.csv"
    if not table.is_file():
        raise InputError(
            f"There is no PBC pack at '{table.parent}'. Give the folder of the "
            "developer data with --data or in CYTOSYNTH_DATA."
        )
    with table.open(encoding="utf-8") as stream:
        rows = [(row["file"], row["class11"]) for row in csv.DictReader(stream)]
    return [
        (table.parent / file, code)
        for file, code in rows
        if _number(Path(file).name) % 10 >= _FIRST_FIGURE_SHARE and code not in _OPEN
    ]


def _number(name: str) -> int:
    return int(hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest(), 16)


def pack_crop(path: Path) -> npt.NDArray[np.uint8]:
    """Return the middle 24 um of a picture of the pack, uint8[96, 96, 3]."""
    wide = _PIXELS * CROP_UM / _SPAN_UM
    low, high = (_PIXELS - wide) / 2, (_PIXELS + wide) / 2
    with Image.open(path) as picture:
        square = picture.convert("RGB").resize(
            (CROP_PIXELS, CROP_PIXELS),
            Image.Resampling.BICUBIC,
            (low, low, high, high),
        )
    return np.asarray(square, np.uint8)
