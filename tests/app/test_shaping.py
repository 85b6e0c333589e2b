from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cytosynth.app.panels import OPINION, Tab
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import EventKind
from napari_cytosynth.core.rereading import awaiting_opinion, comments
from napari_cytosynth.testing.desk import Desk
from tests.app.seating import painted_file, sit_down


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Desk]:
    """A reader at one painted field, its cells found."""
    desk = sit_down()
    desk.session.open_smears([painted_file(tmp_path / "field.tif")])
    desk.views.canvas.viewMoved.emit(0.0, 0.0, 480.0, 400.0)
    yield desk
    desk.session.close()


def vector(seat: Desk, cell: int) -> np.ndarray:
    key = seat.session.learner.key
    return seat.session.project.embeddings(key, [cell])[0]


def test_a_box_drawn_is_kept_cut_embedded_and_undone(seat: Desk) -> None:
    session, canvas = seat.session, seat.views.canvas
    cell = session.state.focus
    session.comment("odd")
    old = session.index.table.box(cell)
    crop, before = session.project.crops([cell])[0], vector(seat, cell)
    card = seat.views.annotate.shown("show_cards")
    assert np.array_equal(card[card.row_of(cell)].crop, crop)
    canvas.boxDrawn.emit(old.x + 10, old.y + 6, old.width - 8, old.height - 12)
    assert not seat.failures
    new = session.index.table.box(cell)
    assert new == Box(old.x + 10, old.y + 6, old.width - 8, old.height - 12)
    assert canvas.shown("show_focus").box == new
    assert len(canvas.shown("show_focus").outline) == 4
    cut = session.project.crops([cell])[0]
    assert not np.array_equal(cut, crop)
    card = seat.views.annotate.shown("show_cards")
    assert np.array_equal(card[card.row_of(cell)].crop, cut)
    assert np.isfinite(vector(seat, cell)).all()
    assert not np.array_equal(vector(seat, cell), before)
    assert comments(session.project.journal, cell) == ["odd"]
    assert session.state.focus == cell
    assert session.state.history[0] == f"box changed of cell {cell}"
    session.undo()
    assert session.index.table.box(cell) == old
    assert np.array_equal(card[card.row_of(cell)].crop, crop)
    assert np.array_equal(vector(seat, cell), before)
    assert len(canvas.shown("show_focus").outline) > 4


def test_a_box_that_holds_no_cell_is_refused_and_the_old_one_drawn(seat: Desk) -> None:
    session, canvas = seat.session, seat.views.canvas
    mark = canvas.shown("show_focus")
    canvas.boxDrawn.emit(mark.box.x, mark.box.y, 3.0, 2.0)
    assert "cannot hold cell" in seat.failures[-1]
    assert canvas.shown("show_focus") == mark
    assert session.index.table.box(session.state.focus) == mark.box


def test_two_centres_split_a_cell_and_undo_joins_it(seat: Desk) -> None:
    session, canvas = seat.session, seat.views.canvas
    cell, n = session.state.focus, len(session.index)
    box = session.index.table.box(cell)
    x, y = box.centre
    canvas.centreMarked.emit(x - box.width / 4, y)
    assert "second" in seat.messages[-1]
    canvas.centreMarked.emit(x + box.width / 4, y)
    assert not seat.failures
    assert cell not in session.index
    assert len(session.index) == n + 1
    (event,) = (
        e for e in session.project.journal.events() if e.kind is EventKind.SPLIT
    )
    left, right = (session.index.table.box(CellId(i)) for i in event.data["into"])
    assert session.state.focus == event.data["into"][0]
    assert left.x + left.width == pytest.approx(x, abs=0.01)
    assert right.x == pytest.approx(x, abs=0.01)
    assert np.isfinite(vector(seat, event.data["into"][0])).all()
    assert session.state.listing.row_of(cell) is None
    session.undo()
    assert session.state.focus == cell
    assert len(session.index) == n
    assert all(session.state.listing.row_of(i) is None for i in event.data["into"])


def test_a_centre_beside_the_box_says_how_to_split(seat: Desk) -> None:
    box = seat.session.index.table.box(seat.session.state.focus)
    seat.views.canvas.centreMarked.emit(box.x - 30, box.y)
    assert "hold Shift" in seat.messages[-1]
    x, y = box.centre
    seat.views.canvas.centreMarked.emit(x, y)
    seat.views.canvas.centreMarked.emit(x + 0.5, y)
    assert seat.session.state.focus in seat.session.index
    seat.views.canvas.centreMarked.emit(x, y)
    seat.views.canvas.centreMarked.emit(x, y)
    assert "further apart" in seat.failures[-1]


def test_a_merged_class_counts_as_the_other_until_undone(desk: Desk) -> None:
    dock, session = desk.views.classes, desk.session
    session.label("BNE")
    dock.mergeAsked.emit("BNE", "SNE")
    rows = {row.code: row for row in session.state.classes}
    assert (rows["SNE"].labelled, rows["BNE"].labelled) == (1, 0)
    assert rows["BNE"].counts_as == "SNE"
    assert not rows["BNE"].can_fill
    assert session.state.history[0] == "merge of BNE into SNE"
    dock.mergeAsked.emit("SNE", "BNE")
    assert "already" in desk.failures[-1]
    session.undo()
    rows = {row.code: row for row in session.state.classes}
    assert (rows["SNE"].labelled, rows["BNE"].labelled) == (0, 1)
    assert rows["BNE"].counts_as == ""


@pytest.mark.parametrize("tab", [Tab.QUEUE, Tab.PREDICTED])
def test_second_opinions_are_listed_until_another_reader_labels(
    desk: Desk, tab: Tab
) -> None:
    session, state = desk.session, desk.session.state
    first = state.focus
    session.second_opinion()
    session.label("BA")
    second = state.focus
    session.second_opinion()
    session.set_tab(tab)
    desk.views.annotate.filterChosen.emit(OPINION)
    assert set(state.listing.ids.tolist()) == {first, second}
    session.set_annotator("Eva")
    cards: Any = desk.views.annotate.shown("show_cards")
    session.deal(first)
    session.label("MO")
    assert state.focus == second, "labelled or not, the next that wants an opinion"
    assert cards[cards.row_of(first)].badge == ""
    session.label("MO")
    session.set_filter("")
    session.set_filter(OPINION)
    assert len(state.listing) == 0
    session.undo()
    assert awaiting_opinion(session.project.journal) == {second}
