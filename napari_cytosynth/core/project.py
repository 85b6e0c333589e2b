"""The port to a project's store. :mod:`napari_cytosynth.store` holds both twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable, Detections
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId, SyntheticId
from napari_cytosynth.core.journal import Author, Event, Journal
from napari_cytosynth.core.protocols import Crops, Vectors, Weights
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.smear import Calibration, Smear
from napari_cytosynth.core.taxonomy import Taxonomy


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """Work that outlives a crash: what was asked, and how far it came.

    Parameters
    ----------
    key : str
        Such as ``"detect:3"`` or ``"fill:BA:1f3a"``; one row a key.
    state : JobState
        Where it stands; RUNNING at open means that it was interrupted.
    data : mapping
        JSON-able: request, and progress such as tiles or draws done.
    """

    key: str
    state: JobState
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CutBy:
    """How the crops of found cells were cut.

    Parameters
    ----------
    mpp : float or None
        Micrometres a pixel; None where the smear was never measured.
    under : int
        Event of the search anew that found the cells: they stand as long as it does. 0
        for the first search.
    """

    mpp: float | None
    under: int = 0


class Project(Protocol):
    """A project: smears, cells, journal, synthetic cells, models, jobs.

    What a method has returned from is on the disk. All methods may be called from any
    thread.
    """

    @property
    def name(self) -> str:
        """Folder name, or a name for the in-memory twin."""
        ...

    @property
    def taxonomy(self) -> Taxonomy:
        """The project's classes."""
        ...

    def add_smear(self, smear: Smear) -> Smear:
        """Add a smear, or return the one of the same fingerprint; sets its id."""
        ...

    def smears(self) -> list[Smear]:
        """Return all smears, in order of id."""
        ...

    def relink(self, smear: SmearId, uri: str, fingerprint: str) -> Smear:
        """Point a smear at a moved file; the fingerprint must be the same."""
        ...

    def set_calibration(self, smear: SmearId, calibration: Calibration) -> None:
        """Store the calibration of a smear, replacing an older one."""
        ...

    def calibration(self, smear: SmearId) -> Calibration | None:
        """Return the calibration of a smear: as a person corrected it, else stored."""
        ...

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
        ...

    def add_cell_by_hand(
        self, smear: SmearId, box: Box, crop: Crops, author: Author
    ) -> CellId:
        """Add one cell, with its "cell added" event; undo takes it away."""
        ...

    def change_box(self, cell: CellId, box: Box, crops: Crops, author: Author) -> Event:
        """Give a cell another box, with the picture cut from it; undo restores both.

        ``crops`` is uint8[1, 96, 96, 3]. Vectors of the old picture count no more.
        """
        ...

    def split_cell(
        self, cell: CellId, found: Detections, crops: Crops, author: Author
    ) -> npt.NDArray[np.int64]:
        """Replace a cell by others in one transaction; return their ids.

        Undo brings the cell back and takes the others away.
        """
        ...

    def cells(self) -> CellTable:
        """Return all standing cells: removed ones left out, corrected boxes applied."""
        ...

    def removed_cells(self) -> CellTable:
        """Return the cells that were struck out, with the boxes that they came with."""
        ...

    def outline(self, cell: CellId) -> npt.NDArray[np.float32]:
        """Return the polygon float32[k, 2] of a cell; level-0 pixels, x-y."""
        ...

    def crops(self, cells: npt.ArrayLike) -> Crops:
        """Return uint8[n, 96, 96, 3] for these cell ids."""
        ...

    def pictures_changed(self, cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return int64[n]: a number for each crop cut anew, 0 for a first one."""
        ...

    def stale_crops(self, smear: SmearId) -> npt.NDArray[np.int64]:
        """Return standing cells whose crop was cut by another pixel size than holds."""
        ...

    def put_crops(
        self, cells: npt.ArrayLike, boxes: npt.ArrayLike, crops: Crops, mpp: float
    ) -> None:
        """Keep crops cut anew by a pixel size; of cells that have these boxes still."""
        ...

    def put_embeddings(
        self, embedder: str, cells: npt.ArrayLike, vectors: Vectors
    ) -> None:
        """Store vectors under the embedder's fingerprint."""
        ...

    def embeddings(self, embedder: str, cells: npt.ArrayLike) -> Vectors:
        """Return float32[n, dim]; rows of cells without a vector are NaN.

        float32[n, 0] where nothing was stored under this fingerprint.
        """
        ...

    def record(self, *events: Event) -> tuple[Event, ...]:
        """Commit events in one transaction and return them with ids: acknowledged."""
        ...

    @property
    def journal(self) -> Journal:
        """The fold over all recorded events. Read only; kept up to date."""
        ...

    def add_synthetic(
        self, cells: Sequence[SyntheticCell]
    ) -> tuple[SyntheticCell, ...]:
        """Store synthetic cells with provenance and assessments; sets their ids."""
        ...

    def synthetic(
        self, code: str | None = None, status: Status | None = None
    ) -> tuple[SyntheticCell, ...]:
        """Return synthetic cells, verdicts from the journal applied to their status."""
        ...

    def set_synthetic_status(self, ids: Sequence[SyntheticId], status: Status) -> None:
        """Change the stored status of synthetic cells (such as DROPPED)."""
        ...

    def put_model(self, name: str, weights: Weights) -> str:
        """Store weights under a name, replacing older ones; return their SHA-256."""
        ...

    def model(self, name: str) -> Weights | None:
        """Return the weights of this name; raises WeightsError if damaged."""
        ...

    def put_job(self, job: Job) -> None:
        """Store or replace a job by its key."""
        ...

    def jobs(self, state: JobState | None = None) -> list[Job]:
        """Return jobs, oldest first."""
        ...

    def close(self) -> None:
        """Close files and give the lock back. Idempotent."""
        ...
