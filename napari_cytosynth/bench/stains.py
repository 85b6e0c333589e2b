"""Single cells of other stains and microscopes, as the program would cut them.

No shipped weights were trained on them, nor was anything chosen by them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.pack import Pack
from napari_cytosynth.bench.truth import bccd
from napari_cytosynth.core.smear import FALLBACK_MPP, MppSource
from napari_cytosynth.ingest import calibrate, cut_crops, open_smear

_CALIBRATED = 24

Labelled = tuple[Path, npt.NDArray[np.float64] | None, str]
"""A picture, the box of its cell (None: the picture is the cell), and the class."""


def other_stains(data: Path) -> dict[str, Pack]:
    """Return cells of four other sources, by name; those absent are left out.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    """
    found = {
        "wbc_dataset1": _tabled(
            data / "segmentation" / "wbc_dataset1", ("image", "class"), ".bmp"
        ),
        "bccd": _bccd(data),
        "aml_lmu": _tabled(data / "classification" / "aml_lmu", ("file", "class15")),
        "apl_aml": _tabled(
            data / "classification" / "apl_aml", ("file", "analyser_cell_code")
        ),
    }
    return {name: _cut(cells) for name, cells in found.items() if cells}


def _tabled(folder: Path, columns: tuple[str, str], ending: str = "") -> list[Labelled]:
    table = folder / "labels.csv"
    if not table.is_file():
        return []
    file, code = columns
    paths = {p.name: p for p in sorted(folder.rglob("*")) if "mask" not in p.parts[-2]}
    return [(paths[row[file] + ending], None, row[code]) for row in _rows(table)]


def _bccd(data: Path) -> list[Labelled]:
    """Return fields with one white cell of a known kind."""
    table = data / "detection" / "bccd" / "wbc_subtypes.csv"
    if not table.is_file():
        return []
    kinds = {row["image"]: row["wbc_subtype"] for row in _rows(table)}
    return [
        (truth.path, truth.boxes["white cell"], kinds[truth.path.stem])
        for truth in bccd(data)
        if len(truth.boxes["white cell"]) == 1 and kinds.get(truth.path.stem)
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _cut(cells: Sequence[Labelled]) -> Pack:
    """Cut each cell at the median scale that an even choice of the pictures tells."""
    mpp = common_scale([path for path, _, _ in cells])
    crops = []
    for path, box, _ in cells:
        with closing(open_smear(path)) as image:
            whole = np.array([[0, 0, image.smear.width, image.smear.height]])
            crops.append(cut_crops(image, whole if box is None else box, mpp))
    return Pack(np.concatenate(crops), np.array([code for _, _, code in cells]))


def common_scale(paths: Sequence[Path]) -> float:
    """Return the median of the pixel sizes that an even choice of pictures tell."""
    told = []
    for path in paths[:: max(len(paths) // _CALIBRATED, 1)]:
        with closing(open_smear(path)) as image:
            calibration = calibrate(image)
        if calibration.mpp_source is not MppSource.FALLBACK:
            told.append(calibration.mpp)
    return float(np.median(told)) if told else FALLBACK_MPP


def with_enough(pack: Pack, cells: int) -> Pack:
    """Keep the classes of so many cells or more."""
    counts = Counter(pack.codes.tolist())
    kept = np.array([counts[code] >= cells for code in pack.codes.tolist()], bool)
    return Pack(pack.crops[kept], pack.codes[kept])
