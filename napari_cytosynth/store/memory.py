"""A project that lives as long as its process: for tests, previews and the CLI."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.journal import Event
from napari_cytosynth.core.project import Job
from napari_cytosynth.core.protocols import Crops, Vectors, Weights
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.smear import Calibration, Smear
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.store.backend import Contents, Outline
from napari_cytosynth.store.columns import CellRun
from napari_cytosynth.store.cuts import Cut
from napari_cytosynth.store.live import LiveProject
from napari_cytosynth.store.rules import plain_json


class MemoryBackend:
    """Keeps pixels, outlines, vectors and weights; the live project keeps the rest."""

    def __init__(self, taxonomy: Taxonomy, name: str) -> None:
        self._taxonomy = taxonomy
        self._name = name
        self._lock = threading.Lock()
        self._crops: list[npt.NDArray[np.uint8]] = []
        self._outlines: dict[int, Outline] = {}
        self._vectors: dict[str, dict[int, npt.NDArray[np.float32]]] = {}
        self._models: dict[str, Weights] = {}

    @property
    def name(self) -> str:
        """Name of the project."""
        return self._name

    def load(self) -> Contents:
        """Return an empty project."""
        return Contents(self._taxonomy)

    def save_smear(self, smear: Smear) -> None:
        """Do nothing: the live project holds it."""

    def save_calibration(self, smear: int, calibration: Calibration) -> None:
        """Do nothing: the live project holds it."""

    def save_cut(self, cut: Cut) -> None:
        """Do nothing: the live project holds it."""

    def save_events(self, *events: Event) -> None:
        """Do nothing: the live project holds them."""

    def save_job(self, job: Job) -> None:
        """Demand what the disk would: details that JSON can hold."""
        plain_json(dict(job.data))

    def write_crops(self, crops: Crops) -> int:
        """Keep copies of crops and return the row of the first."""
        with self._lock:
            first = len(self._crops)
            self._crops.extend(crops.copy())
            return first

    def save_cells(
        self, runs: Sequence[CellRun], outlines: Sequence[Outline], *events: Event
    ) -> None:
        """Keep outlines; the live project holds the rest."""
        first = runs[0].first
        for i, outline in enumerate(outlines):
            self._outlines[first + i] = np.asarray(outline, np.float32).reshape(-1, 2)

    def outline(self, run: CellRun, cell: int) -> Outline:
        """Return the outline of a cell."""
        return self._outlines[cell].copy()

    def crops(self, rows: npt.NDArray[np.int64]) -> Crops:
        """Return the crops in these rows."""
        found = np.zeros((len(rows), CROP_PIXELS, CROP_PIXELS, 3), np.uint8)
        for i, row in enumerate(rows):
            found[i] = self._crops[row]
        return found

    def put_vectors(
        self, embedder: str, ids: npt.NDArray[np.int64], vectors: Vectors
    ) -> None:
        """Keep copies of vectors."""
        kept = self._vectors.setdefault(embedder, {})
        dim = len(next(iter(kept.values()))) if kept else vectors.shape[1]
        if vectors.shape[1] != dim:
            raise InputError(
                f"Embedder '{embedder}' gave vectors of {vectors.shape[1]} numbers, "
                f"earlier {dim}. One fingerprint means one dimension; use another key."
            )
        with self._lock:
            kept.update(zip(ids.tolist(), vectors.copy(), strict=True))

    def vectors(self, embedder: str, ids: npt.NDArray[np.int64]) -> Vectors:
        """Return vectors of these cells, NaN where there are none."""
        kept = self._vectors.get(embedder, {})
        dim = len(next(iter(kept.values()))) if kept else 0
        found = np.full((len(ids), dim), np.nan, np.float32)
        for i, number in enumerate(ids.tolist()):
            if number in kept:
                found[i] = kept[number]
        return found

    def write_pictures(self, pictures: Crops) -> int:
        """Keep nothing: the live project holds the cells, pixels and all."""
        return 0

    def save_synthetic(self, cells: Sequence[SyntheticCell], row: int) -> None:
        """Do nothing: the live project holds them."""

    def synthetic(self) -> list[SyntheticCell]:
        """Return none: the live project starts empty."""
        return []

    def save_status(self, ids: Sequence[int], status: Status) -> None:
        """Do nothing: the live project holds it."""

    def put_model(self, name: str, weights: Weights) -> str:
        """Keep weights; return their SHA-256."""
        plain_json(dict(weights.meta))
        self._models[name] = weights
        return weights.sha256

    def model(self, name: str) -> Weights | None:
        """Return weights by name."""
        return self._models.get(name)

    def close(self) -> None:
        """Keep nothing back: there is no file to release."""


class MemoryProject(LiveProject):
    """The in-memory twin of ``CellProject``.

    Parameters
    ----------
    taxonomy : Taxonomy
        The project's classes.
    name : str
        Shown in messages.
    """

    def __init__(self, taxonomy: Taxonomy, name: str = "memory") -> None:
        super().__init__(MemoryBackend(taxonomy, name))
