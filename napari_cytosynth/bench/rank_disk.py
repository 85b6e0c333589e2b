"""Ranking a project whose vectors are more than memory holds, beside reading them.

What is timed is what the program does. The first ranking brings the vectors into a file
of its own; one after the next label finds them there. Each size is ranked in a process
of its own, so that the most memory that it ever held, with all that belongs to a
project of that size, is known.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_cytosynth.bench.large_project import KEY, round_of, write_project
from napari_cytosynth.bench.made_up import best_time
from napari_cytosynth.bench.memory import most_held
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import run_to_end

DIM = 1024
SIZES = (100_000, 1_000_000)
"""Cells in the pool."""

STRATEGIES = ("margin", "balanced")

_BLOCK = 16_384

Row = dict[str, Any]


def disk_rows(quick: bool) -> list[Row]:
    """Return seconds beside reading alone, and the most memory in MiB."""
    rows: list[Row] = []
    for size in SIZES[:-1] if quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "large.cytosynth"
            write_project(path, size, DIM)
            rows += _apart(path, size)
    return rows


def _apart(path: Path, size: int) -> list[Row]:
    """Return :func:`ranked_from_disk` in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(ranked_from_disk, path, size).result()


def ranked_from_disk(path: Path, size: int) -> list[Row]:
    """Rank a project by each strategy; time it, and reading the vectors alone."""
    from napari_cytosynth.store import open_project

    bare = zarr.open_array(next((path / "embeddings.zarr").iterdir()), mode="r")
    starts = range(0, size, _BLOCK)
    floor = best_time(
        lambda: [np.asarray(bare[at : at + _BLOCK]).size for at in starts]
    )
    project = open_project(path)
    times = list(_timed(project))
    project.close()
    told = {"peer": "ours", "size": size, "n": size}
    rows = [
        {
            **told,
            "case": f"{case}, from disk",
            "metric": "seconds",
            "unit": "s",
            "value": took,
            "floor": floor,
            "ratio": took / floor,
        }
        for case, took in times
    ]
    memory = {**told, "case": "from disk", "metric": "memory", "unit": "MiB"}
    return [*rows, {**memory, "value": most_held() / 2**20}]


def _timed(project: Project) -> Iterator[tuple[str, float]]:
    """Yield the seconds of a round by each strategy, after another head each time."""
    from napari_cytosynth.workflows.train import train_head

    began = time.perf_counter()
    head = run_to_end(train_head(project, KEY))
    yield "first reading and fit", time.perf_counter() - began
    for seed, strategy in enumerate(STRATEGIES):
        moved = head.intercepts + np.float32(1e-6 * (seed + 1))
        began = time.perf_counter()
        round_of(project, replace(head, intercepts=moved), strategy, seed)
        yield strategy, time.perf_counter() - began
