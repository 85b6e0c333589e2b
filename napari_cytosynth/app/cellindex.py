"""All cells of a project as arrays, so that a key press costs the same at any size.

Labels, guesses and counts are kept up to date cell by cell; only a change of the set of
cells rebuilds them, in numpy.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.panels import Rectangle
from napari_cytosynth.core.cells import CellTable
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.taxonomy import Taxonomy

Rows = npt.NDArray[np.intp]

NONE = -1
"""Stands in ``labels`` and ``guesses`` where there is no class."""


_NO_ROWS: Rows = np.zeros(0, np.intp)


class CellIndex:
    """Columns beside the project's cell table.

    Parameters
    ----------
    taxonomy : Taxonomy
        Its order gives the class numbers.

    Attributes
    ----------
    table : CellTable
        All standing cells.
    labels : int16[n]
        Class number of the label given; -1: none.
    guesses : int16[n]
        Class number that the model predicts; -1: none.
    confidence : float32[n]
        Probability of the guess, 0..1.
    counts : int64[classes]
        Labelled cells of each class.
    flaws : uint8[n]
        :class:`~napari_cytosynth.core.quality.Flaw` bits of each cell's picture.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._number = {code: i for i, code in enumerate(taxonomy.codes)}
        self.codes = taxonomy.codes
        self.table = CellTable.empty()
        self.labels = np.zeros(0, np.int16)
        self.guesses = np.zeros(0, np.int16)
        self.confidence = np.zeros(0, np.float32)
        self.counts = np.zeros(len(self.codes), np.int64)
        self.flaws = np.zeros(0, np.uint8)
        self._centres: npt.NDArray[np.floating] = np.zeros((0, 2), np.float32)
        self._by_x: dict[int, tuple[Rows, npt.NDArray[np.floating]]] = {}

    def __len__(self) -> int:
        return len(self.table)

    def __contains__(self, cell: object) -> bool:
        return cell in self.table

    def replace(self, table: CellTable, labels: Iterable[tuple[int, str]]) -> None:
        """Take in a new set of cells; guesses of cells that stay are kept.

        Parameters
        ----------
        table : CellTable
            The new set.
        labels : iterable of (cell id, code)
            All labels that stand.
        """
        guesses, confidence, flaws = self._kept(table)
        self.table, self.flaws = table, flaws
        self.guesses, self.confidence = guesses, confidence
        self.labels = np.full(len(table), NONE, np.int16)
        for cell, code in labels:
            if cell in table:
                self.labels[table.row(CellId(cell))] = self._number.get(code, NONE)
        held = self.labels[self.labels != NONE]
        self.counts = np.bincount(held, minlength=len(self.codes)).astype(np.int64)
        self._centres = table.boxes[:, :2] + table.boxes[:, 2:] / 2
        self._by_x = {int(s): self._sorted(int(s)) for s in np.unique(table.smears)}

    def _kept(
        self, table: CellTable
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """Return guesses, confidence and flaws; those of new cells are empty."""
        guesses = np.full(len(table), NONE, np.int16)
        confidence = np.zeros(len(table), np.float32)
        flaws = np.zeros(len(table), np.uint8)
        _, old, new = np.intersect1d(
            self.table.ids, table.ids, assume_unique=True, return_indices=True
        )
        guesses[new], confidence[new] = self.guesses[old], self.confidence[old]
        flaws[new] = self.flaws[old]
        return guesses, confidence, flaws

    def set_flaws(
        self, ids: npt.NDArray[np.int64], flaws: npt.NDArray[np.uint8]
    ) -> None:
        """Take in what is wrong with the pictures of cells; uint8[m] of Flaw bits."""
        self.flaws = np.zeros(len(self.table), np.uint8)
        known = np.isin(ids, self.table.ids)
        self.flaws[self.table.rows(ids[known])] = flaws[known]

    def flaw(self, cell: CellId) -> int:
        """Return the Flaw bits of a cell's picture; 0: nothing is wrong."""
        return int(self.flaws[self.table.row(cell)])

    def _sorted(self, smear: int) -> tuple[Rows, npt.NDArray[np.floating]]:
        rows = np.flatnonzero(self.table.smears == smear)
        rows = rows[np.argsort(self._centres[rows, 0], kind="stable")]
        return rows, self._centres[rows, 0]

    def set_label(self, cell: CellId, code: str | None) -> None:
        """Give one cell another label, or none; costs the same at any size."""
        row = self.table.row(cell)
        number = NONE if code is None else self._number.get(code, NONE)
        before = int(self.labels[row])
        if before != NONE:
            self.counts[before] -= 1
        if number != NONE:
            self.counts[number] += 1
        self.labels[row] = number

    def set_guesses(
        self,
        ids: npt.NDArray[np.int64],
        codes: tuple[str, ...],
        probabilities: npt.NDArray[np.float32],
    ) -> None:
        """Take in a model's opinion; cells that it does not name lose theirs.

        Parameters
        ----------
        ids : int64[m]
            Cell ids.
        codes : tuple of str
            Class of each column.
        probabilities : float32[m, len(codes)]
            Rows that hold NaN count as no opinion.
        """
        self.guesses = np.full(len(self.table), NONE, np.int16)
        self.confidence = np.zeros(len(self.table), np.float32)
        known = np.isin(ids, self.table.ids) & np.isfinite(probabilities).all(axis=1)
        if not known.any() or not codes:
            return
        rows = self.table.rows(ids[known])
        best = probabilities[known].argmax(axis=1)
        numbers = np.array([self._number.get(c, NONE) for c in codes], np.int16)
        self.guesses[rows] = numbers[best]
        self.confidence[rows] = probabilities[known].max(axis=1)

    def label(self, cell: CellId) -> str:
        """Return the code of a cell's label; empty: none."""
        return self._code(self.labels[self.table.row(cell)])

    def guess(self, cell: CellId) -> tuple[str, float]:
        """Return the predicted code and its probability; ``("", 0.0)``: none."""
        row = self.table.row(cell)
        return self._code(self.guesses[row]), float(self.confidence[row])

    def _code(self, number: int) -> str:
        return self.codes[number] if number != NONE else ""

    def predicted_counts(self) -> npt.NDArray[np.int64]:
        """Return int64[classes]: unlabelled cells predicted as each class."""
        open_ = self.guesses[(self.labels == NONE) & (self.guesses != NONE)]
        return np.bincount(open_, minlength=len(self.codes)).astype(np.int64)

    def of_class(
        self, rows: Rows, code: str, *, guessed: bool = True
    ) -> npt.NDArray[np.bool_]:
        """Return bool[len(rows)]: labelled so, or unlabelled and guessed so."""
        number = self._number[code]
        labels = self.labels[rows]
        same: npt.NDArray[np.bool_] = labels == number
        if guessed:
            same |= (labels == NONE) & (self.guesses[rows] == number)
        return same

    def first_labelled(self, code: str) -> CellId | None:
        """Return a cell with this label, or None."""
        rows = np.flatnonzero(self.labels == self._number[code])
        return CellId(int(self.table.ids[rows[0]])) if len(rows) else None

    def inside(self, smear: SmearId, view: Rectangle) -> Rows:
        """Return the rows of the cells whose centre lies in ``view``.

        Sorted by x once a smear, so the cost goes with the strip in view.
        """
        if int(smear) not in self._by_x:
            return np.zeros(0, np.intp)
        rows, xs = self._by_x[int(smear)]
        low, high = np.searchsorted(xs, [view.x, view.x + view.width])
        strip = rows[low:high]
        y = self._centres[strip, 1]
        held: Rows = strip[(y >= view.y) & (y <= view.y + view.height)]
        return held

    def of_smear(self, smear: SmearId) -> Rows:
        """Return the rows of a smear's cells, by x."""
        return self._by_x[int(smear)][0] if int(smear) in self._by_x else _NO_ROWS

    def centres(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return float32[n, 2]: x, y of the middle of each box."""
        return self._centres[rows].astype(np.float32)

    def at(self, smear: SmearId, x: float, y: float) -> CellId | None:
        """Return the cell whose box holds a point, the nearest centre first."""
        reach = self._reach(smear)
        near = self.inside(smear, Rectangle(x - reach, y - reach, 2 * reach, 2 * reach))
        boxes = self.table.boxes[near]
        holds = (
            (boxes[:, 0] <= x)
            & (x <= boxes[:, 0] + boxes[:, 2])
            & (boxes[:, 1] <= y)
            & (y <= boxes[:, 1] + boxes[:, 3])
        )
        near = near[holds]
        if not len(near):
            return None
        away = np.hypot(self._centres[near, 0] - x, self._centres[near, 1] - y)
        return CellId(int(self.table.ids[near[away.argmin()]]))

    def _reach(self, smear: SmearId) -> float:
        """Half of the widest box of a smear: no box further off can hold the point."""
        rows, _ = self._by_x.get(int(smear), (np.zeros(0, np.intp), None))
        return float(self.table.boxes[rows, 2:].max(initial=0)) / 2
