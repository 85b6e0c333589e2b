"""How long a label takes to reach the queue: refit, predict, rank.

The floor is the bare product of vectors and coefficients, as numpy does it, in the same
run; a peer that only computes softmax, margin and the best hundred stands beside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.core.protocols import Candidates, TrainingSet, Vectors
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.head import Head

DIM = 384
SIZES = (10_000, 100_000, 1_000_000)
"""Cells in the pool."""

LABELS = 400
_TOP = 100
_ROUNDS = 5

Row = dict[str, Any]


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Measure re-ranking and refitting on made-up vectors.

    Parameters
    ----------
    data : Path
        Not used.
    seeds : int
        Not used: the best of five rounds is told, as interruptions only ever add.
    quick : bool
        Leaves the million out.

    Returns
    -------
    list of dict
        Seconds, beside the floor of the same size.
    """
    del data, seeds
    rng = np.random.default_rng(0)
    codes = built_in("pbc11").cell_codes
    centres = rng.normal(scale=0.25, size=(len(codes), DIM)).astype(np.float32)
    training = _training(rng, centres, codes)
    head = fit_head(training)
    rows = [_refit(training, head)]
    for size in SIZES[:-1] if quick else SIZES:
        vectors = rng.standard_normal((size, DIM), dtype=np.float32)
        vectors += centres[rng.integers(len(codes), size=size)]
        rows += _ranking(vectors, head)
    return rows


def _training(
    rng: np.random.Generator, centres: Vectors, codes: tuple[str, ...]
) -> TrainingSet:
    kinds = rng.integers(len(codes), size=LABELS)
    noise = rng.standard_normal((LABELS, DIM), dtype=np.float32)
    labels = tuple(codes[k] for k in kinds)
    return TrainingSet(centres[kinds] + noise, labels, balanced(labels))


def _refit(training: TrainingSet, head: Head) -> Row:
    took = _best(lambda: fit_head(training, previous=head))
    return _row("refit, warm", "ours", f"{LABELS} x {DIM}", took) | {"n": LABELS}


def _ranking(vectors: Vectors, head: Head) -> list[Row]:
    size = f"{len(vectors)} x {DIM}"
    weights = np.ascontiguousarray(head.coefficients.T)
    floor = _best(lambda: vectors @ weights)
    rows = [_row("re-rank", "plain margin", size, _best(lambda: _plain(vectors, head)))]
    for name in names("strategies"):
        took = _best(lambda name=name: _ours(vectors, head, name))  # type: ignore[misc]
        rows.append(_row("re-rank", name, size, took))
    ends = {"floor": floor, "n": len(vectors)}
    return [row | ends | {"ratio": row["value"] / floor} for row in rows]


def _ours(vectors: Vectors, head: Head, strategy: str) -> object:
    taxonomy = built_in("pbc11")
    pool = Candidates(
        ids=np.arange(len(vectors), dtype=np.int64),
        vectors=vectors,
        probabilities=head.predict_proba(vectors),
        codes=head.codes_,
        taxonomy=taxonomy,
        counts=dict.fromkeys(taxonomy.codes, 10),
    )
    made = load("strategies", strategy)()
    return made.query(pool, _TOP, np.random.default_rng(0))


def _plain(vectors: Vectors, head: Head) -> object:
    logits = vectors @ head.coefficients.T + head.intercepts
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    two = np.partition(shares, -2, axis=1)[:, -2:]
    return np.argpartition(two[:, 1] - two[:, 0], _TOP)[:_TOP]


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _row(case: str, peer: str, size: str, seconds: float) -> Row:
    return {
        "case": case,
        "peer": peer,
        "size": size,
        "metric": "time",
        "unit": "s",
        "value": seconds,
    }
