"""Cells of the developers' PBC pack that no shipped weights were trained on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.shipped import LAST_TRAINING_SHARE, number_of, share_of

_PIXELS = 128
_SPAN_UM = 36.0  # what 128 pixels of the pack span
_QUICK = 1500
_BATCH = 128
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
    chosen = files_by_class(data)
    picked = [
        (path, code)
        for code in sorted(chosen)
        for path in sorted(chosen[code], key=lambda p: number_of(p.name))[:each]
    ]
    crops = np.stack([pack_crop(path) for path, _ in picked])
    return Pack(crops, np.array([code for _, code in picked]))


def files_by_class(data: Path) -> dict[str, list[Path]]:
    """Return the pictures for figures, by the code of their class.

    Raises
    ------
    InputError
        If the pack is not there.
    """
    chosen: dict[str, list[Path]] = {}
    for path, code in figure_files(data):
        chosen.setdefault(code, []).append(path)
    return chosen


def whole_pack(data: Path, quick: bool = False) -> Pack:
    """Return all cells for figures, as uneven as they come; ``quick``: a quarter.

    Raises
    ------
    InputError
        If the pack is not there.
    """
    files = figure_files(data)
    files = files[:: max(1, len(files) // _QUICK)] if quick else files
    crops = np.stack([pack_crop(path) for path, _ in files])
    return Pack(crops, np.array([code for _, code in files]))


def embedded(embedder: str, dataset: str, pack: Pack, keep: Path | None) -> Vectors:
    """Return float32[n, dim] of a pack, from ``keep`` if they lie there, else to it."""
    n = len(pack.codes)
    path = None if keep is None else keep / f"{dataset}_{embedder}_{n}.npy"
    if path is not None and path.is_file():
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    vectors = vectors_by(load("embedders", embedder)().embed, pack)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, vectors)
    return vectors


def vectors_by(embed: Callable[[Crops], Vectors], pack: Pack) -> Vectors:
    """Return float32[n, dim] of a pack, in batches."""
    steps = range(0, len(pack.codes), _BATCH)
    return np.concatenate([embed(pack.crops[n : n + _BATCH]) for n in steps])


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
        if share_of(Path(file).name) > LAST_TRAINING_SHARE and code not in _OPEN
    ]


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
