"""The map of cells, bound to a session; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_cytosynth.app import map as app_map
from napari_cytosynth.app import plane as app_plane
from napari_cytosynth.app import recording
from napari_cytosynth.app.cards import CellCards, silent
from napari_cytosynth.app.map import MapPresenter
from napari_cytosynth.app.map_views import Dots, MapView
from napari_cytosynth.app.panels import Tab
from napari_cytosynth.app.plane import Plane
from napari_cytosynth.app.recording import MANY
from napari_cytosynth.app.scene import Rectangle
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Mode
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.testing.fake_views import FakeView
from napari_cytosynth.workflows.layout import CellMap


def laid(desk: Desk) -> CellMap:
    """Return the map that was laid out."""
    found = desk.session.atlas.map
    assert found is not None
    return found


def focused(desk: Desk) -> CellId:
    """Return the focused cell."""
    focus = desk.session.state.focus
    assert focus is not None
    return focus


Opened = tuple[MapPresenter, Any]
OpenMap = Callable[[Desk], Opened]


@pytest.fixture
def open_map(runner: HeldRunner) -> OpenMap:
    def make(desk: Desk) -> Opened:
        view: Any = FakeView(MapView)
        presenter = MapPresenter(desk.session, view, desk.presenters.annotate.keyboard)
        view.seen.emit(True)
        if runner.count("map"):
            runner.release("map")
        return presenter, view

    return make


def test_nothing_is_laid_out_before_the_map_is_seen(
    taught: Desk, runner: HeldRunner
) -> None:
    view: Any = FakeView(MapView)
    presenter = MapPresenter(taught.session, view, taught.presenters.annotate.keyboard)
    taught.label_truly(1)
    runner.release("learn")
    assert runner.count("map") == 0
    assert view.calls == []
    view.seen.emit(True)
    assert runner.count("map") == 1
    assert presenter is not None


def test_all_cells_are_there_with_their_class_and_ring(
    taught: Desk, open_map: OpenMap
) -> None:
    _, view = open_map(taught)
    session = taught.session
    dots: Dots = view.shown("show_dots")
    assert len(dots.places) == len(session.index)
    assert view.shown("show_nothing") == ""
    assert view.shown("show_clouds") is None
    assert dots.labelled.sum() == 25
    classes, none = view.shown("show_classes")
    assert sum(c.cells for c in classes) + none.cells == len(session.index)
    held = [np.bincount(dots.classes[dots.classes >= 0], minlength=len(classes))]
    assert held[0].tolist() == [c.cells for c in classes]
    assert view.shown("show_focus") is not None


def test_the_map_tells_nothing_of_cards_that_say_nothing(
    taught: Desk, open_map: OpenMap
) -> None:
    presenter, view = open_map(taught)
    session = taught.session
    hushed = set(silent(session).tolist())
    assert set(session.ranking.draws.tolist()) <= hushed
    cards = CellCards(session, session.state.listing, session.crops)
    told = [int(i) for i in session.ranking.listing.ids if cards.shows_guesses(i)]
    assert not hushed & set(told) - set(session.project.journal.labels())
    ids = laid(taught).ids
    dots = view.shown("show_dots")
    grey = set(ids[dots.classes < 0].tolist())
    open_cells = hushed - set(session.project.journal.labels())
    assert open_cells
    assert open_cells <= grey
    session.set_blind(True)
    dots = view.shown("show_dots")
    assert (dots.classes[~dots.labelled] < 0).all()
    assert presenter is not None


def test_a_click_focuses_the_cell_and_the_focus_is_marked(
    taught: Desk, open_map: OpenMap
) -> None:
    _, view = open_map(taught)
    session, found = taught.session, laid(taught)
    at = int(np.flatnonzero(found.ids != session.state.focus)[7])
    place = tuple(float(v) for v in found.places[at])
    view.pressed.emit(*place, 0.01)
    assert session.state.focus == found.ids[at]
    assert not session.dealt.is_audit(CellId(int(found.ids[at])))
    assert view.shown("show_focus") == pytest.approx(place)
    view.pressed.emit(5.0, 5.0, 0.01)
    assert session.state.focus == found.ids[at]
    session.next()
    focus = focused(taught)
    expected = found.places[np.flatnonzero(found.ids == focus)[0]]
    assert view.shown("show_focus") == pytest.approx(tuple(expected.tolist()))


def test_what_is_encircled_is_labelled_in_one_step_after_a_yes(
    taught: Desk, open_map: OpenMap
) -> None:
    _, view = open_map(taught)
    session, journal = taught.session, taught.session.project.journal
    before, focus = journal.labels(), session.state.focus
    everything = np.array([[-1, -1], [2, -1], [2, 2], [-1, 2]], np.float32)
    view.lassoDrawn.emit(everything)
    taken = view.shown("show_taken")
    assert (len(taken.places), taken.left_out) == (len(session.index) - 25, 25)
    view.keyPressed.emit(session.project.taxonomy["MO"].keys)
    count, code, name = view.shown("ask_label")
    assert (count, code, name) == (len(taken.places), "MO", "Monocyte")
    assert journal.labels() == before
    view.labelConfirmed.emit(code)
    labels = journal.labels()
    assert len(labels) == len(session.index)
    fresh = [labels[c] for c in labels.keys() - before.keys()]
    assert {label.code for label in fresh} == {"MO"}
    assert {label.mode for label in fresh} == {Mode.TEACH}
    assert session.state.focus == focus
    assert view.shown("show_taken") is None
    assert session.index.counts.sum() == len(labels)
    assert session.state.history[0] == f"label MO of {count} cells"
    view.keyPressed.emit("Ctrl+Z")
    assert journal.labels() == before
    assert session.index.counts.sum() == 25
    view.keyPressed.emit("Ctrl+Y")
    assert len(journal.labels()) == len(session.index)


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the labels of a slice, few enough that a lasso takes several."""
    monkeypatch.setattr(recording, "SLICE", 10)
    return 10


def _encircle(desk: Desk, view: Any, code: str = "MO") -> list[CellId]:
    """Label all open cells of the map, as far as the answer to the question."""
    labels = desk.session.project.journal.labels()
    view.allAsked.emit()
    view.labelConfirmed.emit(code)
    return [CellId(i) for i in laid(desk).ids.tolist() if CellId(i) not in labels]


def test_many_labels_come_in_slices_each_shown_once_it_is_kept(
    taught: Desk, open_map: OpenMap, runner: HeldRunner, slices: int
) -> None:
    _, view = open_map(taught)
    session, project = taught.session, taught.session.project
    before = len(project.journal.labels())
    cells = _encircle(taught, view)
    runner.step(MANY)
    assert len(project.journal.labels()) == before
    for done in range(1, 4):
        runner.step(MANY)
        assert len(project.journal.labels()) == before + done * slices
        assert session.index.counts.sum() == before + done * slices
        (task,) = (t for t in session.state.tasks if t.key == MANY)
        assert (task.done, task.total) == (done * slices, len(cells))


def test_a_key_between_two_slices_is_a_step_of_its_own(
    taught: Desk, open_map: OpenMap, runner: HeldRunner, slices: int
) -> None:
    _, view = open_map(taught)
    session, journal = taught.session, taught.session.project.journal
    before = journal.labels()
    cells = _encircle(taught, view)
    runner.step(MANY, 3)
    session.focus_cell(cells[0])
    assert session.label("BA")
    assert not session.undo()
    assert "being written" in taught.failures[-1]
    runner.release(MANY)
    assert session.state.history[0] == f"label MO of {len(cells)} cells"
    assert session.undo()
    runner.release(MANY)
    assert journal.labels().keys() == {*before, cells[0]}
    assert session.index.label(cells[0]) == "BA"
    assert session.undo()
    assert journal.labels() == before


def test_a_label_given_between_two_slices_stands(
    taught: Desk, open_map: OpenMap, runner: HeldRunner, slices: int
) -> None:
    _, view = open_map(taught)
    session, journal = taught.session, taught.session.project.journal
    cells = _encircle(taught, view)
    runner.step(MANY, 2)
    session.focus_cell(cells[-1])
    assert session.label("BA")
    runner.release(MANY)
    assert {journal.labels()[cell].code for cell in cells[:-1]} == {"MO"}
    assert journal.labels()[cells[-1]].code == "BA"


def test_a_key_during_a_long_redo_costs_no_label(
    taught: Desk, open_map: OpenMap, runner: HeldRunner, slices: int
) -> None:
    _, view = open_map(taught)
    session, journal = taught.session, taught.session.project.journal
    cells = _encircle(taught, view)
    runner.release(MANY)
    whole = journal.labels()
    assert session.undo()
    runner.release(MANY)
    assert session.redo()
    runner.step(MANY, 2)
    session.focus_cell(cells[0])
    assert session.label("BA")
    runner.release(MANY)
    assert journal.labels().keys() == whole.keys()
    assert {journal.labels()[cell].code for cell in cells[1:]} == {"MO"}


def test_a_lasso_that_is_cancelled_keeps_what_was_written_as_one_step(
    taught: Desk, open_map: OpenMap, runner: HeldRunner, slices: int
) -> None:
    _, view = open_map(taught)
    session, journal = taught.session, taught.session.project.journal
    before = journal.labels()
    _encircle(taught, view)
    runner.step(MANY, 3)
    session.jobs.cancel(MANY)
    assert len(journal.labels()) == len(before) + 2 * slices
    assert session.index.counts.sum() == len(journal.labels())
    assert session.state.history[0] == f"label MO of {2 * slices} cells"
    assert session.undo()
    runner.release(MANY)
    assert journal.labels() == before


def test_a_second_lasso_waits_for_the_first(
    taught: Desk, open_map: OpenMap, runner: HeldRunner, slices: int
) -> None:
    _, view = open_map(taught)
    cells = _encircle(taught, view)
    runner.step(MANY, 2)
    assert not taught.session.label_many(cells[20:], "BA")
    runner.release(MANY)
    labels = taught.session.project.journal.labels()
    assert {labels[cell].code for cell in cells} == {"MO"}


def test_without_anything_taken_keys_label_the_focused_cell(
    taught: Desk, open_map: OpenMap
) -> None:
    _, view = open_map(taught)
    focus = focused(taught)
    view.keyPressed.emit(taught.session.project.taxonomy["MO"].keys)
    assert taught.session.project.journal.labels()[focus].code == "MO"
    at = int(np.flatnonzero(laid(taught).ids == focus)[0])
    dots = view.shown("show_dots")
    assert dots.labelled[at]
    assert view.count("ask_label") == 0


def test_escape_lets_go(taught: Desk, open_map: OpenMap) -> None:
    _, view = open_map(taught)
    view.allAsked.emit()
    assert view.shown("show_taken") is not None
    view.keyPressed.emit("Escape")
    assert view.shown("show_taken") is None
    view.labelAsked.emit("MO")
    assert view.count("ask_label") == 0


def test_many_cells_are_density_and_few_are_points(
    taught: Desk, open_map: OpenMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (app_map, app_plane):
        monkeypatch.setattr(module, "MAX_DOTS", 30)
    _, view = open_map(taught)
    clouds, dots = view.shown("show_clouds"), view.shown("show_dots")
    assert clouds is not None
    assert dots.labelled.all()
    assert len(dots.places) == 25
    assert clouds.strength.max() == 1
    assert (clouds.classes[clouds.strength == 0] == -1).all()
    assert "zoom in" in view.shown("show_count")
    x, y = laid(taught).places[0].tolist()
    view.viewMoved.emit(x - 0.01, y - 0.01, 0.02, 0.02, 100)
    assert view.shown("show_clouds") is None
    assert 1 <= len(view.shown("show_dots").places) <= 30
    assert "of 60 cells" in view.shown("show_count")


def test_a_cell_under_the_pointer_is_shown(taught: Desk, open_map: OpenMap) -> None:
    _, view = open_map(taught)
    session = taught.session
    labelled = next(iter(session.project.journal.labels()))
    at = int(np.flatnonzero(laid(taught).ids == labelled)[0])
    view.hovered.emit(*laid(taught).places[at].tolist(), 1e-6)
    tip = view.shown("show_tip")
    assert f"cell {labelled}\nlabelled" in tip.words
    np.testing.assert_array_equal(tip.crop, session.project.crops([labelled])[0])
    view.hovered.emit(9.0, 9.0, 0.1)
    assert view.shown("show_tip") is None


def test_a_cell_struck_out_leaves_the_map(taught: Desk, open_map: OpenMap) -> None:
    _, view = open_map(taught)
    cells = len(taught.session.index)
    taught.session.remove_cell()
    assert len(view.shown("show_dots").places) == cells - 1


def test_an_empty_map_says_why(held: Desk, open_map: OpenMap) -> None:
    _, view = open_map(held)
    said = [args[0] for name, args in view.calls if name == "show_nothing"]
    assert "Laying out" in said[0]
    assert said[-1] == ""
    held.session.set_tab(Tab.PREDICTED)


def test_inside_goes_by_even_and_odd() -> None:
    places = np.array([[0.5, 0.5], [0.1, 0.5], [0.9, 0.5], [0.5, 0.05]], np.float32)
    plane = Plane(
        np.arange(4, dtype=np.int64),
        places,
        np.arange(4),
        np.full(4, -1, np.int16),
        np.zeros(4, bool),
    )
    ring = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    hole = [[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6], [0.4, 0.4]]
    outline = np.array([*ring, *hole], np.float32)
    assert plane.inside(outline).tolist() == [1, 2, 3]
    triangle = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.8]], np.float32)
    assert plane.inside(triangle).tolist() == [0]
    assert plane.nearest(0.12, 0.5, 0.05) == 1
    assert plane.nearest(0.3, 0.5, 0.05) is None
    clouds = plane.clouds(np.arange(4), Rectangle(0, 0, 1, 1), 10, 3)
    assert (clouds.strength > 0).sum() == 4
