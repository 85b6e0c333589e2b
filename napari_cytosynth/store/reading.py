"""A project's folder where nothing can be written: read as it lies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import (
    ProjectError,
    ProjectLockedError,
    StorageError,
)
from napari_cytosynth.core.journal import Event
from napari_cytosynth.core.protocols import Crops, Vectors, Weights
from napari_cytosynth.store.columns import CellRun
from napari_cytosynth.store.complaints import storage_errors
from napari_cytosynth.store.cuts import Cut
from napari_cytosynth.store.database import Database
from napari_cytosynth.store.disk import DATABASE, DiskBackend
from napari_cytosynth.store.lock import LOCK_NAME
from napari_cytosynth.store.migrations import schema_version
from napari_cytosynth.store.schema import SCHEMA_VERSION


class NoLock:
    """Stands where a lock would: nothing is held, so nothing is given back."""

    taken_over = False

    def release(self) -> None:
        """Do nothing."""


class ReadingBackend(DiskBackend):
    """Reads a project's folder and writes nothing to it, not even a lock.

    Parameters
    ----------
    folder : Path
        An existing project.

    Raises
    ------
    ProjectLockedError
        If its lock file is there: somebody may be writing.
    ProjectError
        If a crash or an older schema asks for writing first.
    """

    def __init__(self, folder: Path) -> None:
        demand_at_rest(folder)
        with storage_errors(folder, "opening it"):
            database = Database(folder / DATABASE, read_only=True)
        try:
            with storage_errors(folder, "opening it"):
                _demand_present(folder, database.inquire(schema_version))
        except BaseException:
            database.close()
            raise
        self._attach(folder, NoLock(), database)
        self._computed: dict[str, dict[int, npt.NDArray[np.float32]]] = {}

    def _sweep(
        self, runs: Sequence[CellRun], cuts: Sequence[Cut], events: Sequence[Event]
    ) -> None:
        """Leave what a crash left: sweeping would write."""

    @contextmanager
    def _change(self, doing: str) -> Iterator[sqlite3.Connection]:
        self._refuse(doing)
        yield  # type: ignore[unreachable]  # makes this a generator

    def _refuse(self, doing: str) -> NoReturn:
        raise StorageError(
            f"'{self.folder}' is open to read only, so {doing} is not possible. Copy "
            "the folder to where you may write, and work on the copy."
        )

    def write_crops(self, crops: Crops) -> int:
        """Refuse."""
        self._refuse("adding cells")

    def write_pictures(self, pictures: Crops) -> int:
        """Refuse."""
        self._refuse("saving synthetic cells")

    def put_model(self, name: str, weights: Weights) -> str:
        """Refuse."""
        self._refuse("saving weights")

    def put_vectors(
        self, embedder: str, ids: npt.NDArray[np.int64], vectors: Vectors
    ) -> None:
        """Keep vectors in memory: they are derived, and a ranking needs them."""
        kept = self._computed.setdefault(embedder, {})
        kept |= dict(zip(ids.tolist(), vectors.astype(np.float32), strict=True))

    def vectors(self, embedder: str, ids: npt.NDArray[np.int64]) -> Vectors:
        """Return vectors of these cells, stored or computed, NaN where none."""
        found = super().vectors(embedder, ids)
        kept = self._computed.get(embedder, {})
        if kept and not found.shape[1]:
            found = np.full((len(ids), len(next(iter(kept.values())))), np.nan, "f4")
        for row, number in enumerate(ids.tolist()):
            if number in kept:
                found[row] = kept[number]
        return found


def _demand_present(folder: Path, version: int) -> None:
    """Raise if the project has another schema than the present one."""
    if version != SCHEMA_VERSION:
        raise ProjectError(
            f"Project '{folder}' has schema {version}, and this program reads "
            f"{SCHEMA_VERSION}. Bringing it there writes: copy it to where you may."
        )


def demand_at_rest(folder: Path) -> None:
    """Raise if somebody holds the project, or a crash left a change half-way.

    Raises
    ------
    ProjectLockedError
        If its lock file is there.
    ProjectError
        If SQLite left a journal.
    """
    if (folder / LOCK_NAME).exists():
        raise ProjectLockedError(
            f"'{folder}' cannot be written and holds a '{LOCK_NAME}': it is open "
            "elsewhere, or was when it was copied. Close it there, or copy it to where "
            "you may write, without that file."
        )
    for ending in ("-wal", "-journal"):
        left = folder / f"{DATABASE}{ending}"
        if left.exists() and left.stat().st_size:
            raise ProjectError(
                f"'{folder}' was cut off in the middle of a change and must recover, "
                "which writes. Copy it to where you may write, and open the copy."
            )
