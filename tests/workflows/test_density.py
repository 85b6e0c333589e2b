"""The density that a ranking by novelty asks for, on a painted project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from napari_cytosynth.core.errors import WorkerError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import LabelledCells, Weights
from napari_cytosynth.core.registry import BY_DENSITY, DEFAULT_STRATEGY
from napari_cytosynth.core.tasks import Task, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.synthesis.embedding import EmbeddingGenerator
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.density import REFIT, density_for
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.quality import flaws_by_cell
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.suggest import suggest

READER = Author("reader")


class _Counting(InlineCompute):
    """Fits in a few steps, and counts the fits."""

    def __init__(self) -> None:
        super().__init__()
        self.fits, self.fails = 0, False

    def fit(
        self, generator: str, cells: LabelledCells, config: Mapping[str, Any]
    ) -> Task[Weights]:
        self.fits += 1
        if self.fails:
            raise WorkerError("The backend is away. Start it.")
        assert generator == EmbeddingGenerator.key
        quick = {**config, "steps": 20, "width": 16, "blocks": 1}
        return (yield from EmbeddingGenerator().fit(cells, quick))


class _Desk:
    def __init__(self) -> None:
        self.project, self.compute = MemoryProject(built_in("blood5")), _Counting()
        self.truth = tiny_project(self.project, smears=8, cells_per_smear=22)
        task = embed_cells(self.project, self.compute, embedder="morphology")
        self.key = run_to_end(task)
        train = self.project.cells().ids[~splits_of(self.project).audit]
        self.waiting = [CellId(int(i)) for i in train]

    def label(self, n: int, code: str = "") -> None:
        for cell in self.waiting[:n]:
            self.project.record(READER.label(cell, code or self.truth[cell]))
        self.waiting = self.waiting[n:]

    def density(self, strategy: str = BY_DENSITY) -> Any:
        return run_to_end(density_for(self.project, self.key, strategy, self.compute))


@pytest.fixture
def desk() -> _Desk:
    made = _Desk()
    made.label(40)
    return made


def test_a_density_is_fitted_once_for_labels_that_hardly_changed(desk: _Desk) -> None:
    first = desk.density()
    assert first is not None
    desk.label(REFIT - 1, first.codes[0])
    assert desk.density() is first
    assert desk.compute.fits == 1
    desk.label(1, first.codes[0])
    assert desk.density() is not first
    assert desk.compute.fits == 2


def test_a_class_that_comes_is_learned_at_once(desk: _Desk) -> None:
    first = desk.density()
    new = next(c for c in desk.project.taxonomy.codes if c not in first.codes)
    desk.label(1, new)
    assert new in desk.density().codes


def test_only_a_strategy_that_asks_costs_a_fit(desk: _Desk) -> None:
    for strategy in (DEFAULT_STRATEGY, "novelty", "margin"):
        assert desk.density(strategy) is None
    assert desk.compute.fits == 0


def test_the_strangest_come_by_what_the_density_says(desk: _Desk) -> None:
    density = desk.density()
    found = suggest(desk.project, desk.key, head=None, strategy=BY_DENSITY, n=60)
    told = suggest(
        desk.project, desk.key, head=None, strategy=BY_DENSITY, n=60, density=density
    )
    cards = told.query.ids[~told.audit]
    assert cards.tolist() != found.query.ids[~found.audit].tolist()
    # Flawed cells stand among the others as decoys of audit cards.
    table = desk.project.cells()
    sound = cards[flaws_by_cell(desk.project, table)[table.rows(cards)] == 0]
    vectors = desk.project.embeddings(desk.key, sound)
    best = density.log_density(vectors).max(axis=1)
    assert (np.diff(best) >= -1e-9).all()


def test_without_a_backend_or_with_too_few_labels_there_is_none(desk: _Desk) -> None:
    desk.compute.fails = True
    assert desk.density() is None
    few = _Desk()
    few.label(2)
    assert few.density() is None
