"""How long generators take, beside bare torch loops of as many steps.

Three parts: the ``embedding`` generator fitted on 2,000 made-up vectors and drawn from;
16 cells by ``latent`` through a warm worker process, which is what a person waits for;
the same for 16 that the gate passed; how soon a job is left after Cancel, in the midst
of drawing and of fitting, and how soon its worker is free again; and how much memory
that worker takes over many draws.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from napari_cytosynth.bench.generate_fill import fill_rows
from napari_cytosynth.bench.generate_lora import lora_rows
from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.protocols import LabelledCells, Request, Weights
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.synthesis.embedding import EmbeddingConfig, EmbeddingGenerator
from napari_cytosynth.synthesis.latent import BLOCK, LatentConfig, LatentGenerator
from napari_cytosynth.worker import WorkerProcess

CELLS, DIMS, VECTORS, PICTURES = 2000, 64, 1000, 16
NEW_CLASS = 12
"""Real cells of a class that ``latent`` does not know, to be learned."""

SETTLED, MANY = 40, 240
"""Draws after which the memory of a worker is looked at first, and last."""

BRIEF = {"steps": 2}
"""Options under which many draws take little time; memory is that of any others."""

_MIB = 2**20
_CODES = built_in("pbc11").cell_codes

Row = dict[str, Any]


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Measure on made-up vectors and on the shipped weights.

    Parameters
    ----------
    data : Path
        Folder of the developer data: real cells for the gate of a fill.
    seeds : int
        Rounds; the best is told, as interruptions only ever add.
    quick : bool
        One round.

    Returns
    -------
    list of dict
        Seconds, with the bare loop of the same run as ``floor``.
    """
    rounds = 1 if quick else seeds
    latent = _latent(rounds, lambda compute: fill_rows(data, compute, quick=quick))
    return [_embedding(rounds), *latent, *lora_rows(rounds, best=_best)]


def _embedding(rounds: int) -> Row:
    from napari_cytosynth.bench._torch.bare import embedding_loop

    cells = _made_up()
    classes = np.array([_CODES.index(c) for c in cells.codes], np.int64)
    steps = EmbeddingConfig().draw_steps
    floor = _best(
        lambda: embedding_loop(cells.vectors, classes, VECTORS, steps), rounds
    )
    took = _best(lambda: _fit_and_draw(cells), rounds)
    row = _row("fit and draw", f"{CELLS} x {DIMS}, {VECTORS} drawn", took, floor)
    return row | {
        "embedder": "made up",
        "class": None,
        "peer": "embedding",
        "n": rounds,
    }


def _fit_and_draw(cells: LabelledCells) -> None:
    generator = EmbeddingGenerator()
    weights = run_to_end(generator.fit(cells, {"seed": 0}))
    rng = np.random.default_rng(0)
    drawn = sum(map(len, generator.generate(_ask("MO", VECTORS), weights, rng)))
    assert drawn == VECTORS


def _latent(rounds: int, fills: Callable[[WorkerProcess], list[Row]]) -> list[Row]:
    """Measure a worker from its start to Cancel."""
    compute = WorkerProcess()
    try:
        none = run_to_end(compute.fit("latent", _no_cells(), {}))
        began = time.perf_counter()
        _shown(compute, none, 1)
        rows = [_row("first cells, worker cold", "4", time.perf_counter() - began)]
        took = _best(lambda: _shown(compute, none, PICTURES), rounds)
        accepted = fills(compute)
        left = _cancels(compute, none, rounds)
        grown = _grown(compute, none)
    finally:
        compute.close()
    floor = _best(_bare_latent(), rounds)
    rows.append(_row("cells shown, worker warm", f"{PICTURES}", took, floor))
    rows += [*left, *grown]
    told = [{"peer": "latent", "class": "BA", "n": rounds} | r for r in rows]
    return told + accepted


def _cancels(compute: WorkerProcess, none: Weights, rounds: int) -> list[Row]:
    """Measure the worst of some rounds: leaving the job, and the worker free again."""

    def drawing() -> Generator[object, None, object]:
        return compute.generate("latent", _ask("BA", 64), none)

    def learning() -> Generator[object, None, object]:
        return compute.fit("latent", _new_class(), {"seed": 0})

    def fitting() -> Generator[object, None, object]:
        return compute.fit("embedding", _made_up(), {"seed": 0})

    rows = []
    for job in (drawing, learning, fitting):
        times = np.array([_cancel(compute, job()) for _ in range(rounds)])
        left, free = times.max(axis=0)
        rows.append(_row(f"left after Cancel, {job.__name__}", "", float(left)))
        rows.append(_row(f"free after Cancel, {job.__name__}", "", float(free)))
        rows[-1]["peer"] = rows[-2]["peer"] = (
            "embedding" if job is fitting else "latent"
        )
    return rows


def _cancel(
    compute: WorkerProcess, job: Generator[object, None, object]
) -> tuple[float, float]:
    """Return seconds from Cancel to its return, and to the worker's next sign of work.

    The job is left once it has worked for a second.
    """
    began = time.perf_counter()
    while time.perf_counter() - began < 1.0:
        next(job)
    began = time.perf_counter()
    job.close()
    left = time.perf_counter() - began
    run_to_end(compute.fit("latent", _no_cells(), {}))
    return left, time.perf_counter() - began


def _grown(compute: WorkerProcess, none: Weights) -> list[Row]:
    """Measure the memory of the worker, and of this process, over many draws."""
    both = {"worker": psutil.Process(compute.pid), "viewer": psutil.Process()}
    before: dict[str, int] = {}
    drawn = 0
    for batch in compute.generate("latent", _ask("BA", MANY, BRIEF), none):
        drawn += len(batch)
        if drawn >= SETTLED and not before:
            before = {name: p.memory_info().rss for name, p in both.items()}
    rows = []
    for name, process in both.items():
        grown = (process.memory_info().rss - before[name]) / _MIB
        size = f"draws {SETTLED} to {MANY}"
        row = _row(f"memory grown, {name}", size, grown, before[name] / _MIB)
        rows.append(row | {"metric": "memory", "unit": "MiB", "ratio": None})
    return rows


def _bare_latent() -> Callable[[], object]:
    from napari_cytosynth.bench._torch.bare import latent_loop

    net = LatentGenerator().net
    return lambda: latent_loop(net, PICTURES, BLOCK, LatentConfig().steps)


def _shown(compute: WorkerProcess, weights: Weights, count: int) -> None:
    batches = compute.generate("latent", _ask("BA", count), weights)
    assert sum(map(len, batches)) == count


def _made_up() -> LabelledCells:
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 2, (len(_CODES), DIMS))
    kinds = rng.integers(len(_CODES), size=CELLS)
    vectors = (centres[kinds] + rng.normal(size=(CELLS, DIMS))).astype(np.float32)
    codes = tuple(_CODES[k] for k in kinds)
    groups = np.array(["made up"] * CELLS)
    return LabelledCells(
        np.arange(CELLS), codes, _no_crops(), vectors, "made up", groups
    )


def _new_class() -> LabelledCells:
    """Return noise as cells of a class that nobody has ever painted."""
    side = CROP_PIXELS
    crops = np.random.default_rng(0).integers(
        0, 256, (NEW_CLASS, side, side, 3), np.uint8
    )
    return LabelledCells(
        np.arange(NEW_CLASS),
        ("a class of noise",) * NEW_CLASS,
        crops,
        np.zeros((NEW_CLASS, 0), np.float32),
        "",
        np.array(["made up"] * NEW_CLASS),
    )


def _no_cells() -> LabelledCells:
    none = np.zeros(0, np.int64)
    vectors = np.zeros((0, 0), np.float32)
    return LabelledCells(none, (), _no_crops(), vectors, "", np.zeros(0, np.str_))


def _no_crops() -> Any:
    return np.zeros((0, CROP_PIXELS, CROP_PIXELS, 3), np.uint8)


def _ask(code: str, count: int, config: Mapping[str, Any] | None = None) -> Request:
    return Request(code, count, 0, built_in("pbc11"), config=config or {})


def _best(work: Callable[[], object], rounds: int) -> float:
    """Return the least seconds; those that ``work`` tells, or those that it took."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        told = work()
        took = time.perf_counter() - began
        times.append(told if isinstance(told, float) else took)
    return min(times)


def _row(case: str, size: str, value: float, floor: float | None = None) -> Row:
    ratio = None if floor is None else value / floor
    return {
        "case": case,
        "dataset": "made up",
        "size": size,
        "metric": "time",
        "unit": "s",
        "value": value,
        "floor": floor,
        "ratio": ratio,
    }
