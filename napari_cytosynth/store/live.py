"""The project that both twins share: rules, ids, the fold and its caches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable, Detections
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author, Event, EventKind
from napari_cytosynth.core.project import CutBy
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.store import rules
from napari_cytosynth.store.columns import runs_of
from napari_cytosynth.store.cuts import Cut
from napari_cytosynth.store.ledger import Ledger
from napari_cytosynth.store.pictures import put_vectors, read_vectors


class LiveProject(Ledger):
    """Implements :class:`~napari_cytosynth.core.project.Project` over a backend.

    To the ledger it adds cells, with their pictures and vectors. Those too are read and
    written outside the lock.

    Parameters
    ----------
    backend : Backend
        Where the data lies.
    """

    def add_cells(
        self,
        smear: SmearId,
        found: Detections,
        crops: Crops,
        *,
        author: Author | None = None,
        codes: Sequence[str] = (),
        cut_by: CutBy | None = None,
    ) -> npt.NDArray[np.int64]:
        """Add cells with their crops in one transaction; return their ids.

        With an ``author`` each gets a "cell added" event, as if added by hand; with
        ``codes`` of as many classes its label too, save where that is empty.
        ``cut_by``: the smear's pixel size unless given.
        """
        self._demand_open()
        self._smears.demand(smear)
        rules.check_detections(found, crops)
        if not len(found):
            return np.zeros(0, np.int64)
        return self._keep_cells(
            smear,
            found,
            crops,
            lambda ids: () if author is None else _added(author, ids, found, codes),
            cut_by,
        )

    def _keep_cells(
        self,
        smear: int,
        found: Detections,
        crops: Crops,
        make: Callable[[npt.NDArray[np.int64]], Iterable[Event]],
        cut_by: CutBy | None = None,
    ) -> npt.NDArray[np.int64]:
        """Keep cells and the events made of their ids in one transaction."""
        row = self._backend.write_crops(crops)
        how = cut_by or CutBy(self._scale(smear))
        with self._held():
            first = self._columns.last + 1
            ids = np.arange(first, first + len(found), dtype=np.int64)
            events = self._number(*make(ids), new=set(ids.tolist()))
            runs = runs_of(smear, first, row, found, how)
            self._backend.save_cells(runs, found.outlines, *events)
            for run in runs:
                self._columns.add(run)
            self._take_in(events)
        return ids

    def add_cell_by_hand(
        self, smear: SmearId, box: Box, crop: Crops, author: Author
    ) -> CellId:
        """Add one cell, with its "cell added" event; undo takes it away.

        ``crop`` is uint8[1, 96, 96, 3] or uint8[96, 96, 3].
        """
        pixels = crop if crop.ndim == 4 else crop[None]
        found = rules.as_detection(box)
        (cell,) = self.add_cells(smear, found, pixels, author=author)
        return CellId(int(cell))

    def change_box(self, cell: CellId, box: Box, crops: Crops, author: Author) -> Event:
        """Give a cell another box, with the picture cut from it; undo restores both."""
        self._demand_standing(cell)
        rules.check_detections(rules.as_detection(box), crops)
        row = self._backend.write_crops(crops)
        place = (box.x, box.y, box.width, box.height)
        mpp = self._scale(self._columns.run_of(cell).smear)
        (event,) = self.record(author.box_changed(cell, place, row, mpp))
        return event

    def split_cell(
        self, cell: CellId, found: Detections, crops: Crops, author: Author
    ) -> npt.NDArray[np.int64]:
        """Replace a cell by others in one transaction; return their ids."""
        self._demand_standing(cell)
        rules.check_detections(found, crops)
        smear = self._columns.run_of(cell).smear
        return self._keep_cells(
            smear, found, crops, lambda ids: (author.split(cell, ids.tolist()),)
        )

    def _demand_standing(self, cell: CellId) -> None:
        self.cells().row(cell)

    def cells(self) -> CellTable:
        """Return all standing cells: removed ones left out, corrected boxes applied."""
        with self._held():
            return self._columns.standing(self._journal)

    def removed_cells(self) -> CellTable:
        """Return the cells that were struck out, with the boxes that they came with."""
        with self._held():
            return self._columns.struck_out(self._journal)

    def outline(self, cell: CellId) -> npt.NDArray[np.float32]:
        """Return the polygon float32[k, 2] of a cell; level-0 pixels, x-y."""
        with self._held():
            run, box = self._columns.run_of(cell), self._journal.boxes.of(cell)
            if box is not None:
                return rules.as_detection(Box(*box)).outlines[0]
            return self._backend.outline(run, int(cell))

    def crops(self, cells: npt.ArrayLike) -> Crops:
        """Return uint8[n, 96, 96, 3] for these cell ids."""
        with self._held():
            shown = self._pictures.shown(cells)
        return self._backend.crops(shown.rows)

    def pictures_changed(self, cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return int64[n]: a number for each picture cut anew, 0 for a first one."""
        with self._held():
            return self._pictures.changed(cells)

    def stale_crops(self, smear: SmearId) -> npt.NDArray[np.int64]:
        """Return standing cells whose crop was cut by another pixel size than holds."""
        with self._held():
            self._smears.demand(smear)
            return self._pictures.stale(smear)

    def put_crops(
        self, cells: npt.ArrayLike, boxes: npt.ArrayLike, crops: Crops, mpp: float
    ) -> None:
        """Keep crops cut anew by a pixel size; of cells that have these boxes still."""
        rules.check_crops(crops, np.size(cells))
        row = self._backend.write_crops(crops)
        with self._held():
            ids = self._columns.check(cells)
            table = self._columns.standing(self._journal)
            there = np.isin(ids, table.ids)
            same = there.copy()
            now = table.boxes[table.rows(ids[there])]
            same[there] = (now == np.asarray(boxes, np.float32)[there]).all(axis=1)
            given = self._pictures.boxes_of(ids)
            # Cell 0 is none: a crop whose box is another by now is never asked for.
            cut = Cut(float(mpp), row, np.where(same, ids, 0), given)
            self._backend.save_cut(cut)
            self._pictures.add(cut)

    def put_embeddings(
        self, embedder: str, cells: npt.ArrayLike, vectors: Vectors
    ) -> None:
        """Store vectors under the embedder's fingerprint."""
        with self._held():
            shown = self._pictures.shown(cells)
        plain = rules.check_vectors(vectors, len(shown.rows))
        put_vectors(self._backend, embedder, shown, plain)

    def embeddings(self, embedder: str, cells: npt.ArrayLike) -> Vectors:
        """Return float32[n, dim]; rows of cells without a vector are NaN."""
        with self._held():
            shown = self._pictures.shown(cells)
        return read_vectors(self._backend, embedder, shown)


def _added(
    author: Author,
    ids: npt.NDArray[np.int64],
    found: Detections,
    codes: Sequence[str],
) -> Iterator[Event]:
    for number, box in zip(ids.tolist(), found.boxes.tolist(), strict=True):
        yield author.event(EventKind.CELL_ADDED, number, box=box)
    if codes:
        for number, code in zip(ids.tolist(), codes, strict=True):
            if code:
                yield author.label(CellId(number), code)
