"""How well the pixel size is found from the picture itself, on real smears.

The truth comes from what is drawn into the pictures (scale bars), or from cells whose
size is known: red cells are 7.5 um wide by convention, white cells about 12.5 um. One
microscope took each set, so one pixel size holds for all of its pictures. The peer is
the one pixel size that is assumed where nothing tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.bench.truth import (
    Truth,
    bccd_red,
    demand_data,
    pig_wbc,
    segpc,
    txl_pbc,
)
from napari_cytosynth.core.smear import FALLBACK_MPP, RED_CELL_UM, Trust
from napari_cytosynth.ingest import calibrate, open_smear

WHITE_CELL_UM = 12.5
"""Width of common white cells on a smear: 12.9 where red cells beside them are 7.5."""

CLOSE = 1.2
"""Factor within which a pixel size is close enough for the detector."""

_QUICK = 8  # every eighth picture
_RESAMPLES = 1000
_SEGPC_BAR = 10 / 61.2  # um and pixels of the bar at the lower right
_CHULA_BAR = 20 / 103.8

Floats = npt.NDArray[np.float64]
Pictures = tuple[list[Path], float]


@dataclass(frozen=True, slots=True)
class _Set:
    """One developer set: its pictures with their true pixel size, and how it is known.

    ``known`` stands in the column ``size``: "bar", "red cells" or "white cells".
    """

    name: str
    known: str
    read: Callable[[Path], Pictures]


def _boxed(
    read: Callable[[Path], Iterator[Truth]], kind: str, um: float
) -> Callable[[Path], Pictures]:
    """Return a reader of a set whose boxes of one kind of cell give its scale."""

    def pictures(data: Path) -> Pictures:
        found = list(read(data))
        sides = [_sides(truth, kind) for truth in found]
        return [t.path for t in found], um / float(np.median(np.concatenate(sides)))

    return pictures


def _sides(truth: Truth, kind: str) -> Floats:
    """Return the sides of the boxes that the border does not cut, pixels."""
    boxes = truth.boxes[kind]
    with Image.open(truth.path) as picture:
        size = np.array(picture.size)
    inside = (boxes[:, :2] > 2).all(axis=1)
    inside &= (boxes[:, :2] + boxes[:, 2:] < size - 2).all(axis=1)
    return np.asarray(np.sqrt(boxes[inside, 2:].prod(axis=1)), np.float64)


def _chula(data: Path) -> Pictures:
    folder = data / "detection" / "chula_rbc12"
    return sorted(folder.rglob("*.jpg")), _CHULA_BAR


def _segpc(data: Path) -> Pictures:
    return [truth.path for truth in segpc(data)], _SEGPC_BAR


def _same_analyser(data: Path) -> Pictures:
    """Return the single cells that the analyser of ``txl_pbc`` took, every tenth."""
    folder = data / "classification" / "pbc_barcelona"
    _, mpp = _boxed(txl_pbc, "red cell", RED_CELL_UM)(data)
    return sorted(folder.rglob("*.jpg"))[::10], mpp


def _rapid(data: Path) -> Pictures:
    folder = data / "segmentation" / "wbc_dataset1"
    widths = []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as picture:
            cell = np.asarray(picture.convert("L")) > 60
        widths.append(2 * np.sqrt(cell.sum() / np.pi))
    return sorted(folder.rglob("*.bmp")), WHITE_CELL_UM / float(np.median(widths))


_SETS = (
    _Set("chula_rbc12", "bar", _chula),
    _Set("segpc", "bar", _segpc),
    _Set("bccd", "red cells", _boxed(bccd_red, "red cell", RED_CELL_UM)),
    _Set("txl_pbc", "red cells", _boxed(txl_pbc, "red cell", RED_CELL_UM)),
    _Set("pbc_barcelona", "red cells", _same_analyser),
    _Set("pig_wbc", "white cells", _boxed(pig_wbc, "white cell", WHITE_CELL_UM)),
    _Set("wbc_dataset1", "white cells", _rapid),
)


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[dict[str, Any]]:
    """Measure the error of the pixel size.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    seeds : int
        Not used: nothing here is drawn by chance but the intervals.
    quick : bool
        Every eighth picture only.

    Returns
    -------
    list of dict
        Rows of the benchmark table. ``class`` is the confidence that was stated, or
        "all"; ``size`` says how the truth is known; ``n`` counts pictures.
    """
    del seeds
    demand_data(data, "detection")
    rows: list[dict[str, Any]] = []
    errors: list[Floats] = []
    trusts: list[list[str]] = []
    for each in _SETS:
        paths, mpp = each.read(data)
        found = [_measured(path) for path in paths[:: _QUICK if quick else 1]]
        error = np.array([np.log(size / mpp) for size, _ in found])
        errors.append(error)
        trusts.append([trust for _, trust in found])
        rows += _scores("calibrate", each.name, "all", error, each.known)
        constant = np.full(len(error), np.log(FALLBACK_MPP / mpp))
        rows += _scores("fallback", each.name, "all", constant, each.known)
    pooled = np.concatenate(errors)
    stated = np.concatenate([np.array(t) for t in trusts])
    rows += _scores("calibrate", "all", "all", pooled)
    for trust in Trust:
        of = stated == str(trust)
        if of.any():
            rows += _scores("calibrate", "all", str(trust), pooled[of])
    return rows


def _measured(path: Path) -> tuple[float, str]:
    with closing(open_smear(path)) as image:
        calibration = calibrate(image)
    return calibration.mpp, str(calibration.trust)


def _scores(
    peer: str, dataset: str, trust: str, errors: Floats, known: str | None = None
) -> list[dict[str, Any]]:
    """Return median error and share within a fifth, with intervals over pictures.

    ``errors`` are logarithms of found over true pixel sizes.
    """
    rng = np.random.default_rng(0)
    draws = errors[rng.integers(0, len(errors), (_RESAMPLES, len(errors)))]
    rows = []
    for metric, measure in _METRICS.items():
        low, high = np.percentile(measure(draws), [2.5, 97.5])
        rows.append(
            {
                "case": "scale",
                "peer": peer,
                "dataset": dataset,
                "class": trust,
                "size": known,
                "metric": metric,
                "unit": "share",
                "value": float(measure(errors)),
                "low": float(low),
                "high": float(high),
                "n": len(errors),
            }
        )
    return rows


_METRICS: dict[str, Callable[[Floats], Floats]] = {
    "median relative error": lambda e: np.exp(np.median(np.abs(e), axis=-1)) - 1,
    "within 20 %": lambda e: np.mean(np.abs(e) < np.log(CLOSE), axis=-1),
    "bias": lambda e: np.exp(np.median(e, axis=-1)) - 1,
}
