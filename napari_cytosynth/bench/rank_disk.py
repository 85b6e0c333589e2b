"""Ranking a pool that lies on the disk: one pass over it, beside reading it alone.

The vectors lie in an array as projects keep them. Each size is ranked in a process of
its own, so that the most memory that it ever held is known.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_cytosynth.bench.made_up import best_time, centres_of, pool_of, training_of
from napari_cytosynth.bench.memory import most_held
from napari_cytosynth.core.protocols import QueryStrategy, Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.shortlist import Block, shortlist
from napari_cytosynth.store.arrays import VECTORS_A_SHARD, VectorArrays

DIM = 1024
SIZES = (100_000, 1_000_000)
"""Cells in the pool."""

STRATEGIES = ("margin", "balanced")

_KEY = "bench"
_BLOCK = 16_384
_TOP = 100

Row = dict[str, Any]


def disk_rows(quick: bool) -> list[Row]:
    """Return seconds beside reading alone, and the most memory in MiB."""
    rows: list[Row] = []
    for size in SIZES[:-1] if quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), size)
            rows += _apart(Path(folder), size)
    return rows


def _write(folder: Path, size: int) -> None:
    """Write made-up vectors: one draw of noise, turned from block to block."""
    rng = np.random.default_rng(0)
    centres, arrays = centres_of(rng, DIM), VectorArrays(folder)
    noise = rng.standard_normal((min(VECTORS_A_SHARD, size), DIM), dtype=np.float32)
    for at in range(0, size, len(noise)):
        n = min(len(noise), size - at)
        kinds = rng.integers(len(centres), size=n)
        turned = np.roll(noise[:n], at // len(noise), axis=1)
        turned += centres[kinds]
        arrays.put(_KEY, np.arange(at, at + n) + 1, turned)


def _apart(folder: Path, size: int) -> list[Row]:
    """Return :func:`ranked_from_disk` in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(ranked_from_disk, folder, size).result()


def ranked_from_disk(folder: Path, size: int) -> list[Row]:
    """Rank what lies in a folder by each strategy; time it, and reading alone."""
    rng = np.random.default_rng(0)
    centres, arrays = centres_of(rng, DIM), VectorArrays(folder)
    training = training_of(rng, centres)
    head = fit_head(training)
    bare = zarr.open_array(next(folder.iterdir()), mode="r")
    starts = range(0, size, _BLOCK)
    floor = best_time(
        lambda: [np.asarray(bare[at : at + _BLOCK]).size for at in starts]
    )
    rows = []
    for name in STRATEGIES:
        strategy: QueryStrategy = load("strategies", name)()
        began = time.perf_counter()
        blocks = (Block(ids - 1, part) for ids, part in _parts(arrays, size))
        found = shortlist(blocks, head, np.random.default_rng(0))
        pool = pool_of(found.vectors, training, head)
        strategy.query(pool, _TOP, np.random.default_rng(0))
        took = time.perf_counter() - began
        told = {"case": f"{name}, from disk", "peer": "ours", "size": size, "n": size}
        ends = {"unit": "s", "floor": floor, "ratio": took / floor}
        rows.append({**told, "metric": "seconds", "value": took, **ends})
    memory = {"case": "from disk", "peer": "ours", "size": size, "unit": "MiB"}
    return [*rows, {**memory, "metric": "memory", "value": most_held() / 2**20}]


def _parts(arrays: VectorArrays, size: int) -> Iterator[tuple[Any, Vectors]]:
    for at in range(1, size + 1, _BLOCK):
        ids = np.arange(at, min(at + _BLOCK, size + 1))
        yield ids, arrays.read(_KEY, ids)
