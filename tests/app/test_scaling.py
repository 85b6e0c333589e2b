"""The user corrects the pixel size of a smear: canvas, pictures, vectors follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.app.session import Session
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.tasks import InlineRunner
from napari_cytosynth.testing.desk import Desk
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.workflows.quality import flaws_by_cell
from tests.app.seating import painted_file, sit_down

TRUE = 0.25


def seat_at(path: str | Path) -> Desk:
    desk = sit_down()
    desk.session.open_smears([str(path)])
    return desk


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Desk]:
    """A reader at a field that says 0.25 um a pixel."""
    desk = seat_at(painted_file(tmp_path / "field.tif"))
    desk.views.canvas.viewMoved.emit(100.0, 80.0, 200.0, 100.0)
    yield desk
    desk.session.close()


def test_everything_follows_a_corrected_scale_and_its_undo(seat: Desk) -> None:
    session, canvas = seat.session, seat.views.canvas
    smear, cell = session.state.smear, session.state.focus
    assert canvas.shown("show_smear")[1] == pytest.approx(TRUE)
    session.label("NGS")
    key = session.learner.key
    before = session.project.crops([cell])[0]
    vector = session.project.embeddings(key, [cell])[0]
    boxes = session.project.cells().boxes.copy()
    assert session.change_scale(smear, 0.4)
    assert not seat.failures
    assert canvas.shown("show_smear")[1] == 0.4
    assert canvas.shown("centre_on") == (200.0, 130.0)
    line = seat.views.status.shown("show_status")
    assert line.scale.startswith("0.4 um/px, as you gave it, though the cells in it")
    assert line.undo == "pixel size of smear 1: 0.4 um"
    assert not line.unsure
    after = session.project.crops([cell])[0]
    assert not np.array_equal(after, before)
    card = seat.views.annotate.shown("show_cards")
    assert np.array_equal(card[card.row_of(cell)].crop, after)
    now = session.project.embeddings(key, [cell])[0]
    assert np.isfinite(now).all()
    assert not np.array_equal(now, vector)
    np.testing.assert_array_equal(session.project.cells().boxes, boxes)
    assert len(session.project.journal.labels()) == 1
    session.undo()
    assert canvas.shown("show_smear")[1] == pytest.approx(TRUE)
    card = seat.views.annotate.shown("show_cards")
    assert np.array_equal(card[card.row_of(cell)].crop, before)
    assert np.array_equal(session.project.embeddings(key, [cell])[0], vector)
    session.redo()
    assert np.array_equal(session.project.embeddings(key, [cell])[0], now)


def test_what_is_said_of_cells_follows_a_corrected_scale_and_its_undo(
    seat: Desk,
) -> None:
    session = seat.session

    def said() -> tuple[list[int], tuple[str, ...]]:
        cells, focus = session.project.cells().ids.tolist(), session.state.focus
        lines = session.details.lines(focus, guesses=False)
        return [session.index.flaw(cell) for cell in cells], lines

    before = said()
    assert session.change_scale(session.state.smear, 0.9)
    scaled = said()
    assert scaled[0] != before[0]
    assert scaled[0] == flaws_by_cell(session.project).tolist()
    assert session.undo()
    assert said() == before
    assert session.redo()
    assert said() == scaled


def test_cells_are_looked_for_anew_and_labelled_ones_stay(seat: Desk) -> None:
    session = seat.session
    smear, cell = session.state.smear, session.state.focus
    session.label("NGS")
    before = session.project.cells().ids.tolist()
    session.change_scale(smear, 0.24, anew=True)
    ids = session.project.cells().ids.tolist()
    assert int(cell) in ids
    assert set(ids) & set(before) == {int(cell)}
    assert len(ids) == len(before)
    assert len(session.project.stale_crops(smear)) == 0
    assert CellId(int(cell)) in session.index
    session.undo()
    assert session.project.cells().ids.tolist() == before
    assert len(session.index) == len(before)


def test_the_reader_stays_on_the_smear_whose_cells_are_found_anew(
    seat: Desk, tmp_path: Path
) -> None:
    session = seat.session
    session.open_smears([str(painted_file(tmp_path / "second.tif", seed=9))])
    for smear in (s.id for s in session.project.smears()):
        cells = session.project.cells()
        session.focus_cell(CellId(int(cells.ids[cells.smears == smear][-1])))
        session.change_scale(smear, 0.24, anew=True)
        assert session.state.smear == smear
        focus = session.state.focus
        assert focus is not None
        assert session.index.table.smear_of(focus) == smear
    first, second = (s.id for s in session.project.smears())
    session.undo()
    assert session.state.smear == second
    focus = session.state.focus
    assert focus is not None
    assert session.index.table.smear_of(focus) == second
    session.undo()
    assert session.smears.mpp(second) == pytest.approx(TRUE)
    session.undo()
    assert session.state.smear == first


def test_a_scale_of_no_microscope_changes_nothing(seat: Desk) -> None:
    assert seat.session.change_scale(seat.session.state.smear, 40.0)
    assert "microscope" in seat.failures[-1]
    assert seat.session.smears.mpp(seat.session.state.smear) == pytest.approx(TRUE)


def test_nobody_corrects_without_a_name(seat: Desk) -> None:
    seat.session.set_annotator("")
    assert not seat.session.change_scale(seat.session.state.smear, 0.3)
    seat.session.find_cells(seat.session.state.smear, anew=True)
    assert seat.session.project.journal.events() == ()


def test_an_unsure_scale_is_told_and_marked_and_blocks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "glass.png"
    Image.fromarray(np.full((200, 200, 3), 230, np.uint8)).save(path)
    desk = seat_at(path)
    line = desk.views.status.shown("show_status")
    assert line.unsure
    assert "assumed: neither red cells nor nuclei tell" in line.scale
    assert "confidence low" in line.scale
    assert any("glass.png" in m and "correct it" in m for m in desk.messages)
    assert not desk.failures
    desk.session.change_scale(desk.session.state.smear, 0.2)
    assert not desk.views.status.shown("show_status").unsure
    desk.session.close()


def test_pictures_left_stale_by_a_crash_are_cut_at_the_next_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "field.tif"
    desk = seat_at(painted_file(path, 1, width=300, height=300, cells=3))
    project, smear = desk.session.project, desk.session.state.smear
    calibration = project.calibration(smear).to_json() | {"mpp": 0.4}
    from napari_cytosynth.core.journal import Author

    project.record(Author("Ada").scale_changed(smear, calibration))
    assert len(project.stale_crops(smear))
    Session(project, FakeCompute(), InlineRunner(), annotator="Ada").start()
    assert not len(project.stale_crops(smear))
    desk.session.close()
