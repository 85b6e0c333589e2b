"""Nucleated cells that were counted by eye on twenty marrow fields, and boxes on them.

``counts/README.md`` says who counted, when and how.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

FOLDER = Path(__file__).parent / "counts"

_RESAMPLES = 1000

Boxes = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class CountedField:
    """One field and its counted cells.

    Parameters
    ----------
    nucleated, smudged : float64[n, 2]
        x and y about the middle of each cell, in pixels of the picture.
    low, high : int
        Fewest and most nucleated cells that a careful reader might count.
    """

    nucleated: npt.NDArray[np.float64]
    smudged: npt.NDArray[np.float64]
    low: int
    high: int


def counted_fields(folder: Path = FOLDER) -> dict[str, CountedField]:
    """Read the counted fields.

    Parameters
    ----------
    folder : Path
        Folder of ``segpc_nucleated.csv`` and ``segpc_points.csv``.

    Returns
    -------
    dict of str to CountedField
        By file name without its ending, in the order of the table.

    Raises
    ------
    ValueError
        If a field has more or fewer points than its count says.
    """
    points: dict[tuple[str, str], list[list[float]]] = {}
    for row in _rows(folder / "segpc_points.csv"):
        xy = [float(row["x"]), float(row["y"])]
        points.setdefault((row["field"], row["kind"]), []).append(xy)
    fields = {}
    for row in _rows(folder / "segpc_nucleated.csv"):
        for kind in ("nucleated", "smudged"):
            marked = len(points.get((row["field"], kind), []))
            if marked != int(row[kind]):
                raise ValueError(
                    f"Field '{row['field']}' has {marked} {kind} points and a count of "
                    f"{row[kind]}. Every counted cell is marked once; correct the "
                    f"tables in '{folder}'."
                )
        fields[row["field"]] = CountedField(
            _array(points.get((row["field"], "nucleated"), [])),
            _array(points.get((row["field"], "smudged"), [])),
            int(row["low"]),
            int(row["high"]),
        )
    return fields


def holds(boxes: Boxes, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell which box holds which point.

    Parameters
    ----------
    boxes : float[n, 4]
        x, y, width, height.
    points : float64[m, 2]
        x and y.

    Returns
    -------
    bool[n, m]
    """
    away = points[None] - boxes[:, None, :2]
    return np.asarray(((away >= 0) & (away <= boxes[:, None, 2:])).all(axis=-1))


def count_rows(found: Mapping[str, Boxes]) -> list[dict[str, Any]]:
    """Compare boxes with the counted cells.

    Parameters
    ----------
    found : mapping of str to float[n, 4]
        Boxes of each field; fields that were not counted are passed over.

    Returns
    -------
    list of dict
        Rows of the benchmark table, none where no field was counted: boxes for each
        counted cell, its ``low`` and ``high`` the same for the most and fewest cells
        that the count allows; the share of counted cells in a box, and of those that
        have a box of their own, with an interval over the fields.
    """
    counted = {k: v for k, v in counted_fields().items() if k in found}
    if not counted:
        return []
    table = np.array(
        [_tally(found[name], field) for name, field in counted.items()], np.float64
    )
    boxes, cells, low, high, _, _ = table.sum(axis=0)
    ratio = {
        "metric": "boxes a counted cell",
        "unit": "boxes",
        "value": float(boxes / cells),
        "low": float(boxes / high),
        "high": float(boxes / low),
    }
    shares = [
        _share("recall, a point in a box", table[:, 4], table[:, 1]),
        _share("recall, a box of its own", table[:, 5], table[:, 1]),
    ]
    common = {
        "case": "boxes",
        "peer": "classic",
        "dataset": "segpc",
        "class": "nucleated cell",
        "n": int(cells),
    }
    return [common | row for row in (ratio, *shares)]


def _tally(boxes: Boxes, field: CountedField) -> tuple[int, ...]:
    """Return boxes, cells, fewest, most, cells in a box, cells with their own box."""
    inside = holds(boxes, field.nucleated)
    pairs = maximum_bipartite_matching(csr_array(inside), perm_type="row")
    return (
        len(boxes),
        len(field.nucleated),
        field.low,
        field.high,
        int(inside.any(axis=0).sum()),
        int((pairs >= 0).sum()),
    )


def _share(
    metric: str, part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]
) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(part), (_RESAMPLES, len(part)))
    shares = part[draws].sum(axis=1) / whole[draws].sum(axis=1)
    low, high = (float(v) for v in np.percentile(shares, [2.5, 97.5]))
    value = float(part.sum() / whole.sum())
    return {
        "metric": metric,
        "unit": "share",
        "value": value,
        "low": low,
        "high": high,
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _array(points: list[list[float]]) -> npt.NDArray[np.float64]:
    return np.array(points, np.float64).reshape(-1, 2)
