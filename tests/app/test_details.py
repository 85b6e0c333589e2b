from __future__ import annotations

from typing import Any

import pytest

from napari_cytosynth.app.details import DESCRIBE
from napari_cytosynth.app.panels import Tab
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.testing.readable import put_readable_vectors
from napari_cytosynth.testing.tiny import tiny_project


def _first_told(desk: Desk) -> Any:
    """Walk along the grid to a cell whose picture and outline agree."""
    for row in range(len(desk.session.state.listing)):
        desk.views.annotate.cellChosen.emit(row)
        if desk.views.annotate.shown("show_details"):
            return desk.session.state.focus
    raise AssertionError("no cell is described")


def test_the_focused_cell_is_described(desk: Desk) -> None:
    _first_told(desk)
    (line,) = desk.views.annotate.shown("show_details")
    assert line.startswith("Measured: N/C 0.")
    assert "µm" in line


def test_what_is_known_is_told_at_once_and_not_made_again(
    held: Desk, runner: HeldRunner
) -> None:
    view = held.views.annotate
    view.cellChosen.emit(0)
    assert view.shown("show_details") == ()
    runner.release(DESCRIBE)
    while DESCRIBE in runner.running():
        runner.release(DESCRIBE)
    view.cellChosen.emit(1)
    view.cellChosen.emit(0)
    assert DESCRIBE not in runner.running()
    focus = held.session.state.focus
    told = held.session.details.lines(focus, guesses=False)
    assert told == view.shown("show_details")


def test_a_picture_cut_anew_is_described_anew(desk: Desk) -> None:
    cell = _first_told(desk)
    assert desk.session.details.lines(cell, guesses=True)
    desk.session.on_picture_cut(cell)
    assert desk.session.details.lines(cell, guesses=True) == ()


def test_a_cell_struck_out_meanwhile_is_no_failure(
    held: Desk, runner: HeldRunner
) -> None:
    held.views.annotate.cellChosen.emit(0)
    assert held.session.remove_cell()
    while DESCRIBE in runner.running():
        runner.release(DESCRIBE)
    assert held.failures == []


@pytest.fixture
def read(open_desk: Any) -> Desk:
    """Return a desk over cells whose vectors the attribute heads know."""
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, smears=6)
    put_readable_vectors(project)
    return open_desk(project)


def _told(desk: Desk) -> str:
    return " ".join(desk.views.annotate.shown("show_details"))


def test_attributes_are_told_of_predicted_cells_unless_one_reads_blind(
    read: Desk,
) -> None:
    assert "granules 0." not in _told(read)
    read.session.set_tab(Tab.PREDICTED)
    assert "granules 0." in _told(read)
    read.session.set_blind(True)
    assert "granules 0." not in _told(read)
    read.session.set_blind(False)
    assert "granules 0." in _told(read)
    # Even where the queue lists the same cells in the same order.
    read.session.state.tab = Tab.QUEUE
    assert "granules 0." not in _told(read)


def _card(desk: Desk, *, says_why: bool) -> CellId:
    """Return a card of the queue that says why it came, or a silent one."""
    cards = desk.views.annotate.shown("show_cards")
    made = (cards[row] for row in range(len(cards)))
    silent = "card "
    return CellId(
        next(c.id for c in made if c.caption.startswith(silent) is not says_why)
    )


def test_attributes_of_a_silent_card_are_told_after_its_label(read: Desk) -> None:
    cell = _card(read, says_why=False)
    read.session.focus_cell(cell)
    assert "granules 0." not in _told(read)
    assert read.session.label("EO")
    read.session.focus_cell(cell)
    assert "granules 0." in _told(read)
    assert read.session.undo()
    assert "granules 0." not in _told(read)


def test_attributes_of_a_card_that_says_why_are_told_at_once(read: Desk) -> None:
    read.session.focus_cell(_card(read, says_why=True))
    assert "granules 0." in _told(read)
    read.session.set_blind(True)
    assert "granules 0." not in _told(read)


def test_the_reason_of_a_labelled_card_names_what_is_seen(read: Desk) -> None:
    reasons = read.session.state.listing.reasons.values()
    assert all("granules" in reason for reason in reasons)
