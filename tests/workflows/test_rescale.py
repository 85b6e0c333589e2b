"""A corrected pixel size: crops, vectors and cells follow, and undo takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import JobState, Project
from napari_cytosynth.core.smear import MppSource
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest import cut_crops, open_smear
from napari_cytosynth.ingest.tiles import Tiling
from napari_cytosynth.store import CellProject, create_project, open_project
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.workflows import detect, rescale
from napari_cytosynth.workflows.detect import add_cell, add_smear, find_cells
from napari_cytosynth.workflows.embed import embed_cells, vectors_of
from napari_cytosynth.workflows.rescale import change_scale, cut_anew, stale_smears
from napari_cytosynth.workflows.reshape import change_box
from napari_cytosynth.workflows.searches import find_anew, unfinished
from tests.workflows.test_detect import field_picture

ANN = Author("ann")
WRONG, TRUE = 0.5, 0.25


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "field.png"
    Image.fromarray(field_picture()).save(path)
    return path


@pytest.fixture
def project(tmp_path: Path, picture: Path) -> Iterator[CellProject]:
    """Return a project of one smear, its cells found at twice the true pixel size."""
    made = create_project(tmp_path / "smears.cytosynth", built_in("blood5"))
    smear = add_smear(made, picture, mpp=WRONG)
    run_to_end(find_cells(made, smear.id))
    assert len(made.cells()) == 9
    yield made
    made.close()


SMEAR = SmearId(1)


def width_of_cell(crop: np.ndarray) -> int:
    """Return how many pixels of the middle row are no glass."""
    return int((crop[48, :, 1] < 200).sum())


def test_crops_are_cut_by_the_new_scale(project: CellProject, picture: Path) -> None:
    ids = project.cells().ids
    boxes = project.cells().boxes.copy()
    before = project.crops(ids)
    calibration = change_scale(project, SMEAR, TRUE, ANN)
    assert (calibration.mpp, calibration.mpp_source) == (TRUE, MppSource.USER)
    assert stale_smears(project) == [SMEAR]
    assert run_to_end(cut_anew(project, SMEAR)) == 9
    assert stale_smears(project) == []
    after = project.crops(ids)
    image = open_smear(picture)
    np.testing.assert_array_equal(after, cut_crops(image, boxes, TRUE))
    image.close()
    # A cell of 12 um is 48 of the crop's pixels; at twice the scale it fills the crop.
    assert width_of_cell(before[4]) > 90
    assert width_of_cell(after[4]) == pytest.approx(48, abs=3)
    np.testing.assert_array_equal(project.cells().boxes, boxes)


def test_vectors_follow_and_undo_has_the_old_ones(project: CellProject) -> None:
    compute = FakeCompute()
    key = run_to_end(embed_cells(project, compute))
    before = vectors_of(project, key).copy()
    project.record(ANN.label(CellId(3), "NEU"))
    change_scale(project, SMEAR, TRUE, ANN)
    run_to_end(cut_anew(project, SMEAR))
    assert np.isnan(vectors_of(project, key)).all()
    run_to_end(embed_cells(project, compute))
    after = vectors_of(project, key).copy()
    assert np.isfinite(after).all()
    assert (after != before).any(axis=1).all()
    (scaled,) = project.journal.undo_step("ann")
    project.record(ANN.undo(scaled.id))
    assert project.calibration(SMEAR).mpp == WRONG
    np.testing.assert_array_equal(vectors_of(project, key), before)
    assert stale_smears(project) == []
    project.record(ANN.redo(scaled.id))
    np.testing.assert_array_equal(vectors_of(project, key), after)
    assert {c: v.code for c, v in project.journal.labels().items()} == {3: "NEU"}


def test_cutting_goes_on_where_it_was_stopped(
    project: CellProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescale, "BATCH", 4)
    change_scale(project, SMEAR, TRUE, ANN)
    task = cut_anew(project, SMEAR)
    while next(task).done < 4:
        pass
    task.close()
    project.close()
    with open_project(project.path) as again:
        assert len(again.stale_crops(SMEAR)) == 5
        assert run_to_end(cut_anew(again, SMEAR)) == 5
        assert stale_smears(again) == []
        assert width_of_cell(again.crops([1])[0]) == pytest.approx(48, abs=3)


def test_a_box_changed_while_cutting_is_cut_too(
    project: CellProject, picture: Path
) -> None:
    task = cut_anew(project, SMEAR)
    change_scale(project, SMEAR, TRUE, ANN)
    next(task)
    kept = change_box(project, CellId(2), Box(300, 90, 40, 40), ANN)
    run_to_end(task)
    assert stale_smears(project) == []
    image = open_smear(picture)
    wanted = cut_crops(image, [[kept.x, kept.y, kept.width, kept.height]], TRUE)
    image.close()
    np.testing.assert_array_equal(project.crops([2]), wanted)


@pytest.mark.parametrize("mpp", [0.0, -1.0, 0.001, 70.0, float("nan")])
def test_a_scale_of_no_microscope_is_refused(project: CellProject, mpp: float) -> None:
    with pytest.raises(InputError, match="um"):
        change_scale(project, SMEAR, mpp, ANN)
    assert project.journal.events() == ()


def test_cells_are_found_anew_and_what_people_did_stays(project: CellProject) -> None:
    change_scale(project, SMEAR, TRUE, ANN)
    project.record(ANN.label(CellId(1), "NEU"))
    hand = add_cell(project, SMEAR, 20.0, 580.0, ANN)
    change_box(project, CellId(5), Box(280, 280, 60, 60), ANN)
    boxes = {int(c): project.cells().box(c) for c in (CellId(1), hand, CellId(5))}
    assert find_anew(project, SMEAR, ANN) == 7
    assert project.cells().ids.tolist() == [1, 5, int(hand)]
    assert unfinished(project, SMEAR)
    run_to_end(find_cells(project, SMEAR))
    assert not unfinished(project, SMEAR)
    for cell, box in boxes.items():
        assert project.cells().box(CellId(cell)) == box
    assert len(project.cells()) >= 9
    assert project.stale_crops(SMEAR).tolist() == [1]
    (search,) = project.journal.undo_step("ann")
    project.record(ANN.undo(search.id))
    assert project.cells().ids.tolist() == [*range(1, 10), int(hand)]


def test_a_search_anew_survives_a_crash_before_it_began(project: CellProject) -> None:
    find_anew(project, SMEAR, ANN)
    project.close()
    with open_project(project.path) as again:
        assert len(again.cells()) == 0
        assert unfinished(again, SMEAR)
        assert run_to_end(find_cells(again, SMEAR)) == 9


def test_parts_of_a_split_cell_are_a_persons_work(project: CellProject) -> None:
    table = project.cells()
    box = table.box(CellId(1))
    middle = box.y + box.height / 2
    left, right = box.x + box.width / 4, box.x + 3 * box.width / 4
    from napari_cytosynth.workflows.reshape import split_cell

    parts = split_cell(project, CellId(1), ((left, middle), (right, middle)), ANN)
    find_anew(project, SMEAR, ANN)
    assert project.cells().ids.tolist() == parts.tolist()


def test_a_scale_corrected_during_the_search_begins_it_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(**options: int) -> Tiling:
        return Tiling(core=150, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("napari_cytosynth.ingest.finding.Tiling", small)
    monkeypatch.setattr(detect, "_BATCH", 1)
    find_anew(project, SMEAR, ANN)
    task = find_cells(project, SMEAR)
    while not len(project.cells()):
        next(task)
    change_scale(project, SMEAR, TRUE, ANN)
    run_to_end(task)
    assert [j.state for j in project.jobs()] == [JobState.DONE]
    assert project.jobs()[0].data["mpp"] == TRUE
    assert 0 < len(project.stale_crops(SMEAR)) < len(project.cells())
    assert len(project.cells()) >= 9
