"""A project's folder: the database is the truth, arrays and weights lie beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
from napari_cytosynth.store.complaints import storage_errors
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
        self.folder = folder
        with storage_errors(folder, "opening it"):
            self._lock = ProjectLock(folder, break_lock=break_lock)
            try:
                sweep_partials(folder)
                migrate(folder / DATABASE)
                self._database = Database(folder / DATABASE)
            except BaseException:
                self._lock.release()
                raise
        self._closed = False

    @property
    def name(self) -> str:
        """Folder name without its ending."""
        return self.folder.stem

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        with storage_errors(self.folder, doing):
            yield

    @contextmanager
    def _change(self, doing: str) -> Iterator[sqlite3.Connection]:
        with self._errors(doing), self._database.transaction() as connection:
            yield connection

    def load(self) -> Contents:
        """Read everything that a live project holds in memory, and sweep orphans."""
        try:
            with self._errors("opening it"):
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
        smears = [rows.read_smear(row) for row in read(rows.READ_SMEARS)]
        runs = [rows.read_run(row) for row in read(rows.READ_RUNS)]
        self._open_arrays(runs)
        return Contents(
            rows.read_taxonomy(meta, read(rows.READ_CLASSES)),
            [smear for smear, _ in smears],
            {int(s.id): c for s, c in smears if c is not None},
            runs,
            [rows.read_event(row) for row in read(rows.READ_EVENTS)],
            [rows.read_job(row) for row in read(rows.READ_JOBS)],
        )

    def _open_arrays(self, runs: Sequence[CellRun]) -> None:
        self._crops = PictureArray(
            self.folder / "crops.zarr", ((run.crop, len(run)) for run in runs)
        )
        painted = self._database.read("SELECT picture, 1 FROM synthetic").fetchall()
        self._painted = PictureArray(self.folder / "synthetic.zarr", painted)
        self._vectors = VectorArrays(self.folder / "embeddings.zarr")
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
        with self._errors("adding cells"):
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
            for event in events:
                rows.write_event(connection, event)

    def save_events(self, *events: Event) -> None:
        """Keep events together or not at all."""
        with self._change("saving a label") as connection:
            for event in events:
                rows.write_event(connection, event)

    def outline(self, run: CellRun, cell: int) -> Outline:
        """Return the outline of a cell of this run."""
        with self._errors("reading an outline"):
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
        with self._errors("reading crops"):
            return self._crops.read(where)

    def put_vectors(
        self, embedder: str, ids: npt.NDArray[np.int64], vectors: Vectors
    ) -> None:
        """Keep the vectors of these cells."""
        with self._errors("saving embeddings"):
            self._vectors.put(embedder, ids, vectors)

    def vectors(self, embedder: str, ids: npt.NDArray[np.int64]) -> Vectors:
        """Return vectors of these cells, NaN where there are none."""
        with self._errors("reading embeddings"):
            return self._vectors.read(embedder, ids)

    def save_synthetic(self, cells: Sequence[SyntheticCell]) -> None:
        """Keep synthetic cells, which have their ids."""
        with self._errors("saving synthetic cells"):
            first = self._painted.append(np.stack([cell.pixels for cell in cells]))
            with self._database.transaction() as connection:
                for i, cell in enumerate(cells):
                    rows.write_synthetic(connection, cell, first + i)

    def synthetic(self) -> list[SyntheticCell]:
        """Read all synthetic cells, in order of id."""
        with self._errors("reading synthetic cells"):
            found = self._database.read(rows.READ_SYNTHETIC).fetchall()
            where = np.array([rows.picture_row(row) for row in found], np.int64)
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
        folder = self.folder / "models"
        with self._errors("saving weights"):
            known = write_model(folder, name, weights)
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO model "
                    "(name, file, sha256, meta_sha256, time) VALUES (?, ?, ?, ?, ?)",
                    (name, known.file, known.sha256, known.meta_sha256, now()),
                )
            named = self._database.read("SELECT file FROM model").fetchall()
            sweep_models(folder, (file for (file,) in named))
        return known.sha256

    def model(self, name: str) -> Weights | None:
        """Return weights by name; raises WeightsError if damaged."""
        with self._errors("reading weights"):
            row = self._database.read(
                "SELECT file, sha256, meta_sha256 FROM model WHERE name = ?", name
            ).fetchone()
            if row is None:
                return None
            return read_model(self.folder / "models", ModelFile(*row))

    def save_job(self, job: Job) -> None:
        """Insert or replace a job by its key."""
        with self._change("saving a job") as connection:
            rows.write_job(connection, job, now())

    def close(self) -> None:
        """Close the database and give the lock back. Idempotent."""
        if not self._closed:
            self._closed = True
            self._database.close()
            self._lock.release()
