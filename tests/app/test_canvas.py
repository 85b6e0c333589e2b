from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_cytosynth.app.canvas import FEW_MARKS, Stock, Wish, resolve
from napari_cytosynth.app.cellindex import CellIndex
from napari_cytosynth.app.panels import MAX_MARKS, Rectangle
from napari_cytosynth.app.shelf import Shelf
from napari_cytosynth.core.cells import CellTable
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.desk import Desk, HeldRunner

TAXONOMY = built_in("pbc11")


def index_of(n: int, smears: int = 1, seed: int = 0) -> CellIndex:
    rng = np.random.default_rng(seed)
    boxes = np.column_stack(
        [rng.uniform(0, 10_000, (n, 2)), rng.uniform(30, 60, (n, 2))]
    )
    table = CellTable(
        np.arange(1, n + 1),
        np.arange(n) % smears + 1,
        boxes.astype(np.float32),
        np.ones(n, np.float32),
        np.zeros(n, bool),
    )
    index = CellIndex(TAXONOMY)
    index.replace(table, [])
    return index


def wish(view: Rectangle, focus: int | None = None, smear: int = 1) -> Wish:
    cell = None if focus is None else CellId(focus)
    return Wish(SmearId(smear), view, cell, "", None)


def test_cells_in_view_are_those_of_a_plain_search() -> None:
    index = index_of(3 * FEW_MARKS + 30, smears=3)
    view = Rectangle(2000, 3000, 2500, 1500)
    state = resolve(wish(view, smear=2), Stock(TAXONOMY, index, Shelf()))
    centres = index.table.boxes[:, :2] + index.table.boxes[:, 2:] / 2
    plain = (
        (index.table.smears == 2)
        & (centres[:, 0] >= 2000)
        & (centres[:, 0] <= 4500)
        & (centres[:, 1] >= 3000)
        & (centres[:, 1] <= 4500)
    )
    assert state.marks is not None
    assert set(state.marks.ids) == set(index.table.ids[plain])
    assert plain.sum() > 20


def test_few_cells_are_all_drawn_once_wherever_one_looks() -> None:
    index = index_of(2 * FEW_MARKS, smears=2)
    stock = Stock(TAXONOMY, index, Shelf())
    here = resolve(wish(Rectangle(0, 0, 500, 500), smear=2), stock).marks
    there = resolve(wish(Rectangle(8000, 8000, 500, 500), smear=2), stock).marks
    assert here is not None
    assert here == there
    assert set(here.ids) == set(index.table.ids[index.table.smears == 2])
    nowhere = resolve(wish(Rectangle(0, 0, 500, 500), smear=3), stock).marks
    assert nowhere is not None
    assert not len(nowhere)


def test_too_many_cells_become_a_density_that_counts_them_all() -> None:
    index = index_of(MAX_MARKS + 100)
    view = Rectangle(-100, -100, 10_400, 10_200)
    state = resolve(wish(view), Stock(TAXONOMY, index, Shelf()))
    assert state.marks is None
    assert state.density is not None
    assert state.density.counts.sum() == MAX_MARKS + 100
    rows, columns = state.density.counts.shape
    x, y = index.centres(index.table.rows([1]))[0]
    column = int((x - state.density.x) / state.density.square)
    row = int((y - state.density.y) / state.density.square)
    assert (rows, columns) == (63, 64)
    assert state.density.counts[row, column] >= 1
    part = Rectangle(0, 0, 5_000, 5_000)
    closer = resolve(wish(part), Stock(TAXONOMY, index, Shelf()))
    assert closer.density is None
    assert closer.marks is not None
    assert 0 < len(closer.marks) < MAX_MARKS


def test_marks_carry_the_labels() -> None:
    index = index_of(50)
    index.set_label(CellId(7), "BA")
    state = resolve(
        wish(Rectangle(0, 0, 11_000, 11_000), focus=7),
        Stock(TAXONOMY, index, Shelf()),
    )
    assert state.marks is not None
    classes = dict(zip(state.marks.ids.tolist(), state.marks.classes, strict=True))
    assert state.marks.codes[classes[7]] == "BA"
    assert [c for i, c in classes.items() if i != 7] == [-1] * 49
    assert state.focus is not None
    assert state.focus.code == "BA"


def test_a_focus_in_another_smear_is_not_drawn() -> None:
    index = index_of(10, smears=2)
    state = resolve(
        wish(Rectangle(0, 0, 1, 1), focus=1, smear=2), Stock(TAXONOMY, index, Shelf())
    )
    assert state.focus is None


def test_a_point_finds_the_cell_with_the_nearest_centre() -> None:
    index = index_of(2000, smears=2)
    table = index.table
    rng = np.random.default_rng(1)
    hits = 0
    for x, y in rng.uniform(0, 10_000, (300, 2)):
        left, top, width, height = table.boxes.T
        holds = (left <= x) & (x <= left + width) & (top <= y) & (y <= top + height)
        rows = np.flatnonzero(holds & (table.smears == 1))
        away = np.hypot(left + width / 2 - x, top + height / 2 - y)[rows]
        best = int(table.ids[rows[away.argmin()]]) if len(rows) else None
        assert index.at(SmearId(1), x, y) == best
        hits += best is not None
    assert hits > 0


def test_the_canvas_shows_smear_cell_and_neighbours(desk: Desk) -> None:
    canvas, state = desk.views.canvas, desk.session.state
    canvas.viewMoved.emit(0.0, 0.0, 2000.0, 2000.0)
    image, mpp = canvas.shown("show_smear")
    assert (image.smear.fingerprint, mpp) == (f"tiny-{state.smear}", 0.25)
    assert canvas.shown("show_focus").cell == state.focus
    assert canvas.shown("show_focus").outline
    assert len(canvas.shown("show_cells")) == 10
    box = desk.session.index.table.box(state.focus)
    assert canvas.shown("centre_on") == box.centre


def test_the_next_smear_is_opened_ahead_and_swapped_once(desk: Desk) -> None:
    canvas, session = desk.views.canvas, desk.session
    for _ in range(12):
        ahead = session.upcoming()
        smear = session.index.table.smear_of(ahead)
        assert smear in session.smears._images
        before = len(session.smears._images)
        desk.label_truly(1)
        shown, _ = canvas.shown("show_smear")
        assert shown.smear.fingerprint == f"tiny-{session.state.smear}"
        assert len(session.smears._images) - before in (0, 1)
    opener: Any = session.smears._opener
    assert len(opener.images) == len(session.smears._images)


def test_only_what_differs_is_drawn(desk: Desk) -> None:
    canvas = desk.views.canvas
    canvas.viewMoved.emit(0.0, 0.0, 2000.0, 2000.0)
    canvas.forget()
    canvas.viewMoved.emit(0.0, 0.0, 2000.0, 2000.0)
    desk.session.set_sort(desk.session.state.sort)
    assert canvas.calls == []
    desk.session.comment("look")
    assert canvas.calls == []


def test_a_click_focuses_without_moving_the_camera(desk: Desk) -> None:
    canvas, session = desk.views.canvas, desk.session
    table, focus = session.index.table, session.state.focus
    rows = np.flatnonzero(table.smears == session.state.smear)
    other = next(CellId(int(table.ids[r])) for r in rows if table.ids[r] != focus)
    canvas.forget()
    canvas.clicked.emit(*table.box(other).centre)
    assert session.state.focus == other
    assert canvas.count("centre_on") == 0
    assert desk.views.annotate.shown("show_focus") is not None
    canvas.clicked.emit(-50.0, -50.0)
    assert session.state.focus == other


def test_a_double_click_on_a_cell_adds_none(desk: Desk) -> None:
    session = desk.session
    n = len(session.index)
    centre = session.index.table.box(session.state.focus).centre
    desk.views.canvas.doubleClicked.emit(*centre)
    assert len(session.index) == n
    assert "already" in desk.messages[-1]


def test_a_moved_file_is_told_once_and_labelling_goes_on(open_desk: Any) -> None:
    desk = open_desk()
    session = desk.session
    opener: Any = session.smears._opener
    session.smears.close()
    opener.missing = {f"tiny-{n}.png" for n in range(1, 7)}
    desk.label_truly(12)
    assert desk.views.canvas.shown("show_smear")[0] is None
    told = [said for said in desk.failures if "no picture" in said]
    assert 1 <= len(told) == len(set(told)) <= 6


@pytest.mark.parametrize("closed_twice", [False, True])
def test_closing_closes_the_pictures(desk: Desk, closed_twice: bool) -> None:
    opener: Any = desk.session.smears._opener
    desk.session.close()
    if closed_twice:
        desk.session.close()
    assert opener.images
    assert all(image.closed for image in opener.images)


def test_smears_are_shown_in_the_stain_of_another(
    held: Desk, runner: HeldRunner
) -> None:
    canvas, session = held.views.canvas, held.session
    session.state.smear = SmearId(1)
    assert canvas.shown("show_stain") == (None, "")
    session.stains.choose(SmearId(2))
    assert canvas.shown("show_stain") == (None, "tiny-2.png")
    runner.release("stain")
    image, name = canvas.shown("show_stain")
    assert image.smear.fingerprint == "tiny-1"
    assert name == "tiny-2.png"
    assert "looking only" in held.messages[-1]
    session.state.smear = SmearId(2)
    assert canvas.shown("show_stain")[0] is None
    session.state.smear = SmearId(3)
    runner.release("stain")
    assert canvas.shown("show_stain")[0].smear.fingerprint == "tiny-3"
    session.stains.choose(None)
    assert canvas.shown("show_stain") == (None, "")


def test_a_stain_by_a_calibration_that_was_corrected_meanwhile_is_not_shown(
    held: Desk, runner: HeldRunner
) -> None:
    canvas, project = held.views.canvas, held.session.project
    held.session.stains.choose(SmearId(2))
    assert runner.step("stain", steps=3)  # both smears were measured
    before = project.calibration(SmearId(2))
    assert before is not None
    project.set_calibration(SmearId(2), replace(before, background=(200, 190, 180)))
    runner.release("stain")
    assert canvas.shown("show_stain")[0] is None
    runner.release("stain")
    assert canvas.shown("show_stain")[0] is not None


def test_a_stain_whose_smear_is_gone_is_told(held: Desk, runner: HeldRunner) -> None:
    held.session.smears._opener.missing.add("tiny-2.png")  # type: ignore[attr-defined]
    held.session.stains.choose(SmearId(2))
    runner.release("stain")
    assert "tiny-2.png" in held.failures[-1]
    assert held.views.canvas.shown("show_stain")[0] is None
