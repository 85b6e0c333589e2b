"""How long a label takes to become the next cell: fit, calibrate, score, choose.

One round as the program runs it, and its parts: a fit that starts from the last one, a
temperature from held-out folds, probabilities of the whole pool, and the best cell by a
strategy. The floor is the bare product of vectors and coefficients in the same run.
What follows a fit in a project on the disk is timed besides: prediction, counts, queue.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.bench.large_project import KEY, round_of, write_project
from napari_cytosynth.bench.made_up import DIM, LABELS, best_time, pool_of, pools
from napari_cytosynth.core.protocols import QueryStrategy, TrainingSet, Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.head import Head
from napari_cytosynth.workflows.train import train_head

STRATEGIES = ("margin", "rare", "balanced")
PROJECT = 100_000
"""Cells of the project."""

_BATCH = 200
"""Cells in a ranking, as the queue asks for them."""

Row = dict[str, Any]


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Measure rounds of learning on made-up vectors.

    Parameters
    ----------
    data : Path
        Not used.
    seeds : int
        Not used: the best of three rounds is told, as interruptions only ever add.
    quick : bool
        Leaves the million out.

    Returns
    -------
    list of dict
        Seconds of a round and of its parts, beside the floor of the same size.
    """
    del data, seeds
    training, drawn = pools(quick, LABELS + 1)
    head = fit_head(_before(training))
    weights = np.ascontiguousarray(head.coefficients.T)
    rows: list[Row] = []
    for vectors in drawn:
        size = len(vectors)
        ends = {"size": size, "n": size, "metric": "seconds", "unit": "s"}
        floor = best_time(partial(np.matmul, vectors, weights))
        for case, work in _parts(vectors, training, head):
            took = best_time(work)
            row = {"case": case, "peer": "ours", "value": took, **ends}
            rows.append(row | {"floor": floor, "ratio": took / floor})
    return [*rows, *_project_rows()]


def _project_rows() -> Iterator[Row]:
    """Yield the round in a project, the best of three heads, beside the product."""
    from napari_cytosynth.store import open_project
    from napari_cytosynth.workflows.embed import vectors_of

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loop.cytosynth"
        write_project(path, PROJECT, DIM)
        project = open_project(path)
        head = run_to_end(train_head(project, KEY))
        vectors, weights = vectors_of(project, KEY), head.coefficients.T.copy()
        floor = best_time(partial(np.matmul, vectors, weights))
        for name in STRATEGIES:
            steps = itertools.count(1)

            def work(name: str = name, steps: Iterator[int] = steps) -> object:
                # Another head each time, or the scores would be known already.
                moved = head.intercepts + np.float32(1e-6 * next(steps))
                return round_of(project, replace(head, intercepts=moved), name, 0)

            took = best_time(work)
            told = {"case": f"{name}, in a project", "peer": "ours", "value": took}
            ends = {"size": PROJECT, "n": PROJECT, "metric": "seconds", "unit": "s"}
            yield {**told, **ends, "floor": floor, "ratio": took / floor}
        project.close()


def _before(training: TrainingSet) -> TrainingSet:
    """Return the set as it was before the last label."""
    codes = training.codes[:-1]
    return TrainingSet(training.vectors[:-1], codes, balanced(codes))


def _parts(
    vectors: Vectors, training: TrainingSet, head: Head
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the parts of a round, then whole rounds of each strategy."""
    yield "fit", lambda: fit_head(training, previous=head, folds=0)
    yield "fit and calibrate", lambda: fit_head(training, previous=head)
    yield "score", lambda: head.predict_proba(vectors)
    for name in STRATEGIES:
        yield name, partial(_round, vectors, training, head, name)


def _round(vectors: Vectors, training: TrainingSet, head: Head, name: str) -> object:
    fitted = fit_head(training, previous=head)
    strategy: QueryStrategy = load("strategies", name)()
    pool = pool_of(vectors, training, fitted)
    return strategy.query(pool, _BATCH, np.random.default_rng(0))
