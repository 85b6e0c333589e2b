"""The project that both twins share: rules, ids, the fold and its caches."""

from __future__ import annotations

import threading
from collections.abc import (
    Callable,
    Container,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable, Detections
from napari_cytosynth.core.errors import ProjectError
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, EventId, SmearId, SyntheticId
from napari_cytosynth.core.journal import Author, Event, EventKind, Journal
from napari_cytosynth.core.project import CutBy, Job, JobState
from napari_cytosynth.core.protocols import Crops, Vectors, Weights
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.smear import Calibration, Smear
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.store import rules
from napari_cytosynth.store.backend import Backend, Contents
from napari_cytosynth.store.columns import Columns, runs_of
from napari_cytosynth.store.complaints import row_errors
from napari_cytosynth.store.cuts import Cut
from napari_cytosynth.store.pictures import Pictures, put_vectors, read_vectors
from napari_cytosynth.store.smears import Smears
from napari_cytosynth.store.synthetics import Synthetics


class LiveProject:
    """Implements :class:`~napari_cytosynth.core.project.Project` over a backend.

    A call first checks, then has the backend keep, then changes memory. So what it
    raises leaves both as they were. Pixels, vectors and weights are read and written
    outside the lock: a label never waits for them.

    Parameters
    ----------
    backend : Backend
        Where the data lies.
    """

    def __init__(self, backend: Backend) -> None:
        self._lock = threading.RLock()
        self._backend = backend
        self._closed = False
        contents = backend.load()
        try:
            with row_errors(backend.name, "journal"):
                self._fold(contents)
        except BaseException:
            backend.close()
            raise

    def _fold(self, contents: Contents) -> None:
        """Fold what was read."""
        backend = self._backend
        self._taxonomy = contents.taxonomy
        self._smears = Smears(backend, contents.smears, contents.calibrations)
        self._columns = Columns(contents.runs)
        self._jobs = {job.key: job for job in contents.jobs}
        self._journal = Journal(contents.events)
        self._pictures = Pictures(
            self._columns, self._journal, self._scale, contents.cuts
        )
        self._synthetics = Synthetics(backend)
        for event in contents.events:
            self._columns.note(event, self._journal)

    def _demand_open(self) -> None:
        if self._closed:
            raise ProjectError(
                f"Project '{self.name}' is closed. Open it again to go on."
            )

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            self._demand_open()
            yield

    @property
    def name(self) -> str:
        """Folder name, or the name given to the in-memory twin."""
        return self._backend.name

    @property
    def taxonomy(self) -> Taxonomy:
        """The project's classes."""
        return self._taxonomy

    @property
    def journal(self) -> Journal:
        """The fold over all recorded events. Read only; kept up to date."""
        return self._journal

    def add_smear(self, smear: Smear) -> Smear:
        """Add a smear, or return the one of the same fingerprint; sets its id."""
        with self._held():
            return self._smears.add(smear)

    def smears(self) -> list[Smear]:
        """Return all smears, in order of id."""
        self._demand_open()
        return self._smears.all()

    def relink(self, smear: SmearId, uri: str, fingerprint: str) -> Smear:
        """Point a smear at a moved file; the fingerprint must be the same."""
        with self._held():
            return self._smears.relink(smear, uri, fingerprint)

    def set_calibration(self, smear: SmearId, calibration: Calibration) -> None:
        """Store the calibration of a smear, replacing an older one."""
        with self._held():
            self._smears.calibrate(smear, calibration)

    def calibration(self, smear: SmearId) -> Calibration | None:
        """Return the calibration of a smear, or None before it was made."""
        self._demand_open()
        measured = self._smears.calibration(smear)
        event = self._journal.scale(smear)
        if event is None:
            return measured
        return Calibration.from_json(event.data["calibration"])

    def _scale(self, smear: int) -> float | None:
        calibration = self.calibration(SmearId(smear))
        return None if calibration is None else calibration.mpp

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
            run, box = self._columns.run_of(cell), self._journal.box(cell)
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

    def record(self, *events: Event) -> tuple[Event, ...]:
        """Commit events in one transaction and return them with ids: acknowledged."""
        with self._held():
            if not events:
                return ()
            numbered = self._number(*events)
            self._backend.save_events(*numbered)
            self._take_in(numbered)
            return numbered

    def _number(self, *events: Event, new: Container[int] = ()) -> tuple[Event, ...]:
        """Check events, also those of cells about to come, and give them ids."""
        for event in events:
            rules.check_event(event, self._taxonomy)
            if event.cell not in new:
                self._check_subject(event)
        first = self._journal.last_id + 1
        numbered = tuple(
            replace(rules.tidy_event(event), id=EventId(first + i))
            for i, event in enumerate(events)
        )
        self._journal.check(*numbered)
        return numbered

    def _check_subject(self, event: Event) -> None:
        if event.kind is EventKind.VERDICT:
            self._synthetics.check([event.cell or 0])
        elif event.cell is not None and event.kind is not EventKind.CELL_ADDED:
            self._columns.check(event.cell)

    def _take_in(self, events: Sequence[Event]) -> None:
        for event in events:
            self._journal.apply(event)
            self._columns.note(event, self._journal)

    def add_synthetic(
        self, cells: Sequence[SyntheticCell]
    ) -> tuple[SyntheticCell, ...]:
        """Store synthetic cells with provenance and assessments; sets their ids."""
        self._demand_open()
        rules.check_synthetic(cells, self._taxonomy)
        if not cells:
            return ()
        row = self._backend.write_pictures(np.stack([c.pixels for c in cells]))
        with self._held():
            return self._synthetics.add(cells, row)

    def synthetic(
        self, code: str | None = None, status: Status | None = None
    ) -> tuple[SyntheticCell, ...]:
        """Return synthetic cells, verdicts from the journal applied to their status."""
        with self._held():
            return self._synthetics.find(self._journal, code, status)

    def set_synthetic_status(self, ids: Sequence[SyntheticId], status: Status) -> None:
        """Change the stored status of synthetic cells (such as DROPPED)."""
        with self._held():
            self._synthetics.set_status(ids, status)

    def put_model(self, name: str, weights: Weights) -> str:
        """Store weights under a name, replacing older ones; return their SHA-256."""
        self._demand_open()
        return self._backend.put_model(name, weights)

    def model(self, name: str) -> Weights | None:
        """Return the weights of this name; raises WeightsError if damaged."""
        self._demand_open()
        return self._backend.model(name)

    def put_job(self, job: Job) -> None:
        """Store or replace a job by its key."""
        with self._held():
            self._backend.save_job(job)
            self._jobs[job.key] = job

    def jobs(self, state: JobState | None = None) -> list[Job]:
        """Return jobs, oldest first."""
        self._demand_open()
        found = list(self._jobs.values())
        return [job for job in found if state is None or job.state is state]

    def close(self) -> None:
        """Close files and give the lock back. Idempotent."""
        with self._lock:
            self._closed = True
            self._backend.close()


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
