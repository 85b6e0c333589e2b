"""Everything that leaves a project says what is synthetic; patients' cells stay in."""

from __future__ import annotations

import csv
import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from tifffile import TiffFile

from napari_cytosynth.core.errors import FormatError, InputError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Job, JobState
from napari_cytosynth.core.protocols import Carded, Weights
from napari_cytosynth.core.provenance import Assessment, Status, SyntheticCell
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.formats.painted import PICTURES, is_painted, painted
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic
from napari_cytosynth.workflows.detect import add_smear
from napari_cytosynth.workflows.exporting import export_labels
from napari_cytosynth.workflows.exporting_models import adapters, export_models
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.model_card import is_personal, weights_name

AUTHOR = Author("A. Reader")


@pytest.fixture
def project() -> MemoryProject:
    """One real labelled cell, and two accepted synthetic ones."""
    made = MemoryProject(built_in("pbc11"))
    tiny_project(made, smears=2)
    made.record(AUTHOR.label(CellId(1), "BA"))
    cells = made.add_synthetic(tiny_synthetic(made.taxonomy, "BA", 2))
    made.record(*(AUTHOR.verdict(cell.id, accept=True) for cell in cells))
    return made


Flags = list[bool]


def csv_flags(path: Path) -> Flags:
    with path.open(newline="", encoding="utf-8") as lines:
        return [row["synthetic"] == "1" for row in csv.DictReader(lines) if row["x"]]


def coco_flags(path: Path) -> Flags:
    document = json.loads(path.read_text(encoding="utf-8"))
    pictures = {i["id"]: i["synthetic"] for i in document["images"]}
    for entry in document["annotations"]:
        assert pictures[entry["image_id"]] is entry["synthetic"]
    return [entry["synthetic"] for entry in document["annotations"]]


def voc_flags(path: Path) -> Flags:
    roots = [ET.parse(file).getroot() for file in sorted(path.rglob("*.xml"))]
    found = [o.findtext("synthetic") for root in roots for o in root.findall("object")]
    assert set(found) <= {"0", "1"}
    return [text == "1" for text in found]


def yolo_flags(path: Path) -> Flags:
    with (path / "images.csv").open(newline="", encoding="utf-8") as lines:
        painted_ = {
            r["file_name"]: r["synthetic"] == "1" for r in csv.DictReader(lines)
        }
    flags = []
    for name, flag in painted_.items():
        label = (path / "labels" / name).with_suffix(".txt")
        flags += [flag] * len(label.read_text(encoding="utf-8").splitlines())
    return flags


FLAGS: dict[str, Callable[[Path], Flags]] = {
    "csv": csv_flags,
    "coco": coco_flags,
    "voc": voc_flags,
    "yolo": yolo_flags,
}


@pytest.mark.parametrize("name", names("formats"))
def test_every_format_says_of_every_cell_whether_it_is_synthetic(
    project: MemoryProject, tmp_path: Path, name: str
) -> None:
    path = tmp_path / f"labels.{name}"
    export_labels(project, path, name, include_synthetic=True)
    assert sorted(FLAGS[name](path)) == [False, True, True]
    export_labels(project, path, name)
    assert FLAGS[name](path) == [False]


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_says_in_itself_that_it_is_synthetic(
    project: MemoryProject, tmp_path: Path, kind: str
) -> None:
    export_labels(
        project, tmp_path / "l.csv", "csv", include_synthetic=True, pictures=kind
    )
    folder = tmp_path / "l_synthetic"
    files = sorted(folder.glob(f"*.{kind}"))
    beside = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert [f.name for f in files] == list(beside)
    for file, cell in zip(files, project.synthetic(), strict=True):
        title, told, pixels = READERS[kind](file)
        assert title == "Synthetic cell: not a real one"
        assert told == beside[file.name]
        assert told["synthetic"] is True
        assert told["weights"] == cell.provenance.weights
        np.testing.assert_array_equal(pixels, cell.pixels)
        assert is_painted(file)
    with pytest.raises(InputError, match="synthetic cell that an export wrote"):
        add_smear(MemoryProject(built_in("pbc11")), files[0])


def read_png(file: Path) -> tuple[str, dict[str, object], object]:
    with Image.open(file) as picture:
        text = picture.info
        return text["Title"], json.loads(text["Provenance"]), np.asarray(picture)


def read_tiff(file: Path) -> tuple[str, dict[str, object], object]:
    with TiffFile(file) as opened:
        page = opened.pages.first
        tags = {t.name: t.value for t in page.tags}
        assert str(tags["Software"]).startswith("napari-cytosynth ")
        # 0.25 um a pixel, in pixels a centimetre.
        assert tags["XResolution"][0] / tags["XResolution"][1] == 40_000
        told = json.loads(tags["ImageDescription"])
        return tags["DocumentName"], told, page.asarray()


READERS = {"png": read_png, "tiff": read_tiff}


def test_words_in_any_script_survive_in_a_picture(tmp_path: Path) -> None:
    (cell,) = tiny_synthetic(built_in("pbc11"), "BA", 1)
    origin = {"note": "Базофил \u00b5m \u2603", "synthetic": True}
    for kind in PICTURES:
        file = tmp_path / f"1.{kind}"
        file.write_bytes(painted(cell, origin, kind))
        assert READERS[kind](file)[1] == origin


def test_another_kind_of_picture_is_refused(
    project: MemoryProject, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="png, tiff"):
        export_labels(
            project, tmp_path / "l.csv", "csv", include_synthetic=True, pictures="jpeg"
        )
    assert not (tmp_path / "l_synthetic").exists()


def test_pictures_go_with_a_card_of_their_generator(
    project: MemoryProject, tmp_path: Path
) -> None:
    for _ in range(2):  # the second export replaces what the first wrote
        export_labels(project, tmp_path / "l.csv", "csv", include_synthetic=True)
    card = (tmp_path / "l_synthetic" / "model-card-tiny.md").read_text(encoding="utf-8")
    assert "Research use only" in card
    assert "| BA | 2 | 0 | 2 | 0 | 0 | nobody | yes |" in card


def filled(project: MemoryProject) -> MemoryProject:
    """Fills of two classes by one generator; one of them learned patients' cells."""
    for generator, code, meta in (
        ("latent", "BA", {"tuned": [], "personal": False, "counts": {"BA": 9}}),
        (
            "latent",
            "EO",
            {"tuned": ["EO"], "personal": True, "counts": {"EO": 5}, "base": "b0"},
        ),
        ("elsewhere", "BA", {}),
    ):
        weights = Weights({"w": np.full(3, len(code + generator), np.float32)}, meta)
        project.put_model(weights_name(generator, code), weights)
        project.put_job(Ask(code, 3, generator).job(0))
    project.put_job(
        Job("fill:LY:1", JobState.DONE, {"generator": "latent", "code": "LY"})
    )
    return project


def test_generators_leave_with_hashes_and_cards(
    project: MemoryProject, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    report = export_models(filled(project), folder)
    assert report.models == ("latent-BA",)
    assert report.withheld == ("elsewhere-BA", "latent-EO") == adapters(project)
    assert report.generators == ("elsewhere", "latent")
    assert sorted(f.name for f in folder.iterdir()) == [
        "SHA256SUMS",
        "latent-BA.json",
        "latent-BA.safetensors",
        "model-card-elsewhere.md",
        "model-card-latent.md",
    ]
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    told = json.loads((folder / "latent-BA.json").read_text(encoding="utf-8"))
    written = Weights(load_file(folder / "latent-BA.safetensors"), told["meta"])
    assert told["sha256"] == written.sha256
    assert told["personal"] is False


def test_what_learned_patients_cells_leaves_only_if_asked(
    project: MemoryProject, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    export_models(filled(project), folder)
    report = export_models(project, folder, include_adapter=True)
    assert report.withheld == ()
    assert set(report.models) == {"latent-BA", "latent-EO", "elsewhere-BA"}
    told = json.loads((folder / "latent-EO.json").read_text(encoding="utf-8"))
    assert told["personal"] is True
    assert (folder / "latent-EO.safetensors").is_file()
    export_models(project, folder)
    assert not (folder / "latent-EO.safetensors").exists()


def test_a_card_tells_data_licence_counts_and_whose_cells(
    project: MemoryProject, tmp_path: Path
) -> None:
    export_models(filled(project), tmp_path / "out")
    card = (tmp_path / "out" / "model-card-latent.md").read_text(encoding="utf-8")
    shipped = load("generators", "latent")()
    assert isinstance(shipped, Carded)
    assert shipped.card["sha256"] in card
    assert "licence: CC BY 4.0" in card
    assert "limit: Healthy donors" in card
    assert "hold cells of this project's patients, or what was learned from" in card
    rows = [line for line in card.splitlines() if line.startswith(("| BA", "| EO"))]
    assert rows[0].endswith("| nothing | BA 9 | no class | no |")
    assert rows[1].endswith("| `b0` | EO 5 | EO | yes |")


@pytest.mark.parametrize(
    ("weights", "personal"),
    [
        (Weights({}, {}), False),
        (Weights({"w": np.zeros(1)}, {}), True),
        (Weights({"w": np.zeros(1)}, {"personal": False}), False),
        (Weights({}, {"personal": True}), True),
    ],
)
def test_weights_that_do_not_say_count_as_personal(
    weights: Weights, personal: bool
) -> None:
    assert is_personal(weights) is personal


def test_nothing_to_export_and_foreign_files(
    project: MemoryProject, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no generator yet"):
        export_models(project, tmp_path / "out")
    mine = tmp_path / "out" / "latent-BA.json"
    mine.parent.mkdir()
    mine.write_text("precious")
    with pytest.raises(FormatError, match=r"latent-BA\.json"):
        export_models(filled(project), tmp_path / "out")
    assert mine.read_text() == "precious"


def test_the_refused_and_the_unverified_are_on_the_card(
    project: MemoryProject, tmp_path: Path
) -> None:
    (cell,) = tiny_synthetic(project.taxonomy, "EO", 1)
    veto = Assessment("copy", 0.9, False, "too near")
    refused = SyntheticCell(
        cell.pixels, "EO", cell.provenance, (veto,), Status.DROPPED, verified=False
    )
    project.add_synthetic([refused])
    export_labels(project, tmp_path / "l.csv", "csv", include_synthetic=True)
    card = (tmp_path / "l_synthetic" / "model-card-tiny.md").read_text(encoding="utf-8")
    assert "| EO | 1 | 0 | 0 | 0 | 1 | copy 1 | no |" in card
