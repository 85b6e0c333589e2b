from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError, ProvenanceError
from napari_cytosynth.core.ids import SyntheticId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.provenance import Assessment, Status, SyntheticCell
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_synthetic
from napari_cytosynth.workflows.kept import accepted_cells
from napari_cytosynth.workflows.review import judge, judge_all

READER = Author("A. Reader")


@pytest.fixture
def project() -> MemoryProject:
    """Three proposed monocytes, and a fourth that the gate dropped."""
    made = MemoryProject(built_in("pbc11"))
    cells = tiny_synthetic(made.taxonomy, "MO", 4)
    veto = Assessment("copy", 0.2, passed=False, reason="A copy of cell 7.")
    made.add_synthetic(
        [*cells[:3], replace(cells[3].judged(veto), status=Status.DROPPED)]
    )
    return made


def trains(
    project: MemoryProject, code: str | None = None
) -> tuple[SyntheticCell, ...]:
    return accepted_cells(project, np.zeros(0, np.int64), code)


def status(project: MemoryProject, number: int) -> Status:
    (cell,) = (c for c in project.synthetic() if c.id == number)
    return cell.status


def test_nothing_trains_before_a_verdict(project: MemoryProject) -> None:
    assert trains(project) == ()


def test_only_accepted_cells_train(project: MemoryProject) -> None:
    judge(project, SyntheticId(1), True, READER)
    judge(project, SyntheticId(2), False, READER)
    assert [c.id for c in trains(project)] == [1]
    assert [c.id for c in trains(project, "MO")] == [1]
    assert trains(project, "LY") == ()
    assert status(project, 2) is Status.REJECTED
    assert status(project, 3) is Status.PROPOSED


def test_a_later_verdict_wins(project: MemoryProject) -> None:
    judge(project, SyntheticId(1), True, READER)
    judge(project, SyntheticId(1), False, READER)
    assert status(project, 1) is Status.REJECTED


def test_undo_takes_a_verdict_back(project: MemoryProject) -> None:
    event = judge(project, SyntheticId(1), True, READER)
    assert event.annotator == "A. Reader"
    project.record(READER.undo(event.id))
    assert status(project, 1) is Status.PROPOSED
    assert trains(project) == ()


def test_a_stored_cell_needs_no_look_up(project: MemoryProject) -> None:
    cell: SyntheticCell = project.synthetic()[0]
    judge(project, cell, True, READER)
    assert status(project, int(cell.id)) is Status.ACCEPTED


def test_what_the_gate_dropped_stays_dropped(project: MemoryProject) -> None:
    with pytest.raises(ProvenanceError, match=r"dropped by the gate: A copy of cell 7"):
        judge(project, SyntheticId(4), True, READER)
    assert status(project, 4) is Status.DROPPED


@pytest.mark.parametrize("bad", [4, 99])
def test_several_verdicts_are_given_together_or_not_at_all(
    project: MemoryProject, bad: int
) -> None:
    verdicts = {SyntheticId(1): True, SyntheticId(2): False}
    with pytest.raises((InputError, ProvenanceError)):
        judge_all(project, {**verdicts, SyntheticId(bad): True}, READER)
    assert project.journal.events() == ()
    assert len(judge_all(project, verdicts, READER)) == 2
    assert [status(project, n) for n in (1, 2)] == [Status.ACCEPTED, Status.REJECTED]
    assert judge_all(project, {}, READER) == ()


def test_an_unknown_number_is_refused(project: MemoryProject) -> None:
    with pytest.raises(InputError, match="no synthetic cell 99"):
        judge(project, SyntheticId(99), True, READER)
    assert project.journal.events() == ()
