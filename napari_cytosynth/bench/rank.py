"""How long a label takes to reach the queue: refit, predict, rank.

The floor is the bare product of vectors and coefficients, as numpy does it, in the same
run; a peer that only computes softmax, margin and the best hundred stands beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.bench.made_up import LABELS, best_time, pool_of, pools
from napari_cytosynth.bench.rank_disk import disk_rows
from napari_cytosynth.bench.rivals import MODAL, SKACTIVEML, HeadClassifier
from napari_cytosynth.core.protocols import (
    QueryStrategy,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.head import Head

_TOP = 100

LINEAR = ("margin", "entropy", "rare", "balanced")
"""Strategies that are timed on more than 100,000 cells, too."""

_ALL_UP_TO = 100_000

Row = dict[str, Any]


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Measure re-ranking and refitting on made-up vectors.

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
        Seconds, beside the floor of the same size.
    """
    del data, seeds
    training, drawn = pools(quick)
    head = fit_head(training)
    rows = [row for vectors in drawn for row in _ranking(vectors, training, head)]
    rows += disk_rows(quick)
    return [_refit(training, head), *rows, *_growth(rows)]


def _refit(training: TrainingSet, head: Head) -> Row:
    took = best_time(lambda: fit_head(training, previous=head))
    return _row("refit, warm", "ours", LABELS, took)


def _ranking(vectors: Vectors, training: TrainingSet, head: Head) -> list[Row]:
    """Time each strategy, from vectors to the best hundred."""
    size = len(vectors)
    weights = np.ascontiguousarray(head.coefficients.T)
    floor = best_time(lambda: vectors @ weights)
    rows = [
        _row("margin", "plain numpy", size, best_time(lambda: _plain(vectors, head)))
    ]
    for case, peer, work in _players(vectors, training, head):
        if size > _ALL_UP_TO and case not in LINEAR:
            rows.append({"case": case, "peer": peer, "size": size, "metric": "not run"})
        else:
            rows.append(_row(case, peer, size, best_time(work)))
    ends = {"floor": floor, "n": size}
    return [row | ends | _over(row, floor) for row in rows]


def _over(row: Row, floor: float) -> Row:
    return {"ratio": row["value"] / floor} if "value" in row else {}


def _players(
    vectors: Vectors, training: TrainingSet, head: Head
) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Yield strategy, whose it is, and what it does."""
    for name in names("strategies"):
        yield name, "ours", partial(_ours, vectors, training, head, name)
    shown = HeadClassifier(head).fit(None, None)
    if find_spec("modAL") is not None:
        from modAL.uncertainty import entropy_sampling, margin_sampling

        for name, ask in (("margin", margin_sampling), ("entropy", entropy_sampling)):
            yield name, MODAL, partial(ask, shown, vectors, n_instances=_TOP)
    if find_spec("skactiveml") is not None:
        for name in ("margin", "entropy"):
            yield name, SKACTIVEML, partial(_theirs, vectors, head, name)


def _theirs(vectors: Vectors, head: Head, name: str) -> object:
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.pool import UncertaintySampling

    classes = np.arange(len(head.codes_))
    made = SklearnClassifier(HeadClassifier(head), classes=classes)
    made.fit(np.zeros((len(classes), vectors.shape[1])), classes)
    method = {"margin": "margin_sampling"}.get(name, name)
    strategy = UncertaintySampling(method=method, random_state=0)
    labels = np.full(len(vectors), np.nan)
    return strategy.query(vectors, labels, clf=made, fit_clf=False, batch_size=_TOP)


def _ours(vectors: Vectors, training: TrainingSet, head: Head, strategy: str) -> object:
    pool = pool_of(vectors, training, head)
    made: QueryStrategy = load("strategies", strategy)()
    return made.query(pool, _TOP, np.random.default_rng(0))


def _plain(vectors: Vectors, head: Head) -> object:
    logits = vectors @ head.coefficients.T + head.intercepts
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    two = np.partition(shares, -2, axis=1)[:, -2:]
    return np.argpartition(two[:, 1] - two[:, 0], _TOP)[:_TOP]


def _growth(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield, of each strategy, seconds a cell of the largest pool over the smallest."""
    timed = [row for row in rows if row["metric"] == "seconds"]
    for case, peer in dict.fromkeys((row["case"], row["peer"]) for row in timed):
        own = [r for r in timed if (r["case"], r["peer"]) == (case, peer)]
        first, last = own[0], own[-1]
        if first is not last:
            a_cell = [row["value"] / row["size"] for row in (first, last)]
            told = {
                "case": case,
                "peer": peer,
                "size": f"{first['size']} to {last['size']}",
            }
            yield {**told, "metric": "growth", "value": a_cell[1] / a_cell[0]}


def _row(case: str, peer: str, size: int, seconds: float) -> Row:
    return {
        "case": case,
        "peer": peer,
        "size": size,
        "metric": "seconds",
        "unit": "s",
        "value": seconds,
    }
