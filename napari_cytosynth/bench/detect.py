"""How well, and how fast, ``classic`` finds cells on the developers' real smears.

F1 is at an overlap of boxes (IoU) of 0.5; found and true boxes are matched one to one,
the best score first. Every picture calibrates itself; one set of parameters serves all.
The peer is the recipe of ten lines: Otsu on blue minus green, at sizes in pixels that
were chosen on ``bccd`` and ``txl_pbc`` themselves. It is strong there, and fails where
cells have another size in pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_cytosynth.bench.marrow import count_rows
from napari_cytosynth.bench.memory import memory_rows
from napari_cytosynth.bench.steady import crop_counts, resized_counts
from napari_cytosynth.bench.truth import (
    Truth,
    bccd,
    bccd_red,
    demand_data,
    pig_wbc,
    segpc,
    txl_pbc,
)
from napari_cytosynth.core.cells import Detections, ObjectKind
from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.smear import SmearImage
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.ingest import calibrate, detect_cells, open_smear
from napari_cytosynth.ingest.classic import ClassicDetector

KINDS = {
    "white cell": ObjectKind.NUCLEATED,
    "red cell": ObjectKind.RED_CELL,
    "platelet": ObjectKind.PLATELET,
}
"""Classes of the rows, and what the detector calls them."""

_QUICK = 8  # every eighth picture
_RESAMPLES = 1000
_PEER_PIXELS = 5000  # smallest white cell of the peer, chosen on these very pictures
_PEER_RIM = 8  # pixels of cytoplasm around what it finds; chosen likewise
_IOU = 0.5
_PLASMA_IOU = 0.3

Boxes = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class _Set:
    """One developer set: its pictures with true boxes, and what to score on it."""

    name: str
    read: Callable[[Path], Iterator[Truth]]
    classes: tuple[str, ...]


_SETS = (
    _Set("bccd", bccd, ("white cell",)),
    _Set("txl_pbc", txl_pbc, ("white cell", "red cell", "platelet")),
    _Set("pig_wbc", pig_wbc, ("white cell",)),
    _Set("txl_relabels", bccd_red, ("red cell",)),
)


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[dict[str, Any]]:
    """Measure the detector.

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
        Rows of the benchmark table; ``n`` is the number of true boxes.
    """
    del seeds
    demand_data(data, "detection")
    step = _QUICK if quick else 1
    clock = _Clock()
    rows = [row for each in _SETS for row in _boxes(each, data, step, clock)]
    rows += _steady(data, step)
    return [*rows, *_plasma(data, step), clock.row(), *memory_rows(quick)]


def _boxes(each: _Set, data: Path, step: int, clock: _Clock) -> list[dict[str, Any]]:
    """Return the rows of one set."""
    counts: dict[str, list[Counts]] = {name: [] for name in each.classes}
    peer: list[Counts] = []
    for truth in list(each.read(data))[::step]:
        begun = time.perf_counter()
        found = _found(truth.path, each.classes != ("white cell",))
        halfway = time.perf_counter()
        plain, pixels = _plain(truth.path)
        clock.add(halfway - begun, time.perf_counter() - halfway, pixels)
        for name in each.classes:
            of_kind = found.take(found.kinds == KINDS[name])
            boxes = truth.boxes[name]
            counts[name].append(match(of_kind.boxes, of_kind.scores, boxes, _IOU))
        if "white cell" in each.classes:
            boxes = truth.boxes["white cell"]
            peer.append(match(plain, np.ones(len(plain)), boxes, _IOU))
    rows = [
        row
        for name in each.classes
        for row in _scores("classic", each.name, name, counts[name])
    ]
    return rows + (_scores("otsu", each.name, "white cell", peer) if peer else [])


def _steady(data: Path, step: int) -> list[dict[str, Any]]:
    """Return the rows of crops, and of pictures at other sizes."""
    crops = list(txl_pbc(data))[::step]
    counts = crop_counts(crops, _triple, np.random.default_rng(0))
    named = {"case": "off-centre crops"}
    rows = [
        row | named
        for row in _scores("classic", "txl_pbc", "white cell", _counts(counts))
    ]
    for name, read in (("bccd", bccd), ("txl_pbc", txl_pbc), ("pig_wbc", pig_wbc)):
        sizes = resized_counts(list(read(data))[:: _QUICK * step], _triple)
        for size, found in sizes.items():
            scores = _scores("itself", name, "nucleated cell", _counts(found))
            rows.append(scores[0] | {"case": "resized", "size": size})
    return rows


def _triple(
    boxes: Boxes, scores: npt.NDArray[np.floating], truth: Boxes
) -> tuple[int, int, int]:
    counts = match(boxes, scores, truth, _IOU)
    return counts.right, counts.found, counts.true


def _counts(triples: list[tuple[int, int, int]]) -> list[Counts]:
    return [Counts(*triple) for triple in triples]


@dataclass
class _Clock:
    """Seconds of the detector and of the plain recipe, over the same pictures."""

    seconds: float = 0.0
    floor: float = 0.0
    megapixels: float = 0.0

    def add(self, seconds: float, floor: float, pixels: int) -> None:
        """Count one picture."""
        self.seconds += seconds
        self.floor += floor
        self.megapixels += pixels / 1e6

    def row(self) -> dict[str, Any]:
        """Return the row of the speed; opening and calibration are counted in."""
        return {
            "case": "speed",
            "peer": "classic",
            "dataset": "all",
            "metric": "time",
            "unit": "s/megapixel",
            "value": self.seconds / self.megapixels,
            "n": round(self.megapixels),
            "floor": self.floor / self.megapixels,
            "ratio": self.seconds / self.floor,
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """What was right, found and true in one picture."""

    right: int
    found: int
    true: int


def match(
    boxes: Boxes, scores: npt.NDArray[np.floating], truth: Boxes, iou: float
) -> Counts:
    """Match boxes one to one, greedily by score.

    Parameters
    ----------
    boxes : float[n, 4]
        Found: x, y, width, height.
    scores : float[n]
        The best is matched first.
    truth : float[m, 4]
        True boxes.
    iou : float
        Least overlap of a match.

    Returns
    -------
    Counts
    """
    overlaps = box_iou(boxes, truth)
    free = np.ones(len(truth), bool)
    right = 0
    for i in np.argsort(-scores, kind="stable"):
        fits = np.where(free, overlaps[i], 0.0)
        if fits.max(initial=0.0) >= iou:
            free[fits.argmax()] = False
            right += 1
    return Counts(right, len(boxes), len(truth))


def _found(path: Path, everything: bool) -> Detections:
    image: SmearImage = open_smear(path)
    try:
        objects = "all" if everything else "nucleated"
        return run_to_end(
            detect_cells(image, ClassicDetector(), calibrate(image), objects=objects)
        )
    finally:
        image.close()


def _plain(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    """Return the boxes of Otsu on blue minus green, and the size of the picture."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(np.float32)
    purple = ndimage.gaussian_filter(pixels[..., 2] - pixels[..., 1], 5)
    away = ndimage.distance_transform_edt(purple <= threshold_otsu(purple))
    labels, _ = ndimage.label(away <= _PEER_RIM)
    areas = np.bincount(labels.ravel())
    boxes = [
        (x.start, y.start, x.stop - x.start, y.stop - y.start)
        for number, (y, x) in enumerate(ndimage.find_objects(labels), start=1)
        if areas[number] > _PEER_PIXELS
    ]
    return np.array(boxes, np.float64).reshape(-1, 4), labels.size


def _scores(
    peer: str, dataset: str, name: str, counts: list[Counts]
) -> list[dict[str, Any]]:
    """Return F1, precision and recall, each with an interval over the pictures."""
    table = np.array([(c.right, c.found, c.true) for c in counts], np.float64)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(table), (_RESAMPLES, len(table)))
    sums = table[draws].sum(axis=1)
    rows = []
    for metric, share in _SHARES.items():
        low, high = np.percentile(share(sums), [2.5, 97.5])
        rows.append(
            {
                "case": "boxes",
                "peer": peer,
                "dataset": dataset,
                "class": name,
                "metric": f"{metric} at IoU {_IOU}",
                "unit": "share",
                "value": float(share(table.sum(axis=0))),
                "low": float(low),
                "high": float(high),
                "n": int(table[:, 2].sum()),
            }
        )
    return rows


Floats = npt.NDArray[np.float64]


def _share(part: Floats, whole: Floats) -> Floats:
    return np.asarray(part / np.maximum(whole, 1), np.float64)


_SHARES: dict[str, Callable[[Floats], Floats]] = {
    "F1": lambda s: _share(2 * s[..., 0], s[..., 1] + s[..., 2]),
    "precision": lambda s: _share(s[..., 0], s[..., 1]),
    "recall": lambda s: _share(s[..., 0], s[..., 2]),
}


def _plasma(data: Path, step: int) -> list[dict[str, Any]]:
    """Return the recall of plasma cells in marrow; only they are marked there.

    Cells that touch merge into one region, which counts once. On some fields every
    nucleated cell was counted by eye.
    """
    hits: list[bool] = []
    areas: list[float] = []
    boxes: dict[str, Boxes] = {}
    for truth in list(segpc(data))[::step]:
        found = _found(truth.path, everything=False)
        regions = truth.boxes["plasma cell"]
        overlaps = box_iou(regions, found.boxes)
        hits += list(overlaps.max(axis=1, initial=0) >= _PLASMA_IOU)
        areas += list(regions[:, 2:].prod(axis=1))
        boxes[truth.path.stem] = found.boxes
    marks, sizes = np.array(hits, float), np.array(areas)
    # No box around one common cell overlaps a larger region by as much.
    single = sizes <= np.median(sizes) / _PLASMA_IOU
    metric = f"recall at IoU {_PLASMA_IOU}"
    recalls = [
        _recall(metric, marks),
        _recall(f"{metric}, regions within reach of one cell", marks[single]),
    ]
    count = {
        "case": "boxes",
        "peer": "classic",
        "dataset": "segpc",
        "class": "nucleated cell",
        "metric": "boxes a field",
        "unit": "boxes",
        "value": float(np.mean([len(each) for each in boxes.values()])),
        "n": len(boxes),
    }
    return [*recalls, count, *count_rows(boxes)]


def _recall(metric: str, marks: Floats) -> dict[str, Any]:
    """Return a row: the share of regions that were hit, with an interval over them."""
    rng = np.random.default_rng(0)
    means = rng.choice(marks, (_RESAMPLES, len(marks))).mean(axis=1)
    low, high = (float(v) for v in np.percentile(means, [2.5, 97.5]))
    return {
        "case": "boxes",
        "peer": "classic",
        "dataset": "segpc",
        "class": "plasma cell",
        "metric": metric,
        "unit": "share",
        "value": float(marks.mean()),
        "low": low,
        "high": high,
        "n": len(marks),
    }
