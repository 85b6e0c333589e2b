"""What a live project asks of the place where its data lies: memory or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.journal import Event
from napari_cytosynth.core.project import Job
from napari_cytosynth.core.protocols import Crops, Vectors, Weights
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.smear import Calibration, Smear
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.store.columns import CellRun
from napari_cytosynth.store.cuts import Cut

Outline = npt.NDArray[np.float32]
"""float32[k, 2], polygon x, y in level-0 pixels."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is read when a project opens; pixels, vectors and outlines stay behind.

    Parameters
    ----------
    taxonomy : Taxonomy
        The project's classes.
    smears : sequence of Smear
        In order of id.
    calibrations : dict of smear id to Calibration
        Those that were stored.
    runs : sequence of CellRun
        In order of id.
    events : sequence of Event
        In order of id.
    jobs : sequence of Job
        Oldest first.
    cuts : sequence of Cut
        Crops cut anew by another pixel size, oldest first.
    """

    taxonomy: Taxonomy
    smears: Sequence[Smear] = ()
    calibrations: dict[int, Calibration] = field(default_factory=dict)
    runs: Sequence[CellRun] = ()
    events: Sequence[Event] = ()
    jobs: Sequence[Job] = ()
    cuts: Sequence[Cut] = ()


class Backend(Protocol):
    """Keeps things. What a method has returned from is kept; what raised is not.

    Methods may be called from several threads at once.
    """

    @property
    def name(self) -> str:
        """Name of the project."""
        ...

    def load(self) -> Contents:
        """Read everything that a live project holds in memory."""
        ...

    def save_smear(self, smear: Smear) -> None:
        """Insert or replace a smear by its id."""
        ...

    def save_calibration(self, smear: int, calibration: Calibration) -> None:
        """Insert or replace the calibration of a smear."""
        ...

    def write_crops(self, crops: Crops) -> int:
        """Keep crops and return the row of the first."""
        ...

    def save_cells(
        self, runs: Sequence[CellRun], outlines: Sequence[Outline], *events: Event
    ) -> None:
        """Keep cells, outlines and events together or not at all."""
        ...

    def save_cut(self, cut: Cut) -> None:
        """Keep which crops were cut anew."""
        ...

    def save_events(self, *events: Event) -> None:
        """Keep events together or not at all."""
        ...

    def outline(self, run: CellRun, cell: int) -> Outline:
        """Return the outline of a cell of this run."""
        ...

    def crops(self, rows: npt.NDArray[np.int64]) -> Crops:
        """Return the crops in these rows."""
        ...

    def put_vectors(
        self, embedder: str, ids: npt.NDArray[np.int64], vectors: Vectors
    ) -> None:
        """Keep the vectors of these cells."""
        ...

    def vectors(self, embedder: str, ids: npt.NDArray[np.int64]) -> Vectors:
        """Return vectors of these cells, NaN where there are none."""
        ...

    def write_pictures(self, pictures: Crops) -> int:
        """Keep pictures of synthetic cells and return the row of the first."""
        ...

    def save_synthetic(self, cells: Sequence[SyntheticCell], row: int) -> None:
        """Keep synthetic cells, which have their ids; pictures start at ``row``."""
        ...

    def synthetic(self) -> list[SyntheticCell]:
        """Read all synthetic cells, in order of id."""
        ...

    def save_status(self, ids: Sequence[int], status: Status) -> None:
        """Change the status of synthetic cells."""
        ...

    def put_model(self, name: str, weights: Weights) -> str:
        """Keep weights, replacing older ones of that name; return their SHA-256."""
        ...

    def model(self, name: str) -> Weights | None:
        """Return weights by name; raises WeightsError if damaged."""
        ...

    def save_job(self, job: Job) -> None:
        """Insert or replace a job by its key."""
        ...

    def close(self) -> None:
        """Release everything. Idempotent."""
        ...
