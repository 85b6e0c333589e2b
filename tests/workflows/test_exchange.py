"""Labels in and out of a project, with real pictures."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.core.errors import (
    FormatError,
    InputError,
    RegistryError,
    UnknownClassError,
)
from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, EventKind, Mode
from napari_cytosynth.core.protocols import ImageRecord, ObjectRecord, Records
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.formats.coco import Coco
from napari_cytosynth.formats.csv import Csv
from napari_cytosynth.store import MemoryProject, create_project, open_project
from napari_cytosynth.testing.tiny import (
    tiny_calibration,
    tiny_crops,
    tiny_detections,
    tiny_smear,
    tiny_synthetic,
)
from napari_cytosynth.workflows.detect import add_smear
from napari_cytosynth.workflows.exchange import (
    ImportOptions,
    ImportReport,
    importing,
    match_boxes,
)
from napari_cytosynth.workflows.exporting import export_labels
from napari_cytosynth.workflows.pairing import smear_names

ANN = Author("ann")
BOX = (100.0, 90.0, 50.0, 50.0)


def import_labels(
    project: Any,
    path: Path,
    form: Any,
    *,
    author: Author | None = None,
    mapping: Mapping[str, str] | None = None,
) -> ImportReport:
    options = ImportOptions(author or Author("import"), mapping or {})
    return run_to_end(importing(project, path, form, options))


def _picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 255, (300, 400, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return _picture(tmp_path / "smears" / "one.png")


@pytest.fixture
def project(picture: Path) -> MemoryProject:
    """One smear with three detected cells on a grid."""
    made = MemoryProject(built_in("pbc11"))
    smear = add_smear(made, picture, mpp=0.25)
    rng = np.random.default_rng(0)
    crops = tiny_crops(made.taxonomy, ["SNE"] * 3, rng)
    made.add_cells(smear.id, tiny_detections(3, rng), crops)
    return made


def _file(folder: Path, *objects: ObjectRecord, name: str = "one.png") -> Path:
    images = [ImageRecord(n, 400, 300) for n in {name, *(o.image for o in objects)}]
    Csv().write(Records(tuple(images), objects), folder / "labels.csv")
    return folder / "labels.csv"


def _on_cell(project: MemoryProject, row: int, label: str, **more) -> ObjectRecord:
    box = tuple(float(v) for v in project.cells().boxes[row] + 1)
    return ObjectRecord("one.png", box, label, **more)


def _snapshot(project: MemoryProject) -> tuple:
    return len(project.cells()), project.journal.events(), project.smears()


def test_known_cells_are_labelled(project: MemoryProject, tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        _on_cell(project, 2, "BA"),
        _on_cell(project, 0, "segmented neutrophil"),
    )
    report = import_labels(project, path, "csv", author=ANN)
    assert (report.matched, report.added, report.labelled) == (2, 0, 2)
    labels = project.journal.labels()
    assert {c: v.code for c, v in labels.items()} == {3: "BA", 1: "SNE"}
    assert {v.mode for v in labels.values()} == {Mode.IMPORT}
    assert {v.annotator for v in labels.values()} == {"ann"}


def test_new_boxes_become_cells_cut_from_the_picture(
    project: MemoryProject, tmp_path: Path, picture: Path
) -> None:
    path = _file(tmp_path, ObjectRecord("one.png", (200, 150, 96, 96), "EO"))
    report = import_labels(project, path, "csv", author=ANN)
    assert (report.matched, report.added, report.labelled) == (0, 1, 1)
    table = project.cells()
    np.testing.assert_array_equal(table.boxes[-1], (200, 150, 96, 96))
    pixels = np.asarray(Image.open(picture))[150:246, 200:296]
    np.testing.assert_allclose(project.crops([4])[0], pixels, atol=2)
    added, label = project.journal.events()
    assert added.kind is EventKind.CELL_ADDED
    assert (added.mode, label.mode) == (Mode.IMPORT, Mode.IMPORT)
    assert not table.edges[-1]


def test_box_at_the_border_is_an_edge_cell(
    project: MemoryProject, tmp_path: Path
) -> None:
    path = _file(tmp_path, ObjectRecord("one.png", (380, 250, 30, 30), "EO"))
    import_labels(project, path, "csv")
    assert project.cells().edges[-1]


def test_importing_twice_changes_nothing(
    project: MemoryProject, tmp_path: Path
) -> None:
    path = _file(
        tmp_path, _on_cell(project, 0, "BA"), ObjectRecord("one.png", BOX, "EO")
    )
    import_labels(project, path, "csv")
    before = _snapshot(project)
    report = import_labels(project, path, "csv")
    assert (report.same, report.added, report.labelled) == (2, 0, 0)
    assert _snapshot(project) == before


def test_a_box_told_twice_is_one_cell(project: MemoryProject, tmp_path: Path) -> None:
    on, new = _on_cell(project, 0, "BA"), ObjectRecord("one.png", BOX, "BA")
    before = len(project.cells())
    path = _file(tmp_path, on, on, new, replace(new, label=""), new)
    report = import_labels(project, path, "csv")
    assert (report.matched, report.added, report.labelled) == (1, 1, 2)
    assert report.skipped == 3
    assert len(project.cells()) == before + 1


def test_a_box_of_two_classes_is_refused(
    project: MemoryProject, tmp_path: Path
) -> None:
    item = _on_cell(project, 0, "BA")
    path = _file(tmp_path, item, replace(item, label="EO"))
    before = _snapshot(project)
    with pytest.raises(InputError, match=r"'one.png' is there twice, as BA and as EO"):
        import_labels(project, path, "csv")
    assert _snapshot(project) == before


def test_a_readers_label_stays_unless_told(
    project: MemoryProject, tmp_path: Path
) -> None:
    project.record(ANN.label(CellId(1), "MO"))
    path = _file(tmp_path, _on_cell(project, 0, "BA"))
    assert import_labels(project, path, "csv").kept == 1
    assert project.journal.label(CellId(1)).code == "MO"
    options = ImportOptions(ANN, replace_labels=True)
    report = run_to_end(importing(project, path, "csv", options))
    assert report.labelled == 1
    assert project.journal.label(CellId(1)).code == "BA"


def test_a_label_given_meanwhile_stays(project: MemoryProject, tmp_path: Path) -> None:
    second = add_smear(project, _picture(tmp_path / "smears" / "two.png", 1), mpp=0.25)
    found = tiny_detections(3, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    crops = tiny_crops(project.taxonomy, ["SNE"] * 3, rng)
    project.add_cells(second.id, found, crops)
    theirs = _on_cell(project, 0, "BA")
    path = _file(tmp_path, theirs, replace(theirs, image="two.png"))
    task = importing(project, path, "csv", ImportOptions(ANN))
    while "two.png" not in next(task).note:
        pass
    project.record(Author("reader").label(CellId(1), "EO"))
    report = run_to_end(task)
    assert (report.kept, report.labelled) == (1, 1)
    label = project.journal.label(CellId(1))
    assert label is not None
    assert (label.code, label.annotator) == ("EO", "reader")


def test_unknown_classes_are_all_named_and_nothing_is_kept(
    project: MemoryProject, tmp_path: Path
) -> None:
    before = _snapshot(project)
    path = _file(
        tmp_path,
        _on_cell(project, 0, "BA"),
        _on_cell(project, 1, "WBC"),
        ObjectRecord("one.png", BOX, "RBC"),
    )
    with pytest.raises(UnknownClassError, match=r"RBC, WBC .*--map 'RBC=CODE'"):
        import_labels(project, path, "csv")
    assert _snapshot(project) == before


def test_mapping_decides_and_leaves_out(project: MemoryProject, tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        _on_cell(project, 0, "BA"),
        _on_cell(project, 1, "WBC"),
        ObjectRecord("one.png", BOX, "RBC"),
    )
    mapping = {"WBC": "LY", "RBC": "", "BA": "EO"}
    report = import_labels(project, path, "csv", mapping=mapping)
    assert (report.labelled, report.skipped, report.added) == (2, 1, 0)
    codes = {c: v.code for c, v in project.journal.labels().items()}
    assert codes == {1: "EO", 2: "LY"}
    with pytest.raises(UnknownClassError, match=r"WBC \(NOPE\) .*--map 'WBC=CODE'"):
        import_labels(project, path, "csv", mapping={"WBC": "NOPE", "RBC": ""})


def test_unlabelled_boxes_add_cells_only(
    project: MemoryProject, tmp_path: Path
) -> None:
    path = _file(tmp_path, ObjectRecord("one.png", BOX), _on_cell(project, 0, ""))
    report = import_labels(project, path, "csv")
    assert (report.added, report.matched, report.labelled) == (1, 1, 0)


def test_synthetic_objects_never_become_real(
    project: MemoryProject, tmp_path: Path
) -> None:
    path = _file(
        tmp_path,
        _on_cell(project, 0, "BA"),
        _on_cell(project, 1, "BA", synthetic=True),
        ObjectRecord("one.png", BOX, "BA", synthetic=True),
        ObjectRecord("s/1.png", (0, 0, 96, 96), "BA", synthetic=True),
    )
    report = import_labels(project, path, "csv")
    assert (report.labelled, report.synthetic, report.added) == (1, 3, 0)
    assert report.strangers == ()
    assert set(project.journal.labels()) == {1}


def test_strange_pictures_are_reported(project: MemoryProject, tmp_path: Path) -> None:
    path = _file(
        tmp_path, _on_cell(project, 0, "BA"), ObjectRecord("two.png", BOX, "??")
    )
    report = import_labels(project, path, "csv")
    assert report.strangers == ("two.png",)
    assert (report.labelled, report.skipped) == (1, 1)


def test_no_picture_fits(project: MemoryProject, tmp_path: Path) -> None:
    path = _file(tmp_path, ObjectRecord("two.png", BOX, "BA"), name="two.png")
    with pytest.raises(InputError, match=r"such as 'two\.png', is a smear"):
        import_labels(project, path, "csv")


def test_other_size_is_refused(project: MemoryProject, tmp_path: Path) -> None:
    image = ImageRecord("one.png", 800, 600)
    Csv().write(
        Records((image,), (_on_cell(project, 0, "BA"),)), tmp_path / "labels.csv"
    )
    with pytest.raises(InputError, match=r"800 x 600 pixels, but smear 1 has 400"):
        import_labels(project, tmp_path / "labels.csv", "csv")


def test_boxes_outside_are_refused(project: MemoryProject, tmp_path: Path) -> None:
    before = _snapshot(project)
    path = _file(
        tmp_path,
        _on_cell(project, 0, "BA"),
        ObjectRecord("one.png", (900, 10, 9, 9), "BA"),
    )
    with pytest.raises(InputError, match="outside the smear"):
        import_labels(project, path, "csv")
    assert _snapshot(project) == before


def test_missing_picture_stops_before_anything(
    project: MemoryProject, tmp_path: Path, picture: Path
) -> None:
    path = _file(
        tmp_path, _on_cell(project, 0, "BA"), ObjectRecord("one.png", BOX, "EO")
    )
    picture.unlink()
    before = _snapshot(project)
    with pytest.raises(InputError):
        import_labels(project, path, "csv")
    assert _snapshot(project) == before


def test_renamed_picture_is_known_by_content_and_relinked(
    project: MemoryProject, tmp_path: Path, picture: Path
) -> None:
    moved = tmp_path / "set" / "images" / "renamed.png"
    moved.parent.mkdir(parents=True)
    picture.rename(moved)
    item = _on_cell(project, 0, "BA")
    renamed = ObjectRecord("renamed.png", item.box, "BA")
    path = _file(moved.parent.parent, renamed, name="renamed.png")
    report = import_labels(project, path, "csv")
    assert report.labelled == 1
    assert project.smears()[0].uri == str(moved)


def test_same_name_twice_is_refused(project: MemoryProject, tmp_path: Path) -> None:
    other = _picture(tmp_path / "others" / "one.png", seed=1)
    add_smear(project, other, mpp=0.25)
    path = _file(tmp_path, _on_cell(project, 0, "BA"))
    with pytest.raises(InputError, match="may be any of 2 smears"):
        import_labels(project, path, "csv")
    item = _on_cell(project, 0, "BA")
    named = ObjectRecord("smears/one.png", item.box, "BA")
    path = _file(tmp_path, named, name="smears/one.png")
    assert import_labels(project, path, "csv").labelled == 1


def test_unknown_format_is_named(project: MemoryProject, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="csv"):
        import_labels(project, tmp_path, "excel")


def test_cancelled_import_labels_nothing(
    project: MemoryProject, tmp_path: Path
) -> None:
    path = _file(tmp_path, _on_cell(project, 0, "BA"))
    task = importing(project, path, "csv", ImportOptions(ANN))
    assert isinstance(next(task), Progress)
    next(task)
    task.close()
    assert project.journal.events() == ()


KILLED = """
import os, signal, sys
from pathlib import Path
from napari_cytosynth.core.journal import Author
from napari_cytosynth.store import open_project
from napari_cytosynth.workflows.exchange import ImportOptions, importing
task = importing(
    open_project(sys.argv[1]), Path(sys.argv[2]), "csv", ImportOptions(Author("ann"))
)
for _ in range(int(sys.argv[3])):
    next(task)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
@pytest.mark.parametrize("steps", [2, 3, 4])
def test_killed_midway_no_cell_lacks_its_label_and_a_second_run_does_the_rest(
    tmp_path: Path, steps: int
) -> None:
    path = tmp_path / "p.cytosynth"
    made = create_project(path, built_in("pbc11"))
    names = ["one.png", "two.png", "three.png"]
    for seed, name in enumerate(names):
        add_smear(made, _picture(tmp_path / name, seed), mpp=0.25)
    made.close()
    labels = _file(tmp_path, *(ObjectRecord(n, BOX, "EO") for n in names))
    script = [sys.executable, "-c", KILLED, str(path), str(labels), str(steps)]
    assert subprocess.run(script, check=False, timeout=120).returncode < 0
    project = open_project(path)
    kept = steps - 2
    assert len(project.cells()) == len(project.journal.labels()) == kept
    report = import_labels(project, labels, "csv")
    assert (report.same, report.added) == (kept, 3 - kept)
    assert len(project.cells()) == len(project.journal.labels()) == 3
    project.close()


@pytest.mark.parametrize(
    ("form", "name"),
    [("csv", "l.csv"), ("coco", "l.json"), ("yolo", "l"), ("voc", "l")],
)
def test_export_and_import_again(
    project: MemoryProject, tmp_path: Path, picture: Path, form: str, name: str
) -> None:
    project.record(ANN.label(CellId(1), "BA"), ANN.label(CellId(3), "EO"))
    project.record(ANN.removed(CellId(3)))
    (synthetic,) = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 1))
    project.record(ANN.verdict(synthetic.id, accept=True))
    report = export_labels(project, tmp_path / name, form)
    assert (report.pictures, report.cells, report.synthetic) == (1, 1, 0)
    twin = MemoryProject(built_in("pbc11"))
    add_smear(twin, picture, mpp=0.25)
    assert import_labels(twin, tmp_path / name, form).labelled == 1
    (label,) = twin.journal.labels().values()
    assert label.code == "BA"
    overlap = box_iou(twin.cells().boxes, project.cells().boxes[:1])
    assert overlap[0, 0] > 0.95


def test_unlabelled_cells_go_out_if_asked(
    project: MemoryProject, tmp_path: Path
) -> None:
    assert export_labels(project, tmp_path / "a.csv", "csv").cells == 0
    report = export_labels(project, tmp_path / "a.csv", "csv", unlabelled=True)
    assert report.cells == 3


def test_synthetic_cells_go_out_flagged_with_their_origin(
    project: MemoryProject, tmp_path: Path
) -> None:
    project.record(ANN.label(CellId(1), "BA"))
    cells = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 3))
    project.set_synthetic_status([cells[2].id], Status.DROPPED)
    project.record(ANN.verdict(cells[0].id, accept=True))
    path = tmp_path / "l.json"
    report = export_labels(project, path, "coco", include_synthetic=True)
    # Only what the pathologist accepted: neither the undecided nor the dropped one.
    assert (report.cells, report.synthetic) == (1, 1)
    found = Coco().read(path)
    flagged = [o for o in found.objects if o.synthetic]
    assert [o.image for o in flagged] == ["l_synthetic/000001.png"]
    with Image.open(tmp_path / flagged[0].image) as picture:
        np.testing.assert_array_equal(np.asarray(picture), cells[0].pixels)
        assert "ynthetic" in picture.text["Title"]
        origin = json.loads(picture.text["Provenance"])
    assert origin["synthetic"] is True
    assert origin["generator"] == "tiny"
    told = json.loads((tmp_path / "l_synthetic" / "provenance.json").read_text())
    assert told == {"000001.png": origin}


def test_an_exported_synthetic_cell_is_no_smear(
    project: MemoryProject, tmp_path: Path
) -> None:
    cells = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 1))
    project.record(ANN.verdict(cells[0].id, accept=True))
    export_labels(project, tmp_path / "l.csv", "csv", include_synthetic=True)
    before = len(project.smears())
    with pytest.raises(InputError, match="synthetic cell that an export wrote"):
        add_smear(project, tmp_path / "l_synthetic" / "000001.png")
    assert len(project.smears()) == before


def test_export_spares_foreign_files(project: MemoryProject, tmp_path: Path) -> None:
    cells = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 1))
    project.record(ANN.verdict(cells[0].id, accept=True))
    mine = tmp_path / "l_synthetic" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    with pytest.raises(FormatError, match=r"mine\.txt"):
        export_labels(project, tmp_path / "l.csv", "csv", include_synthetic=True)
    assert mine.read_text() == "precious"
    mine = mine.rename(mine.with_name("000001.png"))
    with pytest.raises(FormatError, match=r"000001\.png"):
        export_labels(project, tmp_path / "l.csv", "csv", include_synthetic=True)
    assert mine.read_text() == "precious"


def test_smears_get_short_unlike_names() -> None:
    project = MemoryProject(built_in("pbc11"))
    for number, uri in enumerate(
        ("/data/a/one.png", "/data/b/one.png", "/data/two.png", "C:\\x\\three.png")
    ):
        project.add_smear(replace(tiny_smear(number), uri=uri))
    assert smear_names(project.smears()) == {
        1: "a/one.png",
        2: "b/one.png",
        3: "two.png",
        4: "three.png",
    }


def test_boxes_are_paired_one_to_one_best_first() -> None:
    cells = np.array([[0, 0, 10, 10], [2, 0, 10, 10]], float)
    boxes = np.array([[1, 0, 10, 10], [2, 0, 10, 10], [50, 50, 9, 9]], float)
    assert match_boxes(boxes, cells).tolist() == [0, 1, -1]
    assert match_boxes(boxes, np.zeros((0, 4))).tolist() == [-1, -1, -1]
    assert match_boxes(np.zeros((0, 4)), cells).tolist() == []


def test_pairing_many_equals_pairing_all_at_once() -> None:
    rng = np.random.default_rng(0)
    cells = np.column_stack(
        [rng.uniform(0, 900, (700, 2)), rng.uniform(5, 60, (700, 2))]
    )
    boxes = cells[rng.permutation(700)[:600]] + rng.normal(0, 3, (600, 4))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 2)
    found = match_boxes(boxes, cells)
    overlap = box_iou(boxes, cells)
    pairs = sorted(
        ((-overlap[i, j], i, j) for i, j in np.argwhere(overlap >= 0.5)),
    )
    expected, taken = np.full(600, -1), set()
    for _, i, j in pairs:
        if expected[i] < 0 and j not in taken:
            expected[i] = j
            taken.add(j)
    np.testing.assert_array_equal(found, expected)


def test_without_calibration_the_files_own_scale_is_used(picture: Path) -> None:
    project = MemoryProject(built_in("pbc11"))
    smear = add_smear(project, picture, mpp=0.25)
    project.set_calibration(smear.id, tiny_calibration())
    path = _file(picture.parent, ObjectRecord("one.png", BOX, "BA"))
    assert import_labels(project, path, "csv").added == 1
    assert project.crops([1]).shape == (1, 96, 96, 3)
