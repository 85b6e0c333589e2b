"""How much memory detection takes on a small smear and on one sixty-four times larger.

The smear is painted once, 1,000 pixels a side, and repeated as it is read, so that
nothing but the detector can grow. Each size is measured in a process of its own.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from napari_cytosynth.core.smear import Smear
from napari_cytosynth.ingest import calibrate
from napari_cytosynth.ingest.classic import ClassicDetector
from napari_cytosynth.ingest.image import LazyLevel, LevelPlan, PyramidImage
from napari_cytosynth.ingest.tiles import scan
from napari_cytosynth.testing.painter import FieldSpec, paint_field

SMALL, LARGE, QUICK = 2_500, 20_000, 5_000
"""Sides of the smears, pixels; the last stands in for the large one in a hurry."""

_STAMP = 1_000  # pixels: side of the field that is painted and repeated
_CELLS = 12  # on each stamp
_MPP = 0.25


def memory_rows(quick: bool) -> list[dict[str, Any]]:
    """Return a row for each size: the most memory in MiB, ``n`` the cells found."""
    rows = []
    for side in (SMALL, QUICK if quick else LARGE):
        peak, cells = peak_apart(side)
        rows.append(
            {
                "case": "memory",
                "peer": "classic",
                "dataset": "painted",
                "size": side,
                "metric": "peak",
                "unit": "MiB",
                "value": peak,
                "n": cells,
            }
        )
    return rows


def peak_apart(side: int) -> tuple[float, int]:
    """Return :func:`peak_of` in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(peak_of, side).result()


def peak_of(side: int) -> tuple[float, int]:
    """Find the cells of a smear; return the most MiB ever held here, and cells."""
    image, cells = repeated(side), 0
    for _, _, part in scan(image, ClassicDetector(), calibrate(image)):
        cells += len(part)
    return most_held() / 2**20, cells


def most_held(status: Path = Path("/proc/self/status")) -> int:
    """Return the most bytes that this process ever held in memory.

    Where the system keeps no such record (macOS), what it holds now.
    """
    if status.is_file():
        lines = status.read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(s.split()[1]) for s in lines if s.startswith("VmHWM"))
    held = psutil.Process().memory_info()
    return int(getattr(held, "peak_wset", held.rss))


def repeated(side: int) -> PyramidImage:
    """Return a smear that repeats one painted field, ``side`` pixels a side."""
    spec = FieldSpec(_STAMP, _STAMP, _CELLS, mpp=_MPP)
    stamp = paint_field(spec, np.random.default_rng(0)).pixels

    def fetch(y0: int, y1: int, x0: int, x1: int) -> npt.NDArray[np.uint8]:
        rows, columns = np.arange(y0, y1) % _STAMP, np.arange(x0, x1) % _STAMP
        return np.asarray(stamp[rows[:, None], columns], np.uint8)

    smear = Smear("memory", side, side, _MPP, "memory", "0")
    return PyramidImage(smear, [LevelPlan(LazyLevel((side, side), fetch), 1.0)])
