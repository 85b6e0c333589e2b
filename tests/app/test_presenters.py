from __future__ import annotations

from typing import Any

import numpy as np

from napari_cytosynth.app.panels import Sort, Tab
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.testing.desk import Desk


def test_a_label_repaints_one_card_and_moves_the_mark(desk: Desk) -> None:
    grid = desk.views.annotate
    cell = desk.session.state.focus
    row = desk.session.state.listing.row_of(cell)
    grid.forget()
    desk.session.label("MO")
    assert ("show_card_changed", (row,)) in grid.calls
    focus = desk.session.state.focus
    assert grid.shown("show_focus") == desk.session.state.listing.row_of(focus)
    card = grid.shown("show_cards")[row]
    assert (card.code, card.guess) == ("MO", "")
    assert card.colour.startswith("#")


def test_cards_carry_crop_and_reason(desk: Desk) -> None:
    cards = desk.views.annotate.shown("show_cards")
    project = desk.session.project
    for row in (0, len(cards) - 1):
        card = cards[row]
        assert np.array_equal(card.crop, project.crops([card.id])[0])
        assert card.caption
        assert cards.row_of(card.id) == row
    assert cards.row_of(10_000) is None


def test_what_the_dock_chooses_reaches_the_session_and_comes_back(desk: Desk) -> None:
    grid, state = desk.views.annotate, desk.session.state
    grid.cellChosen.emit(4)
    assert state.focus == state.listing.ids[4]
    grid.sortChosen.emit("by smear")
    assert state.sort is Sort.SMEAR
    assert grid.shown("show_sort") is Sort.SMEAR
    grid.tabChosen.emit("Predicted")
    assert state.tab is Tab.PREDICTED
    grid.blindToggled.emit(True)
    assert grid.shown("show_blind") is True
    grid.filterChosen.emit("BA")
    assert grid.shown("show_filter") == "BA"
    grid.strategyChosen.emit("entropy")
    assert (state.strategy, grid.shown("show_strategy")) == ("entropy", "entropy")


def test_what_was_said_goes_with_the_next_step(desk: Desk) -> None:
    strip, session = desk.views.status, desk.session
    session.state.say("Cell 3 is cells 7 and 8 now.")
    assert strip.shown("show_message") == "Cell 3 is cells 7 and 8 now."
    session.label("MO")
    assert strip.shown("show_message") == ""
    strip.forget()
    session.undo()
    assert "show_message" not in {name for name, _ in strip.calls}
    assert session.merge_class("MO", "SNE")
    assert strip.shown("show_message").startswith("MO counts as SNE")
    session.state.fail("A file is damaged.")
    session.undo()
    assert strip.shown("show_message") == ""


def test_only_the_rows_that_changed_are_shown_again(desk: Desk) -> None:
    dock = desk.views.classes
    assert [row.code for row in dock.shown("show_rows")][:2] == ["SNE", "BNE"]
    dock.forget()
    dock.classChosen.emit("BA")
    changed = {row.code for name, (_, row) in dock.calls if name == "show_row"}
    assert changed == {"BA"}
    assert dock.count("show_rows") == 0


def test_the_class_dock_filters_and_shows_references(desk: Desk) -> None:
    dock, cell = desk.views.classes, desk.session.state.focus
    dock.referenceAsked.emit("BA")
    assert dock.shown("show_reference") == ("BA", None)
    desk.session.label("BA")
    dock.referenceAsked.emit("BA")
    _, crop = dock.shown("show_reference")
    assert np.array_equal(crop, desk.session.project.crops([cell])[0])
    dock.filterAsked.emit("BA")
    assert desk.session.state.filter == "BA"
    dock.filterAsked.emit("BA")
    assert desk.session.state.filter == ""


def test_figures_say_that_they_cannot_be_estimated_yet(desk: Desk) -> None:
    desk.label_truly(10)
    rows = desk.session.state.classes
    assert {row.precision.text for row in rows} == {"cannot be estimated yet"}


def test_the_strip_shows_who_how_many_and_what_undo_does(desk: Desk) -> None:
    cell = desk.session.state.focus
    desk.session.label("MO")
    line = desk.views.status.shown("show_status")
    assert (line.annotator, line.labelled, line.cells) == ("Ada", 1, 60)
    assert line.undo == f"label MO of cell {cell}"
    desk.views.status.undoAsked.emit()
    line = desk.views.status.shown("show_status")
    assert (line.labelled, line.undo, line.redo) == (0, "", f"label MO of cell {cell}")


def test_failures_reach_the_strip(desk: Desk) -> None:
    desk.session.label("XYZ")
    assert "XYZ" in desk.views.status.shown("show_failure")


def test_tasks_are_shown_while_they_run(open_desk: Any, runner: Any) -> None:
    desk = open_desk(runner=runner)
    assert [t.key for t in desk.views.status.shown("show_tasks")] == ["learn"]
    runner.release("learn")
    assert desk.views.status.shown("show_tasks") == ()


def test_a_card_of_a_cell_struck_out_does_not_break_the_grid(desk: Desk) -> None:
    old = desk.views.annotate.shown("show_cards")
    cell = desk.session.state.focus
    row = old.row_of(cell)
    desk.session.remove_cell()
    assert old[row].badge == "removed"
    assert desk.views.annotate.shown("show_cards").row_of(cell) is None


def test_a_cell_chosen_on_the_smear_joins_the_grid_before_the_next(desk: Desk) -> None:
    state = desk.session.state
    listed = set(state.listing.ids.tolist())
    other = CellId(next(i for i in range(1, 61) if i not in listed))
    row = state.listing.row_of(state.focus)
    desk.session.focus_cell(other)
    assert state.listing.row_of(other) == row
    assert desk.views.annotate.shown("show_focus") == row


def test_no_hidden_cell_is_labelled_from_the_class_dock(desk: Desk) -> None:
    before = desk.session.project.journal.labels()
    for tab in (Tab.SYNTHETIC, Tab.EVIDENCE):
        desk.session.set_tab(tab)
        desk.views.classes.classChosen.emit("BA")
    assert desk.session.project.journal.labels() == before
    desk.session.set_tab(Tab.QUEUE)
    desk.views.classes.classChosen.emit("BA")
    assert len(desk.session.project.journal.labels()) == len(before) + 1
