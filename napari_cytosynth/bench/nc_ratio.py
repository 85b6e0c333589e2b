"""How far the measured N/C ratio is from that of masks drawn by people.

Part of ``cytosynth bench embed``. Cells are found by the default detector, as in the
program: the one nearest the middle of each picture, with the outline that it gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.bench.stains import common_scale
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.features.measures import Measures, areas_of, measure
from napari_cytosynth.ingest import calibrate, cut_crops, detect_cells, open_smear
from napari_cytosynth.metrics.scores import draw_counts, interval_of

_DATASET = "wbc_dataset1"
_NUCLEUS = 255
_REPEATS = 500

Row = dict[str, Any]


def nc_ratio_rows(data: Path) -> Iterator[Row]:
    """Yield how often the ratio is told, its error, and that of always the same one.

    Parameters
    ----------
    data : Path
        Folder of the developer data; without the set, nothing is yielded.
    """
    folder = data / "segmentation" / _DATASET
    pictures = sorted(folder.rglob("*.bmp"))
    if not pictures:
        return
    mpp = common_scale(pictures)
    truth = np.array([_true_ratio(path.with_suffix(".png")) for path in pictures])
    found = [_measured(path, mpp).nc_ratio for path in pictures]
    told = np.array([np.nan if ratio is None else ratio for ratio in found])
    known = ~np.isnan(told)
    yield _row(known.astype(float), metric="told")
    told, truth = told[known], truth[known]
    yield _row(np.abs(told - truth), metric="absolute error", unit="ratio")
    # Who always says the median of the true ones is wrong by this much.
    guess = np.abs(np.median(truth) - truth)
    yield _row(guess, metric="absolute error", unit="ratio", peer="always the median")


def _true_ratio(mask: Path) -> float:
    with Image.open(mask) as drawn:
        pixels = np.asarray(drawn.convert("L"))
    return float((pixels == _NUCLEUS).sum() / (pixels > 0).sum())


def _measured(path: Path, mpp: float) -> Measures:
    """Measure the cell nearest the middle of a picture; nothing where none is found."""
    with closing(open_smear(path)) as image:
        calibration = calibrate(image, mpp)
        detector = load("detectors", "classic")()
        found = run_to_end(detect_cells(image, detector, calibration))
        if not len(found):
            return Measures()
        centres = found.boxes[:, :2] + found.boxes[:, 2:] / 2
        middle = np.array([image.smear.width, image.smear.height]) / 2
        best = int(np.hypot(*(centres - middle).T).argmin())
        crops = cut_crops(image, found.boxes[best : best + 1], mpp)
    return measure(crops, areas_of([found.outlines[best]], [mpp]))[0]


def _row(values: npt.NDArray[np.float64], **about: Any) -> Row:
    weights = draw_counts(len(values), _REPEATS, np.random.default_rng(len(values)))
    interval = interval_of(weights @ values / len(values), len(values))
    return {
        "case": "N/C ratio",
        "peer": "ours",
        "dataset": _DATASET,
        "embedder": "morphology",
        "class": "all",
        "unit": "share",
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "n": len(values),
        **about,
    }
