"""Whether a synthetic cell copies a real one.

Two rules, each on the nearest real objects: at less than a third of the distance to the
second nearest (Gu et al. 2023, arXiv 2310.02664), or nearer than real cells lie to one
another in 99 of 100 cases (after Dar et al. 2024, arXiv 2402.01054). Pictures are
compared as small grey ones at the best of eight turns and flips, with the project's
real cells and those that trained the starter weights; vectors in their own space.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Batch, Crops, Reference, Vectors
from napari_cytosynth.core.provenance import Assessment, SyntheticCell, SyntheticVector
from napari_cytosynth.metrics.copying import PERCENTILE, THIRD, copy_threshold
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.synthesis.starter import load_training_thumbnails
from napari_cytosynth.synthesis.thumbnails import (
    Thumbnails,
    thumbnails,
    turned_distances,
)

SAMPLE = 300
"""Real cells whose distances to the others set the percentile."""

MAX_REAL = 5000
"""Real cells that a picture is compared with; beyond, a seeded draw of them."""

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
        cells = [i for i in batch.items if isinstance(i, SyntheticCell)]
        if cells:
            return self._assess_cells(cells, reference)
        vectors = [i for i in batch.items if isinstance(i, SyntheticVector)]
        return self._assess_vectors(vectors, reference)

    def _assess_cells(
        self, cells: list[SyntheticCell], reference: Reference
    ) -> list[Assessment]:
        small = thumbnails(np.stack([cell.pixels for cell in cells]))
        judged = [self._of_distances(small, self._real(reference, pixels=True))]
        if any(cell.provenance.generator == "latent" for cell in cells):
            judged.append(self._of_distances(small, _training_cells()))
        return [
            replace(_stricter(options), nearest=options[0].nearest)
            for options in zip(*judged, strict=True)
        ]

    def _of_distances(self, small: Thumbnails, real: _Real) -> list[Assessment]:
        if not len(real.points):
            return [_nothing(self.key, real) for _ in small]
        distances = turned_distances(small, real.points.astype(np.uint8))
        index = np.argsort(distances, axis=1)[:, :2]
        near = np.take_along_axis(distances, index, axis=1)
        return [_judge(self.key, near[i], index[i], real) for i in range(len(small))]

    def _assess_vectors(
        self, items: list[SyntheticVector], reference: Reference
    ) -> list[Assessment]:
        if not items:
            return []
        real = self._real(reference, pixels=False)
        if not len(real.points):
            return [_nothing(self.key, real) for _ in items]
        drawn = np.stack([item.vector for item in items])
        near, index = nearest(drawn, np.asarray(real.points, np.float64), 2)
        return [_judge(self.key, near[i], index[i], real) for i in range(len(items))]

    def _real(self, reference: Reference, *, pixels: bool) -> _Real:
        known = self._known
        if known is None or known[0] is not reference or known[1] is not pixels:
            make = _real_cells if pixels else _real_vectors
            known = self._known = (reference, pixels, make(reference))
        return known[2]


def _real_vectors(reference: Reference) -> _Real:
    vectors = reference.cells.vectors
    if not vectors.shape[1]:
        vectors = vectors[:0]
    return _Real(_CELL, vectors, reference.cells.ids, copy_threshold(vectors))


def _real_cells(reference: Reference) -> _Real:
    rng = np.random.default_rng(reference.seed)
    crops: Crops = reference.cells.crops
    rows = np.sort(rng.permutation(len(crops))[:MAX_REAL])
    small = thumbnails(crops[rows])
    ids = reference.cells.ids[rows]
    return _Real(_CELL, small, ids, turned_threshold(small, rng))


def turned_threshold(small: Thumbnails, rng: np.random.Generator) -> float:
    """Return the first percentile of distances to the nearest other real cell.

    Parameters
    ----------
    small : uint8[n, 16, 16]
        Thumbnails of real cells; 0 comes back for fewer than two.
    """
    if len(small) < 2:
        return 0.0
    rows = rng.permutation(len(small))[:SAMPLE]
    distances = turned_distances(small[rows], small)
    distances[np.arange(len(rows)), rows] = np.inf
    return float(np.percentile(distances.min(axis=1), PERCENTILE))


def _training_cells() -> _Real:
    small, threshold = load_training_thumbnails()
    return _Real("training cell", small, np.arange(len(small)), threshold)


def _judge(
    key: str, near: Floats, index: npt.NDArray[np.intp], real: _Real
) -> Assessment:
    """Judge one item by its distances to the two nearest real ones."""
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
    cell = int(real.ids[index[0]]) if real.name == _CELL else None
    return Assessment(key, score, passed=passed, reason=reason, nearest=cell)


def _nothing(key: str, real: _Real) -> Assessment:
    reason = f"No {real.name} to compare with (n = 0): it cannot be a copy of one."
    return Assessment(key, 10.0, passed=True, reason=reason, calibrated=False)


def _stricter(options: tuple[Assessment, ...]) -> Assessment:
    return min(options, key=lambda a: (a.passed, a.score))
