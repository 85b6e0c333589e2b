"""Whether a synthetic cell repeats one that passed before it.

Nearer to a synthetic cell that passed than real cells lie to one another in 99 of 100
cases, it adds nothing. The first of two that are alike stays, in the order of making:
what was stored before a crash counts, so a fill that goes on gives the same cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Batch, Reference
from napari_cytosynth.core.provenance import Assessment, SyntheticCell, SyntheticVector
from napari_cytosynth.metrics.copying import copy_threshold
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.synthesis.critics import FEW_REAL
from napari_cytosynth.synthesis.likeness import (
    crops_of,
    is_shipped,
    nearest_pictures,
    picture_bar,
    vectors_of,
)
from napari_cytosynth.synthesis.thumbnails import thumbnails

_ALONE = 10.0  # the score where nothing passed before

Items = Sequence[SyntheticCell | SyntheticVector]
Point = npt.NDArray[Any]


class DiversityCritic:
    """Vetoes repeats of synthetic cells that passed. It judges last."""

    key = "diversity"

    def __init__(self) -> None:
        self._names: list[str] = []
        self._points: list[Point] = []
        self._known: tuple[Reference, bool, float] | None = None

    def remember(self, items: Items) -> None:
        """Take in items that passed, in order of making."""
        for item in items:
            if isinstance(item, SyntheticCell):
                self._points.append(thumbnails(item.pixels[None])[0])
                self._names.append(f"synthetic cell {item.id}")
            else:
                self._points.append(item.vector)
                self._names.append("a vector before")

    def forget(self) -> None:
        """Begin anew, as if nothing had passed yet."""
        self._names.clear()
        self._points.clear()

    def assess(self, batch: Batch, reference: Reference) -> list[Assessment]:
        """Return one assessment for each item; its score is distance over bar."""
        if not len(batch):
            return []
        crops = crops_of(batch)
        asked: Point = vectors_of(batch) if crops is None else crops
        own = asked if crops is None else thumbnails(crops)
        bar = self._bar(reference, pictures=crops is not None)
        if len(reference.cells) < 2 and not is_shipped(batch):
            bar = 0.0  # nothing tells how alike cells of this kind are
        points, names = list(self._points), list(self._names)
        said, items = [], tuple[SyntheticCell | SyntheticVector, ...](batch.items)
        for i, item in enumerate(items):
            found = self._compare(asked[i : i + 1], points, names, bar, reference)
            said.append(found)
            if item.passed and found.passed:
                points.append(own[i])
                names.append(f"draw {batch.start + i}")
        return said

    def _compare(
        self,
        asked: Point,
        points: list[Point],
        names: list[str],
        bar: float,
        reference: Reference,
    ) -> Assessment:
        """Judge one item against those that passed before it."""
        n = len(reference.cells)
        calibrated = n >= FEW_REAL
        if not points:
            reason = "The first of this class to pass: it repeats none."
            return Assessment(self.key, _ALONE, True, reason, calibrated)
        near, index = _nearest(asked, np.stack(points))
        distance = float(near[0, 0])
        score = distance / bar if bar > 0 else float(distance > 0) * _ALONE
        passed = distance > 0 and score >= 1
        reason = (
            f"{'No repeat' if passed else 'A repeat'}: of {len(points)} that passed "
            f"before, {names[index[0, 0]]} lies nearest, {score:.2f} times as far as a "
            f"repeat may (the bar is the nearest 1 % of real pairs, n = {n})."
        )
        return Assessment(self.key, score, passed, reason, calibrated)

    def _bar(self, reference: Reference, *, pictures: bool) -> float:
        known = self._known
        if known is None or known[0] is not reference or known[1] is not pictures:
            known = self._known = (reference, pictures, _bar_of(reference, pictures))
        return known[2]


def _nearest(asked: Point, points: Point) -> tuple[Point, Point]:
    """Return distance and row of the point that is nearest to the one asked about."""
    pictures = asked.ndim == 4
    return (nearest_pictures if pictures else nearest)(asked, points, 1)


def _bar_of(reference: Reference, pictures: bool) -> float:
    cells = reference.cells
    if not pictures:
        return copy_threshold(cells.vectors) if cells.vectors.shape[1] else 0.0
    rng = np.random.default_rng(reference.seed)
    return picture_bar(cells.crops, thumbnails(cells.crops), rng)
