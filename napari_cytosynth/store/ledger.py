"""What happened to a project and what belongs to it: all but cells and pictures."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from napari_cytosynth.core.errors import ProjectError
from napari_cytosynth.core.ids import EventId, SmearId, SyntheticId
from napari_cytosynth.core.journal import Event, EventKind, Journal
from napari_cytosynth.core.project import Job, JobState
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.smear import Calibration, Smear
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.store import rules
from napari_cytosynth.store.backend import Backend, Contents
from napari_cytosynth.store.columns import Columns
from napari_cytosynth.store.complaints import row_errors
from napari_cytosynth.store.pictures import Pictures
from napari_cytosynth.store.smears import Smears
from napari_cytosynth.store.synthetics import Synthetics


class Ledger:
    """Journal, smears, synthetic cells, models and jobs, over a backend.

    A call first checks, then has the backend keep, then changes memory. So what it
    raises leaves both as they were. Pixels and weights are read and written outside the
    lock: a label never waits for them.

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
        event = self._journal.smears.scale(smear)
        if event is None:
            return measured
        return Calibration.from_json(event.data["calibration"])

    def _scale(self, smear: int) -> float | None:
        calibration = self.calibration(SmearId(smear))
        return None if calibration is None else calibration.mpp

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
        elif event.kind is EventKind.CALL:
            kind, number = event.data["shown"]
            painted = kind == "synthetic"
            (self._synthetics if painted else self._columns).check([int(number)])
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
