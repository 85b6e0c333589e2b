"""The learning curve and the pace of a project."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Event, Mode
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.curve import Measure
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.fakes import FAKE_EMBEDDERS
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.progress import (
    in_order_given,
    measure_curve,
    measure_stopping,
    pace_of,
    stored_curve,
    stored_stopping,
)
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.train import training_cells

ADA, BOB = Author("Ada"), Author("Bob")
NOON = datetime.fromisoformat("2026-03-01T12:00:00.000+00:00")


@pytest.fixture
def project() -> MemoryProject:
    return MemoryProject(built_in("pbc11"))


def given(author: Author, cell: int, seconds: float, code: str = "BA") -> Event:
    moment = (NOON + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return replace(author.label(CellId(cell), code), time=moment)


def test_curve_follows_the_order_of_labels_and_is_kept(project: MemoryProject) -> None:
    truth = tiny_project(project, smears=8, cells_per_smear=12)
    compute = InlineCompute(embedders=FAKE_EMBEDDERS)
    key = run_to_end(embed_cells(project, compute))
    table = project.cells()
    train = table.ids[~splits_of(project, table).audit]
    late_first = [CellId(int(i)) for i in train[::-1]]
    project.record(*(ADA.label(cell, truth[cell]) for cell in late_first))
    cells = in_order_given(project, training_cells(project, key))
    assert cells.ids.tolist() == [int(i) for i in late_first]
    assert stored_curve(project, key) is None
    curve = run_to_end(measure_curve(project, key))
    assert curve.measure is Measure.CROSS
    assert curve.points[-1].labels == len(train)
    assert stored_curve(project, key) == curve
    assert stored_curve(project, "another embedder") is None


def test_pace_is_that_of_the_last_sitting(project: MemoryProject) -> None:
    tiny_project(project, smears=1, cells_per_smear=40)
    ids = project.cells().ids.tolist()
    # Quick labels, a pause, and slow ones.
    before = [given(ADA, i, k) for k, i in enumerate(ids[:10])]
    after = [given(ADA, i, 600 + 10 * k) for k, i in enumerate(ids[10:17])]
    others = [given(BOB, ids[20], 661)]
    read = [given(replace(ADA, mode=Mode.IMPORT), ids[21], 662)]
    project.record(*before, *after, *others, *read)
    pace = pace_of(project.journal, "Ada")
    assert (pace.labels, pace.minutes) == (6, pytest.approx(1.0))
    assert pace.per_minute == pytest.approx(6.0)


def test_no_pace_from_a_few_labels(project: MemoryProject) -> None:
    tiny_project(project, smears=1, cells_per_smear=40)
    ids = project.cells().ids.tolist()
    assert pace_of(project.journal, "Ada").per_minute is None
    project.record(*(given(ADA, i, 2 * k) for k, i in enumerate(ids[:4])))
    assert pace_of(project.journal, "Ada").per_minute is None
    assert pace_of(project.journal, "Ada").labels == 3


def test_labels_taken_back_count_for_none(project: MemoryProject) -> None:
    tiny_project(project, smears=1, cells_per_smear=40)
    ids = project.cells().ids.tolist()
    project.record(*(given(ADA, i, 2 * k) for k, i in enumerate(ids[:10])))
    (target,) = project.journal.undo_step("Ada")
    project.record(ADA.undo(target.id))
    assert pace_of(project.journal, "Ada").labels == 8


def test_what_more_labels_bring_is_kept(project: MemoryProject) -> None:
    truth = tiny_project(project, smears=8, cells_per_smear=20)
    key = run_to_end(embed_cells(project, InlineCompute(embedders=FAKE_EMBEDDERS)))
    table = project.cells()
    train = table.ids[~splits_of(project, table).audit]
    assert stored_stopping(project) is None
    project.record(*(ADA.label(CellId(int(i)), truth[CellId(int(i))]) for i in train))
    stopping = run_to_end(measure_stopping(project, key))
    assert stopping.labels == len(train)
    known = {truth[CellId(int(i))] for i in train}
    assert {f.code for f in stopping.forecasts} == {"", *known}
    assert stored_stopping(project, key) == stored_stopping(project) == stopping
    assert stored_stopping(project, "another embedder") is None
