"""Whether a synthetic cell lies where real cells lie, whatever their class.

Real cells span balls that reach to their fifth nearest real neighbour (Kynkaanniemi et
al. 2019, arXiv 1904.06991), widened by a fifth. A cell in none of them is like no real
one. Each real cell, held out in turn, tells how many real cells would pass. Pictures
are compared in the critics' own features, vectors in their embedder's space; each
number counts in units of its spread over the real cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Batch, Reference, Vectors
from napari_cytosynth.core.provenance import Assessment, SyntheticCell, SyntheticVector
from napari_cytosynth.metrics.neighbours import blocks, nearest, squared_distances
from napari_cytosynth.metrics.scaling import Scaling
from napari_cytosynth.synthesis.critics import FEW_REAL, MIN_REAL
from napari_cytosynth.synthesis.likeness import crops_of, vectors_of

NEIGHBOURS = 5
"""Real neighbours that the ball around a real cell reaches to."""

WIDENING = 1.2
"""Radius of a ball, over the distance to the last of them."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Region:
    """The balls of the real cells, and what share of real cells lies in others' balls.

    ``radii`` is float64[n]; it is empty where real cells are too few.
    """

    points: Floats
    radii: Floats
    scaling: Scaling
    passing: float = 1.0

    def ratios(self, vectors: Vectors) -> tuple[Floats, npt.NDArray[np.intp]]:
        """Return distance over radius at the ball that reaches best, and its row."""
        moved = self.scaling(vectors)
        ratios = np.sqrt(squared_distances(moved, self.points)) / self.radii
        best = ratios.argmin(axis=1)
        return ratios[np.arange(len(ratios)), best], best


class ManifoldCritic:
    """Vetoes what lies outside the region of the real cells."""

    key = "manifold"

    def __init__(self) -> None:
        self._known: tuple[Reference, bool, _Region] | None = None

    def assess(self, batch: Batch, reference: Reference) -> list[Assessment]:
        """Return one assessment for each item.

        The score is its distance to a real cell, in radii of that cell's ball.
        """
        if not len(batch):
            return []
        crops = crops_of(batch)
        region = self._region(reference, pictures=crops is not None)
        if not len(region.radii):
            return [self._abstain(reference, "", 0.0)] * len(batch)
        vectors = vectors_of(batch) if crops is None else reference.embed(crops)
        ratios, rows = region.ratios(vectors)
        items: Sequence[SyntheticCell | SyntheticVector] = batch.items
        return [
            self._judge(item.code, float(ratio), int(row), region, reference)
            for item, ratio, row in zip(items, ratios, rows, strict=True)
        ]

    def _judge(
        self, code: str, ratio: float, row: int, region: _Region, reference: Reference
    ) -> Assessment:
        if reference.cells.count(code) < MIN_REAL:
            return self._abstain(reference, code, ratio)
        passed, n = ratio <= WIDENING, len(region.radii)
        place = "Inside" if passed else "Outside"
        reason = (
            f"{place} the region of real cells: {ratio:.2f} radii from real cell "
            f"{reference.cells.ids[row]}, up to {WIDENING} pass, as "
            f"{region.passing:.0%} of {n} real cells do that were held out in turn."
        )
        return Assessment(self.key, ratio, passed, reason, n >= FEW_REAL)

    def _abstain(self, reference: Reference, code: str, ratio: float) -> Assessment:
        n = reference.cells.count(code) if code else len(reference.cells)
        of = f" of class {code}" if code else ""
        reason = (
            f"Not calibrated (n = {n}): the region of real cells needs "
            f"{MIN_REAL if code else NEIGHBOURS + 1} real cells{of}. Passed unverified."
        )
        return Assessment(
            self.key, ratio, True, reason, calibrated=False, abstained=True
        )

    def _region(self, reference: Reference, *, pictures: bool) -> _Region:
        known = self._known
        if known is None or known[0] is not reference or known[1] is not pictures:
            vectors = reference.vectors if pictures else reference.cells.vectors
            known = self._known = (reference, pictures, _span(vectors))
        return known[2]


def _span(vectors: Vectors) -> _Region:
    """Measure the balls; none where too few cells are there to reach to."""
    x = np.asarray(vectors, np.float64)
    if len(x) <= NEIGHBOURS or not x.shape[1]:
        return _Region(x, np.zeros(0), Scaling(np.zeros(0), np.ones(0)))
    scaling = Scaling.of(x)
    points = scaling(x)
    radii = nearest(points, points, NEIGHBOURS, leave_out_self=True)[0][:, -1]
    # Repeats of one cell have no ball of their own, and must not divide by nothing.
    radii = np.maximum(radii, 1e-9)
    # With one cell taken away, a ball that reached to it reaches farther still: the
    # cell lies in it. So the balls of all of the others judge it as they are.
    passed = [
        _reached(points, radii, rows) <= WIDENING
        for rows in blocks(len(points), len(points))
    ]
    return _Region(points, radii, scaling, float(np.concatenate(passed).mean()))


def _reached(points: Floats, radii: Floats, rows: slice) -> Floats:
    """Return the smallest ratio of each cell of a block, but for its own ball."""
    ratios = np.sqrt(squared_distances(points[rows], points)) / radii
    own = np.arange(len(ratios))
    ratios[own, rows.start + own] = np.inf
    smallest: Floats = ratios.min(axis=1)
    return smallest
