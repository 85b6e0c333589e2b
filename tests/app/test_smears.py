from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.app.session import Session
from napari_cytosynth.core.project import JobState
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject, create_project, open_project
from napari_cytosynth.testing.desk import HeldRunner, PaperOpener
from napari_cytosynth.workflows.detect import add_smear
from tests.app.seating import painted_file, sit_down


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three painted fields, as files."""
    folder = tmp_path_factory.mktemp("fields")
    return [painted_file(folder / f"field-{n}.tif", n) for n in range(3)]


def searched(project: Any) -> bool:
    """Tell whether a search for cells is under way."""
    return any(j.key.startswith("detect") for j in project.jobs(JobState.RUNNING))


def test_files_become_smears_cells_and_one_queue(fields: list[str]) -> None:
    desk = sit_down(MemoryProject(built_in("marrow21")))
    assert desk.views.canvas.count("show_smear") == 0
    desk.session.open_smears(fields)
    session, state = desk.session, desk.session.state
    assert not desk.failures
    assert len(session.project.smears()) == 3
    found = [int((session.index.table.smears == n).sum()) for n in (1, 2, 3)]
    assert all(3 <= n <= 12 for n in found)
    table, listed = session.index.table, state.listing.ids
    assert len(set(table.smears[table.rows(listed)].tolist())) >= 2
    assert state.focus is not None
    assert desk.views.canvas.shown("show_smear")[0].smear.width == 480
    assert state.tasks == ()
    session.close()


def test_what_is_no_picture_is_told_and_the_others_go_on(
    fields: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "letter.png"
    broken.write_text("Dear colleague")
    desk = sit_down(MemoryProject(built_in("marrow21")))
    missing = tmp_path / "nothing.png"
    desk.session.open_smears([str(broken), fields[0], str(missing), fields[1]])
    assert len(desk.session.project.smears()) == 2
    assert len(desk.failures) == 2
    assert "letter.png" in desk.failures[0]
    assert "nothing.png" in desk.failures[1]
    desk.session.close()


def test_the_same_file_twice_is_one_smear(fields: list[str]) -> None:
    desk = sit_down(MemoryProject(built_in("marrow21")))
    desk.session.open_smears([fields[0], fields[0]])
    n = len(desk.session.index)
    desk.session.open_smears([fields[0]])
    assert len(desk.session.project.smears()) == 1
    assert len(desk.session.index) == n
    desk.session.close()


def test_a_double_click_on_glass_adds_a_cell_that_undo_takes_away(
    fields: list[str],
) -> None:
    desk = sit_down(MemoryProject(built_in("marrow21")))
    desk.session.open_smears(fields[:1])
    session, state = desk.session, desk.session.state
    n, before = len(session.index), state.focus
    x, y = empty_place(session)
    desk.views.canvas.forget()
    desk.views.canvas.doubleClicked.emit(x, y)
    assert len(session.index) == n + 1
    added = state.focus
    assert added not in (before, None)
    box = session.index.table.box(added)
    assert box.x <= x <= box.x + box.width
    assert desk.views.canvas.count("centre_on") == 0
    session.label("OTH")
    assert session.undo()
    assert state.focus == added
    assert session.undo()
    assert added not in session.index
    assert state.listing.row_of(added) is None
    assert state.focus is not None
    assert session.redo()
    assert state.focus == added
    session.close()


def empty_place(session: Session) -> tuple[float, float]:
    """Return a point at least 60 pixels from every cell."""
    boxes = session.index.table.boxes
    for y in range(60, 340, 10):
        for x in range(60, 420, 10):
            gap = np.maximum(
                np.maximum(boxes[:, 0] - x, x - boxes[:, 0] - boxes[:, 2]),
                np.maximum(boxes[:, 1] - y, y - boxes[:, 1] - boxes[:, 3]),
            )
            if gap.min() > 60:
                return float(x), float(y)
    raise AssertionError("the painted field has no empty place")


def test_a_point_outside_is_refused_with_a_sentence(fields: list[str]) -> None:
    desk = sit_down(MemoryProject(built_in("marrow21")))
    desk.session.open_smears(fields[:1])
    smear, n = desk.session.state.smear, len(desk.session.index)
    desk.session.add_cell(smear, 5000.0, 10.0)
    assert "outside" in desk.failures[-1]
    assert len(desk.session.index) == n
    desk.session.close()


def test_files_opened_while_others_are_worked_through_wait_their_turn(
    fields: list[str],
) -> None:
    runner = HeldRunner()
    desk = sit_down(MemoryProject(built_in("marrow21")), runner)
    desk.session.open_smears(fields[:1])
    runner.step("open")
    desk.session.open_smears(fields[1:])
    assert runner.count("open") == 1
    runner.release("open")
    assert runner.count("open") == 0
    assert len(desk.session.project.smears()) == 3
    desk.session.close()


def test_cancel_stops_all_files_that_wait(fields: list[str]) -> None:
    runner = HeldRunner()
    desk = sit_down(MemoryProject(built_in("marrow21")), runner)
    desk.session.open_smears(fields)
    while not searched(desk.session.project):
        assert runner.step("open")
    desk.views.status.cancelAsked.emit("open")
    assert runner.count("open") == 0
    states = {job.key: job.state for job in desk.session.project.jobs()}
    assert states.pop("add") is JobState.DONE
    assert list(states.values()) == [JobState.CANCELLED] * 3
    again = HeldRunner()
    other = sit_down(desk.session.project, again)
    assert again.count("open") == 0
    other.session.close()
    desk.session.close()


def test_files_that_wait_when_the_window_closes_are_searched_when_reopened(
    fields: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "smears.cytosynth"
    runner = HeldRunner()
    first = sit_down(create_project(path, built_in("marrow21")), runner)
    first.session.open_smears(fields)
    while not searched(first.session.project):
        assert runner.step("open")
    assert len(first.session.project.smears()) == 3
    runner.close()
    first.session.close()
    second = sit_down(open_project(path))
    assert set(second.session.index.table.smears.tolist()) == {1, 2, 3}
    second.session.close()


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("killed", [False, True])
def test_files_chosen_but_not_yet_added_are_added_when_reopened(
    fields: list[str], tmp_path: Path, steps: int, killed: bool
) -> None:
    path = tmp_path / "smears.cytosynth"
    runner = HeldRunner()
    first = sit_down(create_project(path, built_in("marrow21")), runner)
    first.session.open_smears(fields, "patient 7")
    if steps:
        runner.step("open", steps)
    assert len(first.session.project.smears()) < 3
    left = tmp_path / "left.cytosynth"
    shutil.copytree(path, left, ignore=shutil.ignore_patterns("project.lock"))
    runner.close()
    first.session.close()
    second = sit_down(open_project(left if killed else path))
    assert not second.failures
    assert set(second.session.index.table.smears.tolist()) == {1, 2, 3}
    assert not second.session.project.jobs(JobState.RUNNING)
    assert {s.group for s in second.session.project.smears()} == {"patient 7"}
    second.session.close()


def test_files_that_a_cancel_put_off_stay_put_off(fields: list[str]) -> None:
    runner = HeldRunner()
    desk = sit_down(MemoryProject(built_in("marrow21")), runner)
    desk.session.open_smears(fields)
    runner.step("open")
    desk.views.status.cancelAsked.emit("open")
    again = HeldRunner()
    other = sit_down(desk.session.project, again)
    assert again.count("open") == 0
    other.session.close()
    desk.session.close()


def test_a_picture_without_colour_is_told_once(
    fields: list[str], tmp_path: Path
) -> None:
    gray = tmp_path / "gray.png"
    Image.open(fields[0]).convert("L").save(gray)
    desk = sit_down(MemoryProject(built_in("marrow21")))
    desk.session.open_smears([str(gray)])
    told = [f for f in desk.failures if "no colour" in f]
    assert len(told) == 1
    assert told[0].startswith("gray.png: ")
    desk.session.close()


def test_a_smear_that_was_never_searched_is_searched_at_the_start(
    fields: list[str],
) -> None:
    project = MemoryProject(built_in("marrow21"))
    add_smear(project, fields[0])
    desk = sit_down(project)
    assert len(desk.session.index) >= 3
    desk.session.close()


def test_finding_cells_that_closing_interrupted_goes_on_when_reopened(
    fields: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "smears.cytosynth"
    runner = HeldRunner()
    first = sit_down(create_project(path, built_in("marrow21")), runner)
    first.session.open_smears(fields[:1])
    while not searched(first.session.project):
        assert runner.step("open")
    runner.close()
    first.session.close()
    second = sit_down(open_project(path))
    assert len(second.session.index) >= 3
    assert {job.state for job in second.session.project.jobs()} == {JobState.DONE}
    second.session.close()


def test_labels_go_out_and_come_back(fields: list[str], tmp_path: Path) -> None:
    desk = sit_down(MemoryProject(built_in("marrow21")))
    desk.session.open_smears(fields[:2])
    for _ in range(4):
        desk.session.label("OTH")
    target = tmp_path / "labels.csv"
    desk.session.export_labels(target, "csv")
    assert target.is_file()
    assert "4 labelled cells" in desk.messages[-1]
    other = sit_down(MemoryProject(built_in("marrow21")))
    other.session.open_smears(fields[:2])
    other.session.import_labels(target, "csv")
    assert not other.failures
    row = next(r for r in other.session.state.classes if r.code == "OTH")
    assert row.labelled == 4
    other.session.import_labels(tmp_path / "none.csv", "csv")
    assert "none.csv" in other.failures[-1]
    desk.session.close()
    other.session.close()


def test_a_moved_file_is_found_again_when_it_is_opened(
    fields: list[str], tmp_path: Path
) -> None:
    old, new = tmp_path / "old" / "a.tif", tmp_path / "new" / "b.tif"
    for place in (old, new):
        place.parent.mkdir()
        place.write_bytes(Path(fields[0]).read_bytes())
    project = MemoryProject(built_in("marrow21"))
    first = sit_down(project)
    first.session.open_smears([str(old)])
    old.unlink()
    first.session.smears.close()
    second = sit_down(project)
    assert second.views.canvas.shown("show_smear")[0] is None
    assert "a.tif" in second.failures[0]
    n = len(second.session.index)
    second.session.open_smears([str(new)])
    assert project.smears()[0].uri == str(new)
    assert len(second.session.index) == n
    image, _ = second.views.canvas.shown("show_smear")
    assert image.smear.fingerprint == project.smears()[0].fingerprint
    first.session.close()
    second.session.close()


def test_smears_of_the_next_cards_are_open_before_they_are_shown(
    open_desk: Any,
) -> None:
    opener = PaperOpener()
    session = open_desk(opener=opener).session
    table, listing = session.index.table, session.state.listing
    row = listing.row_of(session.state.focus)
    ahead = listing.ids[row + 1 : row + 25].tolist()
    wanted = list(dict.fromkeys(int(table.smear_of(i)) for i in ahead))[:4]
    opened = len(opener.images)
    assert opened >= len(wanted) > 1
    for smear in wanted:
        session.show_smear(smear)
    assert len(opener.images) == opened
