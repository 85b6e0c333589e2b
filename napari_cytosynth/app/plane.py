"""Which cells of the map are seen, and how. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.cellindex import NONE, CellIndex, Rows
from napari_cytosynth.app.map_views import Clouds, Dots
from napari_cytosynth.app.scene import Rectangle

MAX_DOTS = 3000
"""More cells than this in view are shown as density."""

_FAINTEST = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Cells on the map as they stand now.

    Parameters
    ----------
    ids : int64[n]
        Cells.
    places : float32[n, 2]
        Where each lies.
    rows : intp[n]
        Its row in the index.
    classes : int16[n]
        Its class as labelled, else as predicted where that may be shown; -1: none.
    labelled : bool[n]
        True where it has a label that is shown.
    """

    ids: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    places: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 2), np.float32)
    )
    rows: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    classes: npt.NDArray[np.int16] = field(
        default_factory=lambda: np.zeros(0, np.int16)
    )
    labelled: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    @classmethod
    def of(
        cls,
        ids: npt.NDArray[np.int64],
        places: npt.NDArray[np.float32],
        index: CellIndex,
        silent: npt.NDArray[np.int64],
        *,
        blind: bool,
    ) -> Plane:
        """Colour cells by what may be told of them.

        Parameters
        ----------
        ids, places : int64[n], float32[n, 2]
            The map; cells struck out since are left out.
        index : CellIndex
            Labels and guesses.
        silent : int64[m]
            Cells of which nothing is told, as if they had neither label nor guess.
        blind : bool
            True: no guess is told of any.
        """
        there = np.isin(ids, index.table.ids)
        ids, places = ids[there], places[there]
        rows = index.table.rows(ids)
        labels, told = index.labels[rows], ~np.isin(ids, silent)
        labelled = (labels != NONE) & told
        guesses = np.where(told & (not blind), index.guesses[rows], NONE)
        classes = np.where(labelled, labels, guesses).astype(np.int16)
        return cls(ids, places, rows, classes, labelled)

    def __len__(self) -> int:
        return len(self.ids)

    def within(self, view: Rectangle) -> npt.NDArray[np.intp]:
        """Return the positions of the cells in view."""
        x, y = self.places.T
        held = (view.x <= x) & (x <= view.x + view.width)
        held &= (view.y <= y) & (y <= view.y + view.height)
        return np.flatnonzero(held)

    def inside(self, outline: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """Return the positions of the cells within float32[k, 2], by even and odd."""
        low, high = outline.min(axis=0), outline.max(axis=0)
        near = self.within(Rectangle(*map(float, (*low, *(high - low)))))
        x, y = self.places[near].T
        odd = np.zeros(len(near), bool)
        for (x1, y1), (x2, y2) in zip(outline, np.roll(outline, -1, 0), strict=True):
            if y1 != y2:
                crossing = (y1 > y) != (y2 > y)
                odd ^= crossing & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        return near[odd]

    def nearest(self, x: float, y: float, reach: float) -> int | None:
        """Return the position of the cell nearest to a place, or None beyond reach."""
        near = self.within(Rectangle(x - reach, y - reach, 2 * reach, 2 * reach))
        if not len(near):
            return None
        away = np.hypot(*(self.places[near] - np.array([x, y], np.float32)).T)
        best = int(away.argmin())
        return int(near[best]) if away[best] <= reach else None

    def position(self, cell: int) -> int | None:
        """Return the position of a cell, or None."""
        at = int(np.searchsorted(self.ids, cell))
        return at if at < len(self.ids) and self.ids[at] == cell else None

    def dots(self, positions: npt.NDArray[np.intp]) -> Dots:
        """Return single cells."""
        return Dots(
            self.places[positions], self.classes[positions], self.labelled[positions]
        )

    def labelled_within(self, positions: npt.NDArray[np.intp]) -> Dots:
        """Return those with a label; none at all where they are too many."""
        kept = positions[self.labelled[positions]]
        return self.dots(kept if len(kept) <= MAX_DOTS else kept[:0])

    def clouds(
        self,
        positions: npt.NDArray[np.intp],
        view: Rectangle,
        columns: int,
        classes: int,
    ) -> Clouds:
        """Count cells a square.

        Parameters
        ----------
        positions : intp[m]
            Those in view.
        view : Rectangle
            What is in view.
        columns : int
            Squares across it.
        classes : int
            How many classes there are.
        """
        columns = max(1, columns)
        rows = max(1, round(columns * view.height / view.width))
        x, y = self.places[positions].T
        column = ((x - view.x) / view.width * columns).astype(np.intp)
        row = ((y - view.y) / view.height * rows).astype(np.intp)
        square = np.minimum(row, rows - 1) * columns + np.minimum(column, columns - 1)
        # Class -1 is counted in a column of its own, the first.
        kinds = classes + 1
        counted = np.bincount(
            square * kinds + self.classes[positions] + 1,
            minlength=rows * columns * kinds,
        ).reshape(rows, columns, kinds)
        whole = counted.sum(axis=2)
        fullest = np.log1p(max(int(whole.max(initial=0)), 1))
        strength = np.log1p(whole) / fullest
        strength = np.where(whole, _FAINTEST + (1 - _FAINTEST) * strength, 0)
        return Clouds(
            view,
            (counted.argmax(axis=2) - 1).astype(np.int16),
            strength.astype(np.float32),
        )
