from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import JobState, Project
from napari_cytosynth.core.smear import MppSource
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest.tiles import Tiling
from napari_cytosynth.store import MemoryProject, create_project, open_project
from napari_cytosynth.workflows import detect
from napari_cytosynth.workflows.detect import (
    add_cell,
    add_smear,
    detect_files,
    find_cells,
)
from napari_cytosynth.workflows.sample import sample_smear_path

AUTHOR = Author("ann")


def field_picture(seed: int = 0, cells: int = 9) -> np.ndarray:
    """Paint white cells of 12 um on glass, 0.25 um a pixel, on a jittered lattice."""
    rng = np.random.default_rng(seed)
    picture = np.empty((600, 600, 3), np.float64)
    picture[:] = (240, 232, 225)
    y, x = np.mgrid[:600, :600] + 0.5
    for number in range(cells):
        cy = 100 + 200 * (number // 3) + rng.uniform(-30, 30)
        cx = 100 + 200 * (number % 3) + rng.uniform(-30, 30)
        away = np.hypot(y - cy, x - cx) * 0.25
        picture[away < 6] = (190, 165, 205)
        picture[away < 4] = (90, 40, 140)
    return (picture + rng.normal(0, 3, picture.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "field.png"
    Image.fromarray(field_picture()).save(path)
    return path


@pytest.fixture(params=["memory", "disk"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    if request.param == "memory":
        made: Project = MemoryProject(built_in("blood5"))
    else:
        made = create_project(tmp_path / "smears.cytosynth", built_in("blood5"))
    yield made
    made.close()


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the scan take several steps, and store after each."""
    whole = Tiling

    def small(**options: int) -> Tiling:
        return whole(core=150, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("napari_cytosynth.ingest.finding.Tiling", small)
    monkeypatch.setattr(detect, "_BATCH", 1)


def test_adding_twice_gives_the_same_smear(project: Project, picture: Path) -> None:
    first = add_smear(project, picture, mpp=0.25)
    copy = picture.with_name("copy.png")
    copy.write_bytes(picture.read_bytes())
    assert add_smear(project, copy).id == first.id
    assert len(project.smears()) == 1
    calibration = project.calibration(first.id)
    assert calibration is not None
    assert (calibration.mpp, calibration.mpp_source) == (0.25, MppSource.USER)


def test_a_moved_picture_is_added_from_its_new_place(
    project: Project, picture: Path
) -> None:
    first = add_smear(project, picture, mpp=0.25)
    moved = picture.with_name("moved.png")
    picture.rename(moved)
    assert add_smear(project, moved).uri == str(moved)
    assert [(s.id, s.uri) for s in project.smears()] == [(first.id, str(moved))]
    copy = picture.with_name("copy.png")
    copy.write_bytes(moved.read_bytes())
    assert add_smear(project, copy).uri == str(moved)


def test_corrected_scale_is_kept(project: Project, picture: Path) -> None:
    smear = add_smear(project, picture)
    add_smear(project, picture, mpp=0.3)
    calibration = project.calibration(smear.id)
    assert calibration is not None
    assert calibration.mpp == 0.3


def test_group(project: Project, picture: Path) -> None:
    assert add_smear(project, picture, group="patient 7").group == "patient 7"
    assert add_smear(project, picture).group == "patient 7"
    assert add_smear(project, picture, group="patient 7").group == "patient 7"
    with pytest.raises(InputError, match=r"with the group 'patient 7'.*'patient 8'"):
        add_smear(project, picture, group="patient 8")
    assert [s.group for s in project.smears()] == ["patient 7"]


def test_found_once_however_often_asked(project: Project, picture: Path) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    assert run_to_end(find_cells(project, smear.id)) == 9
    assert run_to_end(find_cells(project, smear.id)) == 0
    table = project.cells()
    assert len(table) == 9
    crops = project.crops(table.ids)
    assert crops.shape == (9, 96, 96, 3)
    assert (crops[:, 44:52, 44:52, 0] < 140).all()
    assert [job.state for job in project.jobs()] == [JobState.DONE]


def test_a_removed_cell_stays_removed(project: Project, picture: Path) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    run_to_end(find_cells(project, smear.id))
    project.record(AUTHOR.removed(project.cells().ids[0]))
    assert run_to_end(find_cells(project, smear.id)) == 0
    assert len(project.cells()) == 8


def test_a_removed_cell_does_not_come_back_when_the_scale_is_corrected(
    project: Project, picture: Path
) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    run_to_end(find_cells(project, smear.id))
    gone = project.cells().ids[0]
    project.record(AUTHOR.removed(gone))
    assert project.removed_cells().ids.tolist() == [gone]
    add_smear(project, picture, mpp=0.26)
    run_to_end(find_cells(project, smear.id))
    assert len(project.cells()) == 8


@pytest.mark.usefixtures("small_tiles")
def test_cancelled_and_resumed(project: Project, picture: Path) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    task = find_cells(project, smear.id)
    seen = next(task)
    assert seen.total > 3
    next(task)
    task.close()
    kept = len(project.cells())
    assert kept < 9
    assert [job.state for job in project.jobs()] == [JobState.CANCELLED]
    assert run_to_end(find_cells(project, smear.id)) == 9 - kept
    assert len(np.unique(project.cells().boxes, axis=0)) == len(project.cells()) == 9


@pytest.mark.usefixtures("small_tiles")
def test_a_cell_added_by_hand_while_cells_are_found_is_not_found_again(
    project: Project, picture: Path
) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    full = MemoryProject(built_in("blood5"))
    run_to_end(find_cells(full, add_smear(full, picture, mpp=0.25).id))
    last = full.cells().boxes[full.cells().boxes[:, 1].argmax()]
    task = find_cells(project, smear.id)
    next(task)
    x, y = (float(v) for v in last[:2] + last[2:] / 2)
    hand = add_cell(project, smear.id, x, y, AUTHOR)
    run_to_end(task)
    assert int(hand) in project.cells().ids
    assert len(np.unique(project.cells().boxes, axis=0)) == len(project.cells()) == 9


@pytest.mark.usefixtures("small_tiles")
def test_crash_between_cells_and_job(project: Project, picture: Path) -> None:
    """The cells are committed, the job's row is not: nothing is added twice."""
    smear = add_smear(project, picture, mpp=0.25)
    before = None
    task = find_cells(project, smear.id)
    while len(project.cells()) < 4:
        before = project.jobs()[0] if project.jobs() else None
        next(task)
    task.close()
    assert before is not None
    project.put_job(before)
    run_to_end(find_cells(project, smear.id))
    assert len(np.unique(project.cells().boxes, axis=0)) == len(project.cells()) == 9


@pytest.mark.usefixtures("small_tiles")
def test_resumed_after_reopening(tmp_path: Path, picture: Path) -> None:
    folder = tmp_path / "smears.cytosynth"
    project = create_project(folder, built_in("blood5"))
    smear = add_smear(project, picture, mpp=0.25)
    task = find_cells(project, smear.id)
    next(task)
    next(task)
    task.close()
    project.close()
    again = open_project(folder)
    run_to_end(find_cells(again, smear.id))
    assert len(again.cells()) == 9
    again.close()


def test_damaged_later_keeps_the_project(project: Project, picture: Path) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    picture.write_bytes(picture.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"field\.png"):
        run_to_end(find_cells(project, smear.id))
    assert len(project.cells()) == 0


def test_unknown_smear(project: Project) -> None:
    with pytest.raises(InputError, match="no smear 99"):
        run_to_end(find_cells(project, SmearId(99)))


def test_click_finds_the_whole_cell(project: Project, picture: Path) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    full = MemoryProject(built_in("blood5"))
    other = add_smear(full, picture, mpp=0.25)
    run_to_end(find_cells(full, other.id))
    box = full.cells().boxes[4]
    x, y = box[:2] + box[2:] / 2
    cell = add_cell(project, smear.id, float(x), float(y), AUTHOR)
    got = project.cells().box(cell)
    np.testing.assert_allclose([got.x, got.y, got.width, got.height], box, atol=0.01)
    assert add_cell(project, smear.id, float(x) + 5, float(y), AUTHOR) == cell
    assert len(project.cells()) == 1


def test_click_on_glass_gives_a_common_box(project: Project, picture: Path) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    cell = add_cell(project, smear.id, 200.0, 200.0, AUTHOR)
    box = project.cells().box(cell)
    assert box.centre == pytest.approx((200, 200))
    assert box.width == box.height == pytest.approx(48)
    (undone,) = project.journal.undo_step("ann")
    project.record(AUTHOR.undo(undone.id))
    assert len(project.cells()) == 0


def test_click_outside(project: Project, picture: Path) -> None:
    smear = add_smear(project, picture, mpp=0.25)
    with pytest.raises(InputError, match="outside"):
        add_cell(project, smear.id, 700, 10, AUTHOR)


def test_files_and_folders(tmp_path: Path, picture: Path) -> None:
    folder = tmp_path / "slides"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b.png").write_bytes(picture.read_bytes())
    Image.fromarray(np.full((50, 60, 3), 240, np.uint8)).save(folder / "empty.png")
    records = run_to_end(detect_files([folder, picture]))
    assert [i.file_name for i in records.images] == [
        "deep/b.png",
        "empty.png",
        "field.png",
    ]
    assert (records.images[1].width, records.images[1].height) == (60, 50)
    assert records.images[1].mpp_source == MppSource.FALLBACK
    assert {o.image for o in records.objects} == {"deep/b.png", "field.png"}
    assert len(records.objects) == 18
    assert records.classes == ("nucleated cell", "red cell", "platelet")
    first = records.objects[0]
    assert first.label == "nucleated cell"
    assert first.score is not None
    assert len(first.outline) > 8


def test_pictures_of_one_name_stay_apart(tmp_path: Path, picture: Path) -> None:
    for folder in ("left", "right"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(picture.read_bytes())
    Image.fromarray(field_picture(1, cells=4)).save(tmp_path / "right" / "a.png")
    left, right = tmp_path / "left", tmp_path / "right"
    records = run_to_end(detect_files([left, right, left / "a.png"]))
    counts = Counter(o.image for o in records.objects)
    assert [i.file_name for i in records.images] == ["left/a.png", "right/a.png"]
    assert counts == {"left/a.png": 9, "right/a.png": 4}
    again = run_to_end(detect_files([picture, picture]))
    assert [i.file_name for i in again.images] == ["field.png"]
    assert len(again.objects) == 9


def test_a_bad_file_is_told_by_the_path_that_was_given(
    tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.png").write_text("no picture")
    told: list[Path] = []
    given = [Path("b.png"), picture]
    run_to_end(detect_files(given, on_damaged=lambda path, _: told.append(path)))
    assert told == given[:1]


def test_a_zarr_folder_of_any_name_is_one_picture(tmp_path: Path) -> None:
    shutil.copytree(sample_smear_path(), tmp_path / "scan")
    task = detect_files([tmp_path / "scan"])
    assert next(task).note == "scan"
    task.close()


def test_of_a_large_picture_the_tiles_are_told() -> None:
    task = detect_files([sample_smear_path()])
    notes = (step.note for step in task)
    assert next(note for note in notes if ": " in note) == (
        "marrow.ome.zarr: tile 1 of 12"
    )
    task.close()


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("no picture")
    with pytest.raises(InputError, match=r"a\.png"):
        run_to_end(detect_files([path]))
