"""Searches from the desk: the queue waits while the reader looks at what was found."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.app.listing import Listing
from napari_cytosynth.app.panels import Tab
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Mode
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.workflows.splitting import held_out_cells
from tests.app.conftest import OpenDesk


def _labelled(desk: Desk, n: int = 25) -> Desk:
    desk.label_truly(n)
    return desk


def test_more_like_the_focused_cell_and_back_to_it_with_escape(desk: Desk) -> None:
    session, keyboard = desk.session, desk.presenters.annotate.keyboard
    before, queue = session.state.focus, session.state.listing
    keyboard.press("=")
    listing = session.state.listing
    assert session.state.search == f"Cells like cell {before}."
    assert before not in listing.ids
    assert session.state.focus == listing.ids[0]
    assert all(int(i) in listing.reasons for i in listing.ids)
    keyboard.press("Escape")
    assert session.state.search == ""
    assert session.state.focus == before
    assert set(queue.ids.tolist()) == set(session.state.listing.ids.tolist())


def test_escape_in_the_queue_moves_nothing(desk: Desk) -> None:
    focus = desk.session.state.focus
    desk.presenters.annotate.keyboard.press("Escape")
    assert desk.session.state.focus == focus


def test_every_card_that_was_found_says_why_it_came(desk: Desk) -> None:
    session = desk.session
    session.searching.like_cell()
    cards = desk.views.annotate.shown("show_cards")
    assert all(cards[row].caption.startswith("likeness") for row in range(len(cards)))
    session.set_blind(True)
    cards = desk.views.annotate.shown("show_cards")
    assert not any(cards[row].caption for row in range(len(cards)))


def test_a_label_given_in_a_search_is_no_audit_label(desk: Desk) -> None:
    session = desk.session
    session.searching.like_cell()
    measured = set(held_out_cells(session.project).tolist())
    for _ in range(3):
        cell = session.state.focus
        assert cell is not None
        assert int(cell) not in measured
        session.label(desk.truth[cell])
        label = session.project.journal.label(cell)
        assert label is not None
        assert label.mode is Mode.TEACH
    assert session.state.search


def test_find_more_of_a_class_from_its_row(desk: Desk) -> None:
    session = _labelled(desk).session
    code = next(c for c in desk.truth.values() if session.index.first_labelled(c))
    desk.views.classes.findAsked.emit(code)
    assert session.state.search.startswith("Cells like ")
    assert f"({code})" in session.state.search
    assert session.state.tab is Tab.QUEUE
    assert all("looks like" in why for why in session.state.listing.reasons.values())


def test_a_class_without_an_example_says_what_to_do_and_the_queue_stays(
    desk: Desk,
) -> None:
    session, listing = desk.session, desk.session.state.listing
    session.searching.find_class("BA")
    assert "no example of BA" in session.state.failure
    assert session.state.search == ""
    assert session.state.listing == listing


def test_a_search_is_made_again_with_what_was_labelled_since(
    taught: Desk, runner: HeldRunner
) -> None:
    session = taught.session
    code = next(c for c in taught.truth.values() if session.index.first_labelled(c))
    session.searching.find_class(code)
    runner.release("search")
    assert "synthetic" not in session.state.search
    runner.release("search-draw")
    assert "synthetic example" in session.state.search
    focus = session.state.focus
    assert focus is not None
    session.label(taught.truth[focus])
    runner.release("learn")
    after = session.state.focus
    runner.release("search")
    assert session.state.focus == after
    ahead = session.state.listing.ids[session.state.listing.row_of(after or 0) :]
    assert focus not in ahead
    assert session.state.search


def test_another_strategy_or_the_button_leaves_the_search(desk: Desk) -> None:
    session = desk.session
    session.searching.like_cell()
    session.set_strategy("margin")
    assert session.state.search == ""
    session.searching.like_cell()
    desk.views.annotate.searchLeft.emit()
    assert session.state.search == ""


def test_more_like_a_card_of_the_grid(desk: Desk) -> None:
    ids = desk.session.state.listing.ids
    desk.views.annotate.likeAsked.emit(3)
    assert desk.session.state.search == f"Cells like cell {ids[3]}."
    desk.session.searching.like_cell(CellId(int(ids[0])))
    desk.session.searching.leave()
    assert desk.session.state.search == ""


def test_the_queue_learns_on_behind_a_search(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.session.searching.like_cell()
    found = desk.session.state.listing
    desk.session.learner.rerank()
    assert desk.session.state.listing == found


def _finding(taught: Desk, runner: HeldRunner) -> CellId:
    """List cells of a class, label the first, and return a cell of the queue."""
    session = taught.session
    queue = session.state.listing.ids
    code = next(c for c in taught.truth.values() if session.index.first_labelled(c))
    session.searching.find_class(code)
    runner.release("search")
    focus = session.state.focus
    assert focus is not None
    session.label(taught.truth[focus])
    return CellId(int(queue[-1]))


def test_a_round_of_learning_does_not_drop_what_is_looked_for(
    taught: Desk, runner: HeldRunner
) -> None:
    other = _finding(taught, runner)
    taught.session.searching.like_cell(other)
    runner.release("learn")
    assert runner.count("search") == 1
    runner.release("search")
    assert taught.session.state.search == f"Cells like cell {other}."


def test_a_late_search_does_not_replace_other_cells_listed_since(
    taught: Desk, runner: HeldRunner
) -> None:
    session, other = taught.session, _finding(taught, runner)
    runner.release("learn")
    session.searching.show(Listing(np.array([other], np.int64)), "This field.")
    runner.release("search-draw")
    assert session.state.search == "This field."
    assert session.state.listing.ids.tolist() == [other]


def test_examples_are_drawn_once_however_many_labels_come_meanwhile(
    taught: Desk, runner: HeldRunner
) -> None:
    session = taught.session
    _finding(taught, runner)
    runner.release("learn")
    focus = session.state.focus
    assert focus is not None
    session.label(taught.truth[focus])
    runner.release("learn")
    assert runner.count("search-draw") == 1
    runner.release("search-draw")
    assert "synthetic example" in session.state.search
