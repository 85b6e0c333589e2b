"""The presenter of the blinded reader test, without any toolkit."""

from __future__ import annotations

from typing import Any

import pytest

from napari_cytosynth.app.blinded import BlindedPresenter
from napari_cytosynth.app.panels import Tab
from napari_cytosynth.app.synthetic_views import BlindedView
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.desk import Desk
from napari_cytosynth.testing.fake_views import FakeView
from napari_cytosynth.workflows.reader_test import calls_of, open_test, results
from tests.app.conftest import OpenDesk
from tests.workflows.test_reader_test import filled


@pytest.fixture
def full(open_desk: OpenDesk) -> Desk:
    project = MemoryProject(built_in("pbc11"))
    filled(project)
    return open_desk(project)


def seated(full: Desk) -> tuple[BlindedPresenter, Any]:
    view: Any = FakeView(BlindedView)
    return BlindedPresenter(full.session, view, seed=1), view


def truth(full: Desk) -> list[bool]:
    test = open_test(full.session.project, "Ada")
    assert test is not None
    return [shown.synthetic for shown in test.cells]


def test_a_key_a_cell_and_the_result_at_the_end(full: Desk) -> None:
    _presenter, view = seated(full)
    assert view.shown("show_start").of == 0
    view.begun.emit(12)
    kinds = truth(full)
    for number, synthetic in enumerate(kinds, 1):
        crop, at, of = view.shown("show_cell")
        assert (crop.shape, at, of) == ((96, 96, 3), number, 12)
        assert view.count("show_result") == 0
        view.keyPressed.emit("s" if synthetic else "r")
    sentence, rows = view.shown("show_result")
    assert sentence.startswith("100% right")
    assert [row[0] for row in rows][:2] == ["", "all cells"]
    assert rows[0][2] == "d' (0: chance)"
    assert ("12", "12") not in rows
    assert results(full.session.project)[0].over_all.answers.correct == 12
    view.keyPressed.emit("r")  # the test is over: nothing more is taken
    view.called.emit(True)
    assert view.count("show_result") == 1


def test_what_stands_beside_shows_no_synthetic_cell(full: Desk) -> None:
    _presenter, view = seated(full)
    full.session.set_tab(Tab.SYNTHETIC)
    view.begun.emit(12)
    assert full.session.state.tab is Tab.QUEUE


def test_back_takes_an_answer_anew(full: Desk) -> None:
    _presenter, view = seated(full)
    view.begun.emit(12)
    view.keyPressed.emit("Backspace")  # there is none before the first
    assert view.shown("show_cell")[1] == 1
    view.keyPressed.emit("s")
    view.called.emit(True)
    view.keyPressed.emit("Left")
    assert view.shown("show_cell")[1] == 2
    view.keyPressed.emit("r")
    assert view.shown("show_cell")[1] == 3
    test = open_test(full.session.project, "Ada")
    assert test is not None
    assert calls_of(full.session.project, test) == {0: True, 1: False}


def test_other_keys_say_nothing(full: Desk) -> None:
    _presenter, view = seated(full)
    view.begun.emit(12)
    for key in ("a", "1", "Space", "Return", "Ctrl+Z", "Right"):
        view.keyPressed.emit(key)
    assert view.count("show_cell") == 1


def test_one_broken_off_goes_on(full: Desk) -> None:
    _first, view = seated(full)
    view.begun.emit(12)
    for _ in range(5):
        view.keyPressed.emit("r")
    _second, again = seated(full)
    form = again.shown("show_start")
    assert (form.called, form.of) == (5, 12)
    again.resumed.emit()
    assert again.shown("show_cell")[1:] == (6, 12)
    for _ in range(7):
        again.keyPressed.emit("r")
    sentence, _rows = again.shown("show_result")
    assert sentence.startswith("50% right")
    _third, last = seated(full)
    assert last.shown("show_start").of == 0
    (said,) = last.shown("show_start").earlier
    assert sentence in said


def test_where_no_test_can_be_drawn_the_form_says_why(open_desk: OpenDesk) -> None:
    empty = open_desk()
    _presenter, view = seated(empty)
    form = view.shown("show_start")
    assert form.cells == 0
    assert "there are 0. Fill a class" in form.lacking
    view.begun.emit(12)
    assert "there are 0" in view.shown("show_start").problem
    assert view.count("show_cell") == 0


def test_no_more_cells_are_offered_than_there_are(full: Desk) -> None:
    _presenter, view = seated(full)
    form = view.shown("show_start")
    assert (form.cells, form.most, form.lacking) == (36, 36, "")
    view.begun.emit(form.cells)
    assert view.shown("show_cell")[2] == 36


def test_a_dialog_that_was_closed_is_shown_nothing(full: Desk) -> None:
    presenter, view = seated(full)
    presenter.close()
    shown = view.count("show_start")
    view.begun.emit(12)
    assert view.count("show_cell") == 0
    assert view.count("show_start") == shown
    assert open_test(full.session.project, "Ada") is not None


def test_without_a_name_no_test_begins(open_desk: OpenDesk) -> None:
    nobody = open_desk(annotator="")
    _presenter, view = seated(nobody)
    view.begun.emit(12)
    assert view.count("show_cell") == 0
    assert any("carry a name" in said for said in nobody.failures)


def test_what_readers_took_a_cell_for_is_told_with_it_afterwards(full: Desk) -> None:
    session, review = full.session, full.views.review
    session.fills.load()
    _presenter, view = seated(full)
    view.begun.emit(12)
    test = open_test(session.project, "Ada")
    assert test is not None
    number = next(s.number for s in test.cells if s.synthetic)
    for _ in range(12):
        session.judging.focus(number)
        assert not any("Blinded" in line for line in review.shown("show_details"))
        view.keyPressed.emit("r")
    session.judging.focus(None)
    session.judging.focus(number)
    assert "Blinded: called synthetic 0 of 1 times." in review.shown("show_details")
