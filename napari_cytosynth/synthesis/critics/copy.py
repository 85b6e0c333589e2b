"""Whether a synthetic cell copies a real one.

Two rules, each on the nearest real objects: at less than a third of the distance to the
second nearest (Gu et al. 2023, arXiv 2310.02664), or nearer than real cells lie to one
another in 99 of 100 cases (after Dar et al. 2024, arXiv 2402.01054). Pictures are
compared with the project's real cells and with those that trained the starter weights,
see :mod:`napari_cytosynth.synthesis.likeness`; with these also by the embeddings that
the painter was taught by. Vectors are compared in their own space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import (
    Batch,
    Crops,
    Embedder,
    Reference,
    Vectors,
)
from napari_cytosynth.core.provenance import Assessment
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER, load
from napari_cytosynth.metrics.copying import THIRD, copy_threshold
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.synthesis.critics import FEW_REAL
from napari_cytosynth.synthesis.likeness import (
    crops_of,
    is_shipped,
    nearest_pictures,
    picture_bar,
    vectors_of,
)
from napari_cytosynth.synthesis.starter import (
    load_look_bar,
    load_starter,
    load_training_looks,
    load_training_thumbnails,
)
from napari_cytosynth.synthesis.thumbnails import Thumbnails, thumbnails

MAX_REAL = 5000
"""Real cells that a picture is compared with; beyond, a seeded draw of them, in which
the classes take turns: those that fills are for are rare, and stay whole."""

_CELL = "real cell"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Real:
    """Real cells to compare with, and the distance at which a copy begins."""

    name: str
    points: Thumbnails | Vectors
    ids: npt.NDArray[np.int64]
    threshold: float


class CopyCritic:
    """Vetoes copies of real cells."""

    key = "copy"

    def __init__(self) -> None:
        self._known: tuple[Reference, bool, _Real] | None = None

    def assess(self, batch: Batch, reference: Reference) -> list[Assessment]:
        """Return one assessment for each item; its score is distance over bar."""
        if not len(batch):
            return []
        crops = crops_of(batch)
        if crops is None:
            return self._assess_vectors(vectors_of(batch), reference)
        judged = [_of_pictures(crops, self._real(reference, pictures=True))]
        if is_shipped(batch):
            judged.append(_of_pictures(crops, _training_cells()))
            judged += _of_looks(crops)
        return [
            replace(_stricter(options), nearest=options[0].nearest)
            for options in zip(*judged, strict=True)
        ]

    def _assess_vectors(self, drawn: Vectors, reference: Reference) -> list[Assessment]:
        real = self._real(reference, pictures=False)
        if not len(real.points):
            return [_nothing(real)] * len(drawn)
        near, index = nearest(drawn, np.asarray(real.points, np.float64), 2)
        return [_judge(near[i], index[i], real) for i in range(len(drawn))]

    def _real(self, reference: Reference, *, pictures: bool) -> _Real:
        known = self._known
        if known is None or known[0] is not reference or known[1] is not pictures:
            make = _real_cells if pictures else _real_vectors
            known = self._known = (reference, pictures, make(reference))
        return known[2]


def _of_pictures(crops: Crops, real: _Real) -> list[Assessment]:
    if not len(real.points):
        return [_nothing(real)] * len(crops)
    near, index = nearest_pictures(crops, real.points.astype(np.uint8), 2)
    return [_judge(near[i], index[i], real) for i in range(len(crops))]


def _of_looks(crops: Crops) -> list[list[Assessment]]:
    """Judge by the embeddings of the training cells; nothing where none ship."""
    real, space, encoder = _training_looks(), load_starter().space, _encoder()
    if space is None or not len(real.points) or encoder.key != load_starter().embedder:
        return []
    looks = space.looks(encoder.embed(crops))
    near, index = nearest(looks, np.asarray(real.points, np.float64), 2)
    return [[_judge(near[i], index[i], real) for i in range(len(crops))]]


@cache
def _encoder() -> Embedder:
    found: Embedder = load("embedders", DEFAULT_EMBEDDER)()
    return found


@cache
def _training_looks() -> _Real:
    looks = load_training_looks()
    ids = np.arange(len(looks))
    name = "training cell by its embedding"
    return _Real(name, looks.astype(np.float32), ids, load_look_bar())


def _real_vectors(reference: Reference) -> _Real:
    vectors = reference.cells.vectors
    if not vectors.shape[1]:
        vectors = vectors[:0]
    return _Real(_CELL, vectors, reference.cells.ids, copy_threshold(vectors))


def _real_cells(reference: Reference) -> _Real:
    rng = np.random.default_rng(reference.seed)
    rows = _compared(reference.cells.codes, rng)
    crops: Crops = reference.cells.crops[rows]
    small = thumbnails(crops)
    bar = picture_bar(crops, small, rng)
    return _Real(_CELL, small, reference.cells.ids[rows], bar)


def _compared(codes: Sequence[str], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the rows of the cells to compare with, ascending."""
    order, dealt, turns = rng.permutation(len(codes)), Counter[str](), []
    for row in order.tolist():
        turns.append(dealt[codes[row]])
        dealt[codes[row]] += 1
    first = np.argsort(np.array(turns, np.intp), kind="stable")[:MAX_REAL]
    return np.sort(order[first])


def _training_cells() -> _Real:
    small, threshold = load_training_thumbnails()
    return _Real("training cell", small, np.arange(len(small)), threshold)


def _judge(near: Floats, index: npt.NDArray[np.intp], real: _Real) -> Assessment:
    """Judge one item by its distances to the two nearest real ones."""
    key = CopyCritic.key
    bar = max(real.threshold, THIRD * float(near[1]) if len(near) > 1 else 0.0)
    distance = float(near[0])
    score = distance / bar if bar > 0 else float(distance > 0) * 10
    passed = distance > 0 and score >= 1
    word = "A new cell" if passed else "A copy"
    reason = (
        f"{word}: its nearest {real.name} ({real.ids[index[0]]}) lies {score:.2f} "
        "times as far as a copy may (the bar is a third of the way to the second "
        "nearest, or the nearest 1 % of real pairs)."
    )
    which = int(real.ids[index[0]])
    cell, trained = (which, None) if real.name == _CELL else (None, which)
    enough = len(real.points) >= FEW_REAL
    return Assessment(key, score, passed, reason, enough, nearest=cell, trained=trained)


def _nothing(real: _Real) -> Assessment:
    reason = f"No {real.name} to compare with (n = 0): it cannot be a copy of one."
    return Assessment(
        CopyCritic.key, 10.0, True, reason, calibrated=False, abstained=True
    )


def _stricter(options: tuple[Assessment, ...]) -> Assessment:
    return min(options, key=lambda a: (a.passed, a.score))
