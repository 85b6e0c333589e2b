"""A project's folder: the database is the truth, arrays and weights lie beside it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_cytosynth import __version__
from napari_cytosynth.core.errors import ProjectError
from napari_cytosynth.core.files import sync_folder
from napari_cytosynth.core.journal import Event, now
from napari_cytosynth.core.project import Job
from napari_cytosynth.core.protocols import Crops, Vectors, Weights
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.smear import Calibration, Smear
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.store import rows
from napari_cytosynth.store.arrays import PictureArray, VectorArrays, sweep_partials
from napari_cytosynth.store.backend import Contents, Outline
from napari_cytosynth.store.columns import CellRun
from napari_cytosynth.store.complaints import row_errors, storage_errors
from napari_cytosynth.store.cuts import Cut
from napari_cytosynth.store.database import Database
from napari_cytosynth.store.lock import ProjectLock
from napari_cytosynth.store.migrations import migrate
from napari_cytosynth.store.models import (
    ModelFile,
    read_model,
    sweep_models,
    write_model,
)
from napari_cytosynth.store.rules import plain_json
from napari_cytosynth.store.schema import SCHEMA_VERSION, TABLES

DATABASE = "project.sqlite"

Lock: TypeAlias = AbstractContextManager[Any]


class Held(Protocol):
    """What keeps other processes from the folder."""

    taken_over: bool

    def release(self) -> None:
        """Let others in."""
        ...


def lay_out(folder: Path, taxonomy: Taxonomy) -> None:
    """Make an empty project in an empty folder."""
    database = Database(folder / DATABASE)
    try:
        with database.transaction() as connection:
            for statement in TABLES:
                connection.execute(statement)
            for key, value in (
                ("schema_version", str(SCHEMA_VERSION)),
                ("created", now()),
                ("created_by", __version__),
            ):
                rows.insert(connection, "meta", "key, value", (key, value))
            rows.write_taxonomy(connection, taxonomy)
    finally:
        database.close()
    (folder / "models").mkdir()
    sync_folder(folder)


class DiskBackend:
    """Keeps a project in its folder. Opening locks it and sweeps what a crash left.

    Parameters
    ----------
    folder : Path
        An existing project.
    break_lock : bool
        Take the lock even from another host.
    """

    def __init__(self, folder: Path, *, break_lock: bool = False) -> None:
        with storage_errors(folder, "opening it"):
            held = ProjectLock(folder, break_lock=break_lock)
            try:
                sweep_partials(folder)
                with row_errors(folder, "content"):
                    migrate(folder / DATABASE)
                database = Database(folder / DATABASE)
            except BaseException:
                held.release()
                raise
        self._attach(folder, held, database)

    def _attach(self, folder: Path, held: Held, database: Database) -> None:
        self.folder, self._lock, self._database = folder, held, database
        self._closed = False
        self._crops = PictureArray(folder / "crops.zarr")
        self._painted = PictureArray(folder / "synthetic.zarr")
        self._vectors = VectorArrays(folder / "embeddings.zarr")
        self._db_lock = threading.RLock()
        self._vector_lock = threading.Lock()
        self._model_lock = threading.Lock()

    @property
    def name(self) -> str:
        """Folder name without its ending."""
        return self.folder.stem

    @contextmanager
    def _using(self, lock: Lock, doing: str) -> Iterator[None]:
        """Hold one of the locks; closing takes them all, so nothing is cut off."""
        with lock, storage_errors(self.folder, doing):
            if self._closed:
                raise ProjectError(f"'{self.folder}' was closed while {doing}.")
            yield

    @contextmanager
    def _change(self, doing: str) -> Iterator[sqlite3.Connection]:
        with (
            self._using(self._db_lock, doing),
            self._database.transaction() as connection,
        ):
            yield connection

    def _rows(self, doing: str, sql: str, *values: object) -> list[rows.Row]:
        with self._using(self._db_lock, doing):
            return self._database.read(sql, *values).fetchall()

    def load(self) -> Contents:
        """Read everything that a live project holds in memory, and sweep orphans."""
        try:
            with self._using(self._db_lock, "opening it"):
                self._check_after_crash()
                return self._load()
        except BaseException:
            self.close()
            raise

    def _check_after_crash(self) -> None:
        if self._lock.taken_over and not self._database.sound():
            raise ProjectError(
                f"The database of '{self.folder}' is damaged. Restore the folder from "
                "a backup; do not delete files one by one."
            )

    def _load(self) -> Contents:
        read = self._database.read
        meta = dict(read("SELECT key, value FROM meta").fetchall())
        with row_errors(self.folder, "list of smears"):
            smears = [rows.read_smear(row) for row in read(rows.READ_SMEARS)]
        with row_errors(self.folder, "list of cells"):
            runs = [rows.read_run(row) for row in read(rows.READ_RUNS)]
            cuts = [rows.read_cut(row) for row in read(rows.READ_CUTS)]
        with row_errors(self.folder, "journal"):
            events = rows.read_events(read(rows.READ_EVENTS).fetchall())
        with row_errors(self.folder, "list of classes"):
            taxonomy = rows.read_taxonomy(meta, read(rows.READ_CLASSES))
        with row_errors(self.folder, "list of jobs"):
            jobs = [rows.read_job(row) for row in read(rows.READ_JOBS)]
        self._sweep(runs, cuts, events)
        return Contents(
            taxonomy,
            [smear for smear, _ in smears],
            {int(s.id): c for s, c in smears if c is not None},
            runs,
            events,
            jobs,
            cuts,
        )

    def _sweep(
        self, runs: Sequence[CellRun], cuts: Sequence[Cut], events: Sequence[Event]
    ) -> None:
        """Remove what no row names: a crash came between blob and row."""
        with row_errors(self.folder, "journal"):
            recut = [(int(e.data["crop"]), 1) for e in events if "crop" in e.data]
        recut += [(cut.crop, len(cut)) for cut in cuts]
        self._crops.sweep([*((run.crop, len(run)) for run in runs), *recut])
        painted = self._database.read("SELECT picture, 1 FROM synthetic").fetchall()
        self._painted.sweep(painted)
        models = self._database.read("SELECT file FROM model").fetchall()
        sweep_models(self.folder / "models", (file for (file,) in models))

    def save_smear(self, smear: Smear) -> None:
        """Insert or replace a smear by its id."""
        with self._change("adding a smear") as connection:
            rows.write_smear(connection, smear)

    def save_calibration(self, smear: int, calibration: Calibration) -> None:
        """Insert or replace the calibration of a smear."""
        with self._change("saving a calibration") as connection:
            connection.execute(
                "UPDATE smear SET calibration = ? WHERE id = ?",
                (plain_json(calibration.to_json()), int(smear)),
            )

    def write_crops(self, crops: Crops) -> int:
        """Keep crops and return the row of the first."""
        with self._using(self._crops.lock, "adding cells"):
            return self._crops.append(crops)

    def save_cells(
        self, runs: Sequence[CellRun], outlines: Sequence[Outline], *events: Event
    ) -> None:
        """Keep cells, outlines and events together or not at all."""
        with self._change("adding cells") as connection:
            for run in runs:
                start = run.first - runs[0].first
                part = outlines[start : start + len(run)]
                rows.write_run(connection, run, part)
            rows.write_events(connection, events)

    def save_cut(self, cut: Cut) -> None:
        """Keep which crops were cut anew."""
        with self._change("cutting pictures anew") as connection:
            rows.write_cut(connection, cut)

    def save_events(self, *events: Event) -> None:
        """Keep events together or not at all."""
        with self._change("saving a label") as connection:
            rows.write_events(connection, events)

    def outline(self, run: CellRun, cell: int) -> Outline:
        """Return the outline of a cell of this run."""
        with self._using(self._db_lock, "reading an outline"):
            read = self._database.read
            (ends,) = read(
                "SELECT ends FROM outline WHERE first = ?", run.first
            ).fetchone()
            start, size = rows.outline_span(ends, cell - run.first)
            sql = "SELECT substr(points, ?, ?) FROM outline WHERE first = ?"
            (points,) = read(sql, start + 1, size, run.first).fetchone()
            return rows.read_outline(points)

    def crops(self, where: npt.NDArray[np.int64]) -> Crops:
        """Return the crops in these rows."""
        # No lock: shards never change once a row names them.
        with storage_errors(self.folder, "reading crops"):
            return self._crops.read(where)

    def put_vectors(
        self, embedder: str, ids: npt.NDArray[np.int64], vectors: Vectors
    ) -> None:
        """Keep the vectors of these cells."""
        with self._using(self._vector_lock, "saving embeddings"):
            self._vectors.put(embedder, ids, vectors)

    def vectors(self, embedder: str, ids: npt.NDArray[np.int64]) -> Vectors:
        """Return vectors of these cells, NaN where there are none."""
        with self._using(self._vector_lock, "reading embeddings"):
            return self._vectors.read(embedder, ids)

    def write_pictures(self, pictures: Crops) -> int:
        """Keep pictures of synthetic cells and return the row of the first."""
        with self._using(self._painted.lock, "saving synthetic cells"):
            return self._painted.append(pictures)

    def save_synthetic(self, cells: Sequence[SyntheticCell], row: int) -> None:
        """Keep synthetic cells, which have their ids; pictures start at ``row``."""
        with self._change("saving synthetic cells") as connection:
            for i, cell in enumerate(cells):
                rows.write_synthetic(connection, cell, row + i)

    def synthetic(self) -> list[SyntheticCell]:
        """Read all synthetic cells, in order of id."""
        found = self._rows("reading synthetic cells", rows.READ_SYNTHETIC)
        where = np.array([rows.picture_row(row) for row in found], np.int64)
        with storage_errors(self.folder, "reading synthetic cells"):
            return rows.build_synthetic(found, self._painted.read(where))

    def save_status(self, ids: Sequence[int], status: Status) -> None:
        """Change the status of synthetic cells."""
        with self._change("changing synthetic cells") as connection:
            connection.executemany(
                "UPDATE synthetic SET status = ? WHERE id = ?",
                [(str(status), number) for number in ids],
            )

    def put_model(self, name: str, weights: Weights) -> str:
        """Keep weights, replacing older ones of that name; return their SHA-256."""
        folder, doing = self.folder / "models", "saving weights"
        with self._using(self._model_lock, doing):
            known = write_model(folder, name, weights)
            with self._change(doing) as connection:
                rows.write_model_row(connection, name, known, now())
            named = self._rows(doing, "SELECT file FROM model")
            sweep_models(folder, (file for (file,) in named))
        return known.sha256

    def model(self, name: str) -> Weights | None:
        """Return weights by name; raises WeightsError if damaged."""
        with self._using(self._model_lock, "reading weights"):
            found = self._rows("reading weights", rows.READ_MODEL, name)
            if not found:
                return None
            return read_model(self.folder / "models", ModelFile(*found[0]))

    def save_job(self, job: Job) -> None:
        """Insert or replace a job by its key."""
        with self._change("saving a job") as connection:
            rows.write_job(connection, job, now())

    def close(self) -> None:
        """Wait for what is under way, close, and give the lock back. Idempotent."""
        with ExitStack() as stack:
            for lock in self._locks():
                stack.enter_context(lock)
            if not self._closed:
                self._closed = True
                self._database.close()
                self._lock.release()

    def _locks(self) -> list[Lock]:
        """Return all locks, in the order in which they may be taken."""
        blobs = [self._crops.lock, self._painted.lock, self._vector_lock]
        return [*blobs, self._model_lock, self._db_lock]
