"""Flaws of cells: measured where cells are found, stored, and told to the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.quality import Flaw
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.smear import SmearImage
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest.finding import InlineFinder
from napari_cytosynth.store import MemoryProject, create_project, open_project
from napari_cytosynth.testing.painter import FieldSpec, paint_field
from napari_cytosynth.testing.tiny import tiny_calibration, tiny_crops, tiny_project
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.detect import add_smear, find_cells
from napari_cytosynth.workflows.detect_files import detect_files
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.exporting import export_labels
from napari_cytosynth.workflows.quality import (
    KEY,
    flaw_counts,
    flaws_by_cell,
    measure_cells,
)
from napari_cytosynth.workflows.rescale import change_scale, cut_anew
from napari_cytosynth.workflows.suggest import suggest

AUTHOR = Author("Ada")


@pytest.fixture
def project() -> Iterator[MemoryProject]:
    made = MemoryProject(built_in("pbc11"))
    yield made
    made.close()


@pytest.fixture
def smear(tmp_path: Path) -> Path:
    """Return a field whose lower half a decoder put at the wrong place."""
    field = paint_field(FieldSpec(640, 640, 14), np.random.default_rng(5)).pixels
    pixels = field.astype(np.int16)
    pixels[448:] = np.roll(pixels[448:], 160, axis=1) + 40
    path = tmp_path / "field.png"
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return path


def found(project: Project, path: Path) -> int:
    added = add_smear(project, path, mpp=0.25)
    run_to_end(find_cells(project, added.id))
    return int(added.id)


def test_cells_are_measured_as_they_are_found(
    project: MemoryProject, smear: Path
) -> None:
    found(project, smear)
    table = project.cells()
    stored = project.embeddings(KEY, table.ids)
    assert stored.shape == (len(table), 3)
    assert np.isfinite(stored).all()
    flaws = flaws_by_cell(project)
    low = table.boxes[:, 1] + table.boxes[:, 3] / 2
    damaged = (flaws & Flaw.DAMAGED) > 0
    assert damaged[np.abs(low - 448) < 80].all()
    assert not damaged[low < 330].any()
    border = (table.boxes[:, :2] <= 0).any(axis=1)
    assert (flaws[border] & Flaw.CUT > 0).all()
    assert run_to_end(measure_cells(project)) == 0


def add_discs(project: Project, centres: list[tuple[float, float]]) -> np.ndarray:
    """Add round cells of 40 pixels around these centres to the first smear."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 20
    outlines = [(ring + c).astype(np.float32) for c in centres]
    n = len(centres)
    detections = Detections(
        np.array([(x - 20, y - 20, 40, 40) for x, y in centres], np.float32),
        np.ones(n, np.float32),
        np.zeros(n, bool),
        outlines,
        np.ones(n, np.uint8),
    )
    smears = project.smears()
    crops = tiny_crops(project.taxonomy, ["BA"] * n, np.random.default_rng(0))
    return project.add_cells(smears[0].id, detections, crops)


@pytest.fixture
def bare(project: MemoryProject) -> MemoryProject:
    """Return a project of one smear without cells, whose picture is gone."""
    from napari_cytosynth.testing.tiny import tiny_smear

    smear = project.add_smear(tiny_smear())
    project.set_calibration(smear.id, tiny_calibration())
    return project


def test_overlapping_cells_are_flagged_and_their_neighbours_with_them(
    bare: MemoryProject,
) -> None:
    add_discs(bare, [(100, 100), (300, 100)])
    run_to_end(measure_cells(bare))
    assert flaws_by_cell(bare).tolist() == [0, 0]
    add_discs(bare, [(118, 100)])
    assert run_to_end(measure_cells(bare)) == 1
    assert flaws_by_cell(bare).tolist() == [Flaw.OVERLAPPING, 0, Flaw.OVERLAPPING]


def test_cells_side_by_side_do_not_overlap(bare: MemoryProject) -> None:
    add_discs(bare, [(100, 100), (141, 100)])
    run_to_end(measure_cells(bare))
    assert not flaws_by_cell(bare).any()


def test_a_box_at_the_border_is_cut_whatever_the_file_said(
    bare: MemoryProject,
) -> None:
    add_discs(bare, [(20, 400), (1980, 700), (900, 900)])
    assert flaws_by_cell(bare).tolist() == [Flaw.CUT, Flaw.CUT, 0]


def test_without_the_picture_the_crops_tell_how_sharp_cells_are(
    bare: MemoryProject,
) -> None:
    add_discs(bare, [(100, 100)])
    run_to_end(measure_cells(bare))
    edge, torn, _ = bare.embeddings(KEY, [1])[0]
    assert 0 <= edge < 0.5
    assert torn < 0
    assert flaws_by_cell(bare).tolist() == [0]


def test_a_box_drawn_anew_is_measured_anew(bare: MemoryProject) -> None:
    (cell,) = add_discs(bare, [(100, 100)]).tolist()
    run_to_end(measure_cells(bare))
    crop = np.full((1, 96, 96, 3), 230, np.uint8)
    bare.change_box(cell, Box(90, 90, 40, 40), crop, AUTHOR)
    assert run_to_end(measure_cells(bare)) == 1
    assert flaws_by_cell(bare).tolist() == [Flaw.BLURRED]


def test_pictures_cut_anew_are_measured_anew(
    project: MemoryProject, smear: Path
) -> None:
    number = SmearId(found(project, smear))
    before = project.embeddings(KEY, project.cells().ids).copy()
    assert len(flaws_by_cell(project)) == len(before)
    change_scale(project, number, 0.5, AUTHOR)
    run_to_end(cut_anew(project, number))
    assert run_to_end(measure_cells(project)) == len(before) > 0
    after = project.embeddings(KEY, project.cells().ids)
    assert np.isfinite(after).all()
    assert (after[:, 0] > before[:, 0]).mean() > 0.5, "edges are twice as wide now"
    assert run_to_end(measure_cells(project)) == 0


class Meanwhile(InlineFinder):
    """Lets something happen while the pixels are measured."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = happens

    def measure(self, image: SmearImage, boxes: npt.ArrayLike, mpp: float) -> Vectors:
        found = super().measure(image, boxes, mpp)
        self._happens()
        return found


def test_a_box_changed_while_it_is_measured_is_measured_again(
    project: MemoryProject, smear: Path
) -> None:
    added = add_smear(project, smear, mpp=0.25)
    project.set_calibration(added.id, tiny_calibration())
    cell, other = add_discs(project, [(100, 100), (300, 100)]).tolist()
    crop = np.full((1, 96, 96, 3), 230, np.uint8)

    def change() -> None:
        if not project.journal.events():
            project.change_box(cell, Box(200, 300, 40, 40), crop, AUTHOR)

    run_to_end(measure_cells(project, finder=Meanwhile(change)))
    stored = project.embeddings(KEY, [cell, other])
    assert np.isnan(stored[0]).all()
    assert np.isfinite(stored[1]).all()
    assert run_to_end(measure_cells(project)) == 1


def test_flaws_read_while_cells_are_measured_are_not_kept(
    bare: MemoryProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_discs(bare, [(100, 100), (118, 100)])
    read = bare.embeddings

    def slow(embedder: str, cells: npt.ArrayLike) -> Vectors:
        """Measure after the reading, as another thread does."""
        found = read(embedder, cells).copy()
        monkeypatch.setattr(bare, "embeddings", read)
        run_to_end(measure_cells(bare))
        return found

    monkeypatch.setattr(bare, "embeddings", slow)
    assert flaws_by_cell(bare).tolist() == [0, 0]
    assert flaws_by_cell(bare).tolist() == [Flaw.OVERLAPPING] * 2


def test_flaws_outlive_the_session(tmp_path: Path, smear: Path) -> None:
    made = create_project(tmp_path / "p.cytosynth", built_in("pbc11"))
    found(made, smear)
    before = flaws_by_cell(made).copy()
    made.close()
    again = open_project(tmp_path / "p.cytosynth")
    assert run_to_end(measure_cells(again)) == 0
    np.testing.assert_array_equal(flaws_by_cell(again), before)
    assert flaw_counts(before)["flagged"] == np.count_nonzero(before)
    assert flaw_counts(before)["damaged"] > 0
    again.close()


def test_removed_cells_leave_no_flaw(bare: MemoryProject) -> None:
    cells = add_discs(bare, [(20, 100), (300, 100)])
    assert len(flaws_by_cell(bare)) == 2
    bare.record(AUTHOR.removed(CellId(int(cells[0]))))
    assert flaws_by_cell(bare).tolist() == [0]


@pytest.fixture
def queue(project: MemoryProject) -> tuple[MemoryProject, str]:
    """Return 300 cells of six patients; every fourth is cut."""
    tiny_project(project, smears=6, cells_per_smear=50)
    key = run_to_end(embed_cells(project, InlineCompute(), embedder="morphology"))
    run_to_end(measure_cells(project))
    table = project.cells()
    for cell, box in list(zip(table.ids.tolist(), table.boxes, strict=True))[::4]:
        place = Box(0.0, float(box[1]), float(box[2]), float(box[3]))
        project.change_box(cell, place, project.crops([cell]), AUTHOR)
    run_to_end(embed_cells(project, InlineCompute(), embedder="morphology"))
    run_to_end(measure_cells(project))
    return project, key


def test_flagged_cells_come_after_all_sound_ones(
    queue: tuple[MemoryProject, str],
) -> None:
    project, key = queue
    flagged = project.cells().ids[flaws_by_cell(project) > 0]
    ranking = suggest(project, key, head=None, n=300)
    query, audit = ranking.query, ranking.audit
    assert np.array_equal(np.sort(query.ids), np.unique(query.ids))
    teach = query.ids[~audit]
    late = np.isin(teach, ranking.late)
    assert late.any()
    assert np.isin(ranking.late, flagged).all()
    assert late[np.argmax(late) :].all()
    decoys = np.isin(teach[~late], flagged).sum()
    assert decoys == np.isin(query.ids[audit], flagged).sum()


def test_audit_cards_are_dealt_flagged_or_not(
    queue: tuple[MemoryProject, str],
) -> None:
    project, key = queue
    table = project.cells()
    flagged = table.ids[flaws_by_cell(project) > 0]
    few = suggest(project, key, head=None, n=200, seed=3)
    drawn = few.query.ids[few.audit]
    sound = MemoryProject(project.taxonomy)
    tiny_project(sound, smears=6, cells_per_smear=50)
    run_to_end(embed_cells(sound, InlineCompute(), embedder="morphology"))
    assert not flaws_by_cell(sound).any()
    same = suggest(sound, key, head=None, n=200, seed=3)
    assert set(drawn) == set(same.query.ids[same.audit])
    assert np.isin(drawn, flagged).any()


def test_a_queue_of_flagged_cells_alone_is_still_a_queue(bare: MemoryProject) -> None:
    add_discs(bare, [(20, 100), (20, 300), (20, 500)])
    ranking = suggest(bare, "nothing yet", head=None, n=10)
    assert sorted(ranking.query.ids.tolist()) == [1, 2, 3]


@pytest.mark.parametrize("key", ["csv", "coco"])
def test_exports_say_what_is_wrong_with_a_picture(
    bare: MemoryProject, tmp_path: Path, key: str
) -> None:
    first, second = add_discs(bare, [(20, 100), (300, 100)]).tolist()
    bare.record(AUTHOR.label(first, "BA"), AUTHOR.label(second, "BA"))
    export_labels(bare, tmp_path / "labels", key)
    objects = load("formats", key)().read(tmp_path / "labels").objects
    assert [o.attributes.get("quality", "") for o in objects] == ["cut", ""]


def test_detect_says_what_is_wrong_without_a_project(smear: Path) -> None:
    records = run_to_end(detect_files([smear], objects="all"))
    told = {o.attributes.get("quality", "") for o in records.objects}
    assert any("damaged" in words for words in told)
    others = [o for o in records.objects if o.label != "nucleated cell"]
    assert others
    assert not any(o.attributes for o in others)
    cut = [o for o in records.objects if o.label == "nucleated cell" and o.edge]
    assert all("cut" in o.attributes["quality"] for o in cut)
