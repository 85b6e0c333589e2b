from __future__ import annotations

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.rereading import (
    Fault,
    fault,
    faulty,
    is_confirmed,
    is_settled,
)
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_project

ADA, BOB = Author("Ada"), Author("Bob")


def project_with(*codes: str) -> tuple[MemoryProject, CellId]:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, smears=1, cells_per_smear=2)
    cell = CellId(int(project.cells().ids[0]))
    for code in codes:
        project.record(ADA.label(cell, code))
    return project, cell


def test_a_label_given_twice_is_confirmed_until_taken_back() -> None:
    project, cell = project_with("BA")
    assert not is_confirmed(project.journal, cell)
    (again,) = project.record(BOB.label(cell, "BA"))
    assert is_confirmed(project.journal, cell)
    assert is_settled(project.journal, cell, "BA")
    project.record(BOB.undo(again.id))
    assert not is_confirmed(project.journal, cell)
    assert not is_settled(project.journal, cell, "BA")


def test_a_changed_label_is_not_confirmed_but_the_doubt_of_the_old_is_over() -> None:
    project, cell = project_with("BA", "EO")
    assert not is_confirmed(project.journal, cell)
    assert is_settled(project.journal, cell, "BA")
    assert not is_settled(project.journal, cell, "EO")


def test_merged_classes_are_one() -> None:
    project, cell = project_with("SNE", "BNE")
    assert not is_confirmed(project.journal, cell)
    project.record(ADA.merged("BNE", "SNE"))
    assert is_confirmed(project.journal, cell)


def test_a_struck_out_cell_is_settled() -> None:
    project, cell = project_with("BA")
    project.record(ADA.removed(cell))
    assert is_settled(project.journal, cell, "BA")


def test_a_fault_waits_for_a_new_box_a_split_or_a_label() -> None:
    project, cell = project_with("BA")
    journal = project.journal
    assert fault(journal, cell) == ""
    project.record(ADA.skip(cell))
    assert (fault(journal, cell), journal.skipped(cell)) == ("", True)
    (said,) = project.record(ADA.skip(cell, Fault.TWO))
    assert fault(journal, cell) == "two cells"
    assert faulty(journal) == {cell: "two cells"}
    project.record(ADA.box_changed(cell, (10.0, 10.0, 40.0, 40.0)))
    assert (fault(journal, cell), journal.skipped(cell)) == ("", False)
    project.record(ADA.skip(cell, Fault.BOX))
    assert fault(journal, cell) == "box wrong"
    project.record(ADA.label(cell, "BA"))
    assert faulty(journal) == {}
    assert said.data == {"fault": "two cells"}


def test_a_fault_can_be_undone_and_ends_with_the_cell() -> None:
    project, cell = project_with()
    (said,) = project.record(ADA.skip(cell, Fault.BOX))
    project.record(ADA.undo(said.id))
    assert fault(project.journal, cell) == ""
    assert not project.journal.skipped(cell)
    project.record(ADA.skip(cell, Fault.BOX), ADA.removed(cell))
    assert faulty(project.journal) == {}
