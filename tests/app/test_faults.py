"""Wrong boxes, told by a key: they wait, train nothing, and are listed to be mended."""

from __future__ import annotations

from napari_cytosynth.app.cards import CellCards
from napari_cytosynth.app.panels import FAULTY
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.workflows.train import training_cells


def badge_of(desk: Desk, cell: CellId) -> str:
    session = desk.session
    cards = CellCards(session, session.state.listing, session.crops)
    row = cards.row_of(cell)
    assert row is not None
    return cards[row].badge


def test_a_key_tells_the_fault_and_goes_on(desk: Desk) -> None:
    session, view = desk.session, desk.views.annotate
    first = session.state.focus
    assert first is not None
    view.keyPressed.emit("-")
    second = session.state.focus
    assert second not in (None, first)
    view.keyPressed.emit("/")
    assert badge_of(desk, first) == "box wrong"
    assert badge_of(desk, second) == "two cells"
    assert session.state.history[0] == f"two cells of cell {second}"
    assert session.undo()
    assert badge_of(desk, second) == ""


def test_flagged_cells_are_listed_to_be_mended(desk: Desk) -> None:
    session, view = desk.session, desk.views.annotate
    view.filterChosen.emit(FAULTY)
    assert "No box waits" in view.shown("show_nothing")
    view.filterChosen.emit("")
    first = session.state.focus
    assert first is not None
    view.keyPressed.emit("/")
    view.filterChosen.emit(FAULTY)
    assert session.state.listing.ids.tolist() == [first]
    assert session.state.focus == first
    # With a new box it waits for its label again.
    box = Author("Ada").box_changed(first, (10.0, 10.0, 40.0, 40.0))
    session.project.record(box)
    assert badge_of(desk, first) == ""
    session.set_filter("")
    session.set_filter(FAULTY)
    assert len(session.state.listing) == 0


def test_its_label_trains_no_longer(taught: Desk, runner: HeldRunner) -> None:
    session = taught.session
    key, journal = session.learner.key, session.project.journal
    cell = next(c for c, label in journal.labels().items() if label.mode is Mode.TEACH)
    held = len(training_cells(session.project, key))
    session.focus_cell(cell)
    taught.views.annotate.keyPressed.emit("-")
    trained = training_cells(session.project, key)
    assert len(trained) == held - 1
    assert cell not in trained.ids
    assert journal.label(cell) is not None
    assert session.undo()
    assert len(training_cells(session.project, key)) == held
