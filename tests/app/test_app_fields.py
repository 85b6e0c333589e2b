"""From field to field: the list of its cells, its outline, its missed places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from napari_cytosynth.app.scene import FieldMark
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest import open_smear
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.desk import Desk
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.workflows.detect import add_smear, find_cells

PALE = (230.0, 230.0)


def _seated(folder: Path) -> Desk:
    """Seat a reader at 9 dark cells, and a pale one that the detector missed."""
    rng = np.random.default_rng(0)
    picture = np.empty((1000, 1000, 3))
    picture[:] = (240, 232, 225)
    y, x = np.mgrid[:1000, :1000] + 0.5
    middles = [(120.0 + 330 * i, 120.0 + 330 * j) for i in range(3) for j in range(3)]
    for place in (*middles, PALE):
        away = np.hypot(x - place[0], y - place[1]) * 0.25
        picture[away < 6] = (205, 185, 215) if place == PALE else (190, 165, 205)
        picture[away < 4] = (140, 95, 170) if place == PALE else (90, 40, 140)
    pixels = (picture + rng.normal(0, 3, picture.shape)).clip(0, 255).astype(np.uint8)
    path = folder / "smear.png"
    Image.fromarray(pixels).save(path)
    project = MemoryProject(built_in("blood5"))
    smear = add_smear(project, path, mpp=0.25)
    run_to_end(find_cells(project, smear.id))
    desk = Desk.over(project, FakeCompute(), opener=open_smear)
    desk.session.start()
    return desk


def _visit(desk: Desk, most: int = 12) -> list[FieldMark]:
    """Press *Next field* until a field comes again."""
    seen: list[FieldMark] = []
    for _ in range(most):
        desk.views.annotate.fieldAsked.emit()
        mark = desk.session.state.outlined
        assert mark is not None
        if mark.box in [m.box for m in seen]:
            break
        seen.append(mark)
    return seen


def test_next_field_lists_its_cells_and_frames_it(tmp_path: Path) -> None:
    desk = _seated(tmp_path)
    session = desk.session
    desk.views.annotate.fieldAsked.emit()
    mark = session.state.outlined
    assert mark is not None
    assert desk.views.canvas.shown("show_field") == mark
    assert desk.views.canvas.shown("frame") == mark.box
    table = session.index.table
    for number in session.state.listing.ids.tolist():
        assert mark.box.contains(*table.box(number).centre)
    assert session.state.search.startswith("This field teaches as much as")
    desk.presenters.annotate.keyboard.press("Escape")
    assert session.state.outlined is None
    assert desk.views.canvas.shown("show_field") is None
    session.close()


def test_every_field_comes_once_before_the_first_comes_again(tmp_path: Path) -> None:
    desk = _seated(tmp_path)
    seen = _visit(desk)
    assert len({mark.box for mark in seen}) == len(seen) > 2
    desk.session.close()


def test_a_missed_place_becomes_a_cell_by_key_and_its_mark_goes(tmp_path: Path) -> None:
    desk = _seated(tmp_path)
    session, keyboard = desk.session, desk.presenters.annotate.keyboard
    mark = next((m for m in _visit(desk) if m.places), None)
    assert mark is not None
    while session.state.outlined is None or session.state.outlined.box != mark.box:
        session.fields.next()
    before = len(session.index)
    keyboard.press("+")
    assert len(session.index) == before + 1
    focus = session.state.focus
    assert focus is not None
    box = session.index.table.box(focus)
    assert box.contains(*PALE)
    assert box.width != box.height or box.width != 12.0 / 0.25
    assert session.state.outlined is not None
    assert session.state.outlined.places == ()
    keyboard.press("+")
    assert "No place" in desk.messages[-1]
    session.close()


def test_a_field_whose_cells_are_labelled_is_passed_by(tmp_path: Path) -> None:
    desk = _seated(tmp_path)
    session = desk.session
    project = session.project
    for mark in _visit(desk):
        table = session.index.table
        for number in table.ids.tolist():
            if mark.box.contains(*table.box(number).centre):
                project.record(Author("reader").label(number, "NEU"))
                session.touch(number)
    session.fields.forget()
    session.searching.leave()
    session.fields.next()
    mark = session.state.outlined
    assert mark is None or mark.places
    session.close()


def test_another_strategy_ranks_the_fields_anew(tmp_path: Path) -> None:
    desk = _seated(tmp_path)
    desk.session.fields.next()
    desk.session.set_strategy("random")
    assert desk.session.state.outlined is None
    desk.session.fields.next()
    assert desk.session.state.outlined is not None
    desk.session.close()
