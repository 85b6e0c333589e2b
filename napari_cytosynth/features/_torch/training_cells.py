"""Cells that may train shipped weights: their pictures, classes and attributes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.core.shipped import (
    LAST_TRAINING_SHARE,
    TRAINED_CONCEPTS,
    share_of,
)

CONCEPTS = TRAINED_CONCEPTS
"""Codes of the training data, in the order of the class indices, and their concepts."""

ATTRIBUTES = (
    "cell_size",
    "cell_shape",
    "nucleus_shape",
    "nuclear_cytoplasmic_ratio",
    "chromatin_density",
    "cytoplasm_vacuole",
    "cytoplasm_texture",
    "cytoplasm_colour",
    "granule_type",
    "granule_colour",
    "granularity",
)
"""The eleven attributes of Tsutsui, Pang and Wen (WBCAtt, NeurIPS 2023)."""

SIDE = 128
SPAN = 24 / 36
"""Share of a picture's side that is 24 um: 128 pixels are taken for 36 um."""

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells in memory.

    Parameters
    ----------
    pictures : uint8[n, 3, 128, 128]
        Wider than a crop, so that a cell may be moved and shrunk.
    classes : int64[n]
        Index into :data:`CONCEPTS`; -1 where unknown.
    attributes : int64[n, 11]
        Index into :attr:`values`; -1 where unknown.
    values : tuple of tuple of str
        Values of each attribute.
    shares : int64[n]
        SHA-1 of the base name, modulo 10.
    """

    pictures: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.int64]
    attributes: npt.NDArray[np.int64]
    values: tuple[tuple[str, ...], ...]
    shares: npt.NDArray[np.int64]

    def of(self, shares: tuple[int, ...]) -> Cells:
        """Return the cells of some shares."""
        rows = np.isin(self.shares, shares)
        return Cells(
            self.pictures[rows],
            self.classes[rows],
            self.attributes[rows],
            self.values,
            self.shares[rows],
        )


def read_cells(
    folder: Path, attributes: Path | None = None, without: tuple[str, ...] = ()
) -> Cells:
    """Read the share of a labelled folder that may train.

    Parameters
    ----------
    folder : Path
        Holds ``labels.csv`` (``file,class11``) beside the pictures.
    attributes : Path, optional
        Table of WBCAtt (``img_name`` and the eleven), joined by base name.
    without : tuple of str
        Codes of classes to leave out, to measure on classes that the encoder never saw.
        Cells whose class is open stay out with them: they may be of those classes.
    """
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    names = [Path(row["file"]).name for row in rows]
    codes = list(CONCEPTS)
    taught = [code for code in codes if code not in without]
    kept = [
        i
        for i, name in enumerate(names)
        if share_of(name) <= LAST_TRAINING_SHARE
        and (not without or rows[i]["class11"] in taught)
    ]
    known = [rows[i]["class11"] for i in kept]
    values, table = _attributes([names[i] for i in kept], attributes)
    return Cells(
        np.stack([_picture(folder / rows[i]["file"]) for i in kept]),
        np.array([codes.index(c) if c in codes else UNKNOWN for c in known]),
        table,
        values,
        np.array([share_of(names[i]) for i in kept]),
    )


def _attributes(
    names: list[str], path: Path | None
) -> tuple[tuple[tuple[str, ...], ...], npt.NDArray[np.int64]]:
    table = np.full((len(names), len(ATTRIBUTES)), UNKNOWN, np.int64)
    if path is None:
        return ((),) * len(ATTRIBUTES), table
    with path.open(newline="", encoding="utf-8") as lines:
        found = {row["img_name"]: row for row in csv.DictReader(lines)}
    own = {i: found[n] for i, n in enumerate(names) if n in found}
    values = tuple(tuple(sorted({r[a] for r in own.values()})) for a in ATTRIBUTES)
    for i, row in own.items():
        table[i] = [values[k].index(row[a]) for k, a in enumerate(ATTRIBUTES)]
    return values, table


def _picture(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as picture:
        square = picture.convert("RGB")
        if square.size != (SIDE, SIDE):
            square = square.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))
