"""The cells of a project, column by column, and those of them that stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable, Detections
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Event, EventKind, Journal
from napari_cytosynth.core.project import CutBy

_RUN = 4096
"""Most cells kept as one run, so that one outline never costs a huge read."""

_MOVES = frozenset(
    {
        EventKind.CELL_ADDED,
        EventKind.CELL_REMOVED,
        EventKind.BOX_CHANGED,
        EventKind.SPLIT,
    }
)


@dataclass(frozen=True, slots=True)
class CellRun:
    """Cells that were added together; their ids follow one another.

    Parameters
    ----------
    first : int
        Id of the first cell; a project's ids run from 1 without gaps.
    smear : int
        Smear of all of them.
    boxes : float32[n, 4]
        Whole-cell boxes x, y, width, height; level-0 pixels, corner-based.
    scores : float32[n]
        Detector confidence, 0..1.
    edges : bool[n]
        True where the picture's border cuts the cell.
    kinds : uint8[n]
        :class:`~napari_cytosynth.core.cells.ObjectKind` of each.
    crop : int
        Row of the first crop in the crop array; the others follow.
    mpp : float or None
        Micrometres a pixel by which the crops were cut; None where unknown.
    under : int
        Event of the search anew that found them; 0 for the first search.
    """

    first: int
    smear: int
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    edges: npt.NDArray[np.bool_]
    kinds: npt.NDArray[np.uint8]
    crop: int
    mpp: float | None = None
    under: int = 0

    def __len__(self) -> int:
        return len(self.boxes)


class Columns:
    """All cells ever added; the standing ones are cached until a cell comes or goes.

    Parameters
    ----------
    runs : sequence of CellRun
        In order of id.
    """

    def __init__(self, runs: Sequence[CellRun] = ()) -> None:
        self._runs = list(runs)
        self._firsts = [run.first for run in runs]
        self._last = runs[-1].first + len(runs[-1]) - 1 if runs else 0
        self._moved: set[int] = set()
        self._all: CellTable | None = None
        self._standing: CellTable | None = None

    @property
    def last(self) -> int:
        """Id of the newest cell; 0 before the first."""
        return self._last

    def add(self, run: CellRun) -> None:
        """Take in new cells."""
        self._runs.append(run)
        self._firsts.append(run.first)
        self._last = run.first + len(run) - 1
        self._all = self._standing = None

    def note(self, event: Event, journal: Journal) -> None:
        """Take in an event: forget the cached table if it moves a cell."""
        if event.kind in (EventKind.UNDO, EventKind.REDO):
            event = journal.event(int(event.data["of"]))
        if event.kind is EventKind.FOUND_ANEW:
            self._standing = None
        if event.kind in _MOVES and event.cell is not None:
            self._moved.add(int(event.cell))
            self._moved.update(map(int, event.data.get("into", ())))
            self._standing = None

    def check(self, cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return ids as int64[n].

        Raises
        ------
        InputError
            If one of them was never added.
        """
        ids = np.atleast_1d(np.asarray(cells, dtype=np.int64))
        strangers = ids[(ids < 1) | (ids > self._last)]
        if len(strangers):
            raise InputError(
                f"Cell {int(strangers[0])} is not in the project, which holds cells 1 "
                f"to {self._last}. Give ids that came from cells()."
            )
        return ids

    def run_of(self, cell: CellId) -> CellRun:
        """Return the run that holds a cell."""
        self.check(cell)
        return self._runs[int(np.searchsorted(self._firsts, cell, side="right")) - 1]

    def crop_rows(self, cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the row of each cell's crop in the crop array."""
        ids = self.check(cells)
        firsts = np.asarray(self._firsts, dtype=np.int64)
        crops = np.array([run.crop for run in self._runs], dtype=np.int64)
        if not len(ids):
            return ids
        run = np.searchsorted(firsts, ids, side="right") - 1
        return crops[run] + ids - firsts[run]

    def standing(self, journal: Journal) -> CellTable:
        """Return the cells that stand: removed ones left out, boxes corrected."""
        if self._standing is None:
            hidden = self._hidden(journal)
            table = _fold(self._table(), self._moved, journal, hidden)
            self._standing = _freeze(table)
        return self._standing

    def struck_out(self, journal: Journal) -> CellTable:
        """Return the cells that were removed, with the boxes that they came with."""
        table, known = self._table(), sorted(n for n in self._moved if n <= self._last)
        gone = [n for n in known if journal.is_removed(CellId(n))]
        rows = np.array(gone, np.int64) - 1
        return CellTable(
            table.ids[rows],
            table.smears[rows],
            table.boxes[rows],
            table.scores[rows],
            table.edges[rows],
        )

    def scales(self, cells: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return by what pixel size each cell's first crop was cut, um, or NaN."""
        ids = self.check(cells)
        if not len(ids):
            return np.zeros(0)
        scales = np.array(
            [np.nan if run.mpp is None else run.mpp for run in self._runs], np.float64
        )
        return np.asarray(
            scales[np.searchsorted(self._firsts, ids, side="right") - 1], np.float64
        )

    def smears_of(self, cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the smear of each cell."""
        ids = self.check(cells)
        smears = np.array([run.smear for run in self._runs], np.int64)
        if not len(ids):
            return ids
        return np.asarray(
            smears[np.searchsorted(self._firsts, ids, side="right") - 1], np.int64
        )

    def _hidden(self, journal: Journal) -> npt.NDArray[np.int64]:
        """Return the cells that searches anew let go, or that fell with one undone.

        What a person touched stays in any case.
        """
        standing, undone = journal.smears.renewals()
        if not standing and not undone:
            return np.zeros(0, np.int64)
        gone = [
            np.arange(first, min(last, self._last) + 1)
            for event in standing
            for first, last in event.data["cells"]
        ]
        fallen = {int(event.id) for event in undone}
        gone += [
            np.arange(run.first, run.first + len(run))
            for run in self._runs
            if run.under in fallen
        ]
        if not gone:
            return np.zeros(0, np.int64)
        return np.setdiff1d(np.concatenate(gone), list(journal.touched()))

    def _table(self) -> CellTable:
        if self._all is None:
            self._all = _join(self._runs) if self._runs else CellTable.empty()
        return self._all


def runs_of(
    smear: int, first: int, crop: int, found: Detections, how: CutBy
) -> list[CellRun]:
    """Return cells found together as runs.

    Parameters
    ----------
    smear : int
        Of all of them.
    first, crop : int
        Id of the first cell, row of its crop.
    found : Detections
        Boxes, scores, edges, kinds.
    how : CutBy
        By which pixel size their crops were cut, in which search.
    """
    return [
        CellRun(
            first + start,
            int(smear),
            found.boxes[start : start + _RUN].astype(np.float32),
            found.scores[start : start + _RUN].astype(np.float32),
            found.edges[start : start + _RUN].astype(np.bool_),
            found.kinds[start : start + _RUN].astype(np.uint8),
            crop + start,
            how.mpp,
            how.under,
        )
        for start in range(0, len(found), _RUN)
    ]


def _join(runs: Sequence[CellRun]) -> CellTable:
    sizes = [len(run) for run in runs]
    return CellTable(
        np.arange(1, sum(sizes) + 1, dtype=np.int64),
        np.repeat(np.array([run.smear for run in runs], dtype=np.int64), sizes),
        np.concatenate([run.boxes for run in runs]),
        np.concatenate([run.scores for run in runs]),
        np.concatenate([run.edges for run in runs]),
    )


def _fold(
    table: CellTable,
    moved: set[int],
    journal: Journal,
    hidden: npt.NDArray[np.int64],
) -> CellTable:
    if not moved and not len(hidden):
        return table
    keep = np.ones(len(table), bool)
    keep[hidden - 1] = False
    boxes = table.boxes.copy()
    # An event may name a part that never came; that must not close the project.
    for number in (n for n in moved if n <= len(table)):
        cell = CellId(number)
        if journal.is_removed(cell):
            keep[number - 1] = False
        elif (box := journal.boxes.of(cell)) is not None:
            boxes[number - 1] = box
    return CellTable(
        table.ids[keep],
        table.smears[keep],
        boxes[keep],
        table.scores[keep],
        table.edges[keep],
    )


def _freeze(table: CellTable) -> CellTable:
    """Make the shared table read-only: callers of many threads hold it."""
    for column in (
        table.ids,
        table.smears,
        table.boxes,
        table.scores,
        table.edges,
    ):
        column.flags.writeable = False
    return table
