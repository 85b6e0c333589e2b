"""Data sets to give away: what is in them, what is refused, what stays in."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from napari_cytosynth.core.errors import FormatError, InputError, ProvenanceError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.provenance import Assessment, SyntheticCell
from napari_cytosynth.core.pseudonyms import Pseudonyms
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.formats.croissant import COLUMNS, MANY
from napari_cytosynth.formats.dataset import NO_LICENCE, About, Part, Sample
from napari_cytosynth.formats.painted import is_painted
from napari_cytosynth.store import MemoryProject, create_project, open_project
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic
from napari_cytosynth.workflows.exporting_datasets import (
    DatasetOptions,
    export_dataset,
)
from napari_cytosynth.workflows.splitting import held_out_cells, splits_of

AUTHOR = Author("A. Reader")
SALT = b"a salt for tests"
ABOUT = About(
    name="Basophils",
    licence="https://creativecommons.org/licenses/by/4.0/",
    creator="A hospital",
    url="https://example.org/basophils",
)

REQUIRED = {
    *("@context", "@type", "conformsTo", "description", "license", "name", "url"),
    *("creator", "datePublished", "distribution"),
}
"""Properties that every Croissant 1.1 data set must have."""

RAI = {
    *("dataCollection", "dataCollectionType", "dataCollectionMissingData"),
    *("dataCollectionRawData", "dataCollectionTimeframe", "dataImputationProtocol"),
    *("dataManipulationProtocol", "dataPreprocessingProtocol"),
    *("dataAnnotationProtocol", "dataAnnotationPlatform", "dataAnnotationAnalysis"),
    *("dataReleaseMaintenancePlan", "personalSensitiveInformation"),
    *("dataSocialImpact", "dataBiases", "dataLimitations", "dataUseCases"),
    *("annotationsPerItem", "annotatorDemographics", "machineAnnotationTools"),
}
"""All properties of the RAI vocabulary 1.0."""


@pytest.fixture
def project() -> MemoryProject:
    """All real cells of eight patients labelled; three of four painted accepted."""
    made = MemoryProject(built_in("pbc11"))
    truth = tiny_project(made, smears=8)
    made.record(*(AUTHOR.label(cell, code) for cell, code in truth.items()))
    train = splits_of(made).audit
    parent = int(made.cells().ids[~train][0])
    fresh = [
        varied(cell, parent) if number == 2 else cell
        for number, cell in enumerate(tiny_synthetic(made.taxonomy, "BA", 4))
    ]
    cells = made.add_synthetic(fresh)
    made.record(*(AUTHOR.verdict(cell.id, accept=True) for cell in cells[:3]))
    made.record(AUTHOR.verdict(cells[3].id, accept=False))
    return made


def varied(cell: SyntheticCell, parent: int) -> SyntheticCell:
    """The same, as a variation of a real cell that a critic found nearest."""
    origin = replace(
        cell.provenance, parents=(parent,), config={"steps": 1, "parent": parent}
    )
    said = Assessment("copy", 1.5, True, f"nearest ({parent})", nearest=parent)
    return replace(cell, provenance=origin, assessments=(said,))


def rows(folder: Path, part: str, split: str) -> list[dict[str, Any]]:
    table = folder / part / split / "metadata.jsonl"
    return [json.loads(line) for line in table.read_text("utf-8").splitlines()]


def written(project: MemoryProject, folder: Path, *, real: bool = False) -> Any:
    export_dataset(project, folder, DatasetOptions(ABOUT, real, SALT))
    return json.loads((folder / "croissant.json").read_text("utf-8"))


def test_each_cell_leaves_with_class_origin_and_verdicts(
    project: MemoryProject, tmp_path: Path
) -> None:
    report = export_dataset(project, tmp_path / "out", DatasetOptions(ABOUT))
    assert (report.synthetic, report.real, report.classes) == (3, 0, {"BA": 3})
    told = rows(tmp_path / "out", "synthetic", "train")
    assert len(told) == 3
    for row, cell in zip(told, project.synthetic()[:3], strict=True):
        file = tmp_path / "out" / "synthetic" / "train" / row["file_name"]
        with Image.open(file) as picture:
            np.testing.assert_array_equal(np.asarray(picture), cell.pixels)
            inside = json.loads(picture.info["Provenance"])
        assert is_painted(file)
        assert inside == {k: v for k, v in row.items() if k != "file_name"}
        assert (row["class"], row["synthetic"], row["status"]) == (
            "BA",
            True,
            "accepted",
        )
        assert row["weights"] == cell.provenance.weights
        assert row["seed"] == str(cell.provenance.seed)
        assert len(json.loads(row["verdicts"])) == len(cell.assessments)
    assert not (tmp_path / "out" / "real").exists()


def test_croissant_has_what_the_specification_demands(
    project: MemoryProject, tmp_path: Path
) -> None:
    told = written(project, tmp_path / "out", real=True)
    assert set(told) >= REQUIRED
    assert told["conformsTo"] == [
        "http://mlcommons.org/croissant/1.1",
        "http://mlcommons.org/croissant/RAI/1.0",
    ]
    responsible = {k.removeprefix("rai:"): v for k, v in told.items() if "rai:" in k}
    assert set(responsible) <= RAI
    assert set(RAI) - set(responsible) == {
        *("dataCollectionTimeframe", "dataImputationProtocol"),
        "dataManipulationProtocol",
    }
    for name, said in responsible.items():
        assert isinstance(said, list) is (name in MANY), name
    assert told["license"] == ABOUT.licence
    assert told["creator"]["name"] == "A hospital"


def ids_of(value: Any) -> Iterator[str]:
    """Yield the ids that are given, not those that are referred to."""
    if isinstance(value, dict):
        if "@id" in value and len(value) > 1:
            yield value["@id"]
        for item in value.values():
            yield from ids_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from ids_of(item)


def references_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        for item in value.values():
            yield from references_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from references_of(item)


def test_croissant_refers_to_what_is_there(
    project: MemoryProject, tmp_path: Path
) -> None:
    import hashlib

    out = tmp_path / "out"
    told = written(project, out, real=True)
    body = {k: v for k, v in told.items() if k != "@context"}
    given = list(ids_of(body))
    assert len(given) == len(set(given))
    assert set(references_of(body)) <= set(given)
    for entry in told["distribution"]:
        if entry["@type"] == "cr:FileObject":
            data = (out / entry["contentUrl"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        else:
            assert list(out.glob(entry["includes"]))
    sets = {records["@id"]: records for records in told["recordSet"]}
    assert set(sets) == {
        "classes",
        *(f"{p}{t}" for p in PARTS for t in ("", "-table")),
    }
    for part in PARTS:
        fields = {f["name"] for f in sets[part]["field"]}
        first = rows(out, *part.split("-"))[0]
        assert fields == {*first, "image"}
        assert fields <= set(COLUMNS)


PARTS = ("synthetic-train", "real-train", "real-test")


def test_the_card_tells_how_the_folder_is_read(
    project: MemoryProject, tmp_path: Path
) -> None:
    written(project, tmp_path / "out", real=True)
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    _, front, page = text.split("---\n", 2)
    configs = {c["config_name"]: c for c in yaml.safe_load(front)["configs"]}
    assert configs["synthetic"]["default"] is True
    splits = {d["split"] for d in configs["synthetic"]["data_files"]}
    assert splits == {"train"}
    assert {d["split"] for d in configs["real"]["data_files"]} == {"train", "test"}
    assert "Research use only" in page
    assert "| synthetic | train | BA | Basophil | 3 |" in page
    assert ABOUT.licence in page
    assert "never on synthetic cells" in page


def test_without_a_licence_it_says_so(project: MemoryProject, tmp_path: Path) -> None:
    report = export_dataset(project, tmp_path / "out")
    assert report.licence == NO_LICENCE
    told = json.loads((tmp_path / "out" / "croissant.json").read_text("utf-8"))
    assert told["license"] == NO_LICENCE
    assert told["url"].startswith("urn:sha256:")
    assert "others may not use it" in (tmp_path / "out" / "README.md").read_text(
        "utf-8"
    )


def test_real_cells_leave_under_pseudonyms_in_another_order(
    project: MemoryProject, tmp_path: Path
) -> None:
    out, names = tmp_path / "out", Pseudonyms(SALT)
    written(project, out, real=True)
    audit = dict(
        zip(project.cells().ids.tolist(), splits_of(project).audit, strict=True)
    )
    by_name = {f"{names.of('cell', number)}.png": number for number in audit}
    groups = {}
    for split, held_out in ((Split.TRAIN, False), ("test", True)):
        told = rows(out, "real", str(split))
        numbers = [by_name[row["file_name"]] for row in told]
        assert numbers != sorted(numbers)
        assert {audit[number] for number in numbers} == {held_out}
        for row, number in zip(told, numbers, strict=True):
            with Image.open(out / "real" / str(split) / row["file_name"]) as picture:
                (crop,) = project.crops([number])
                np.testing.assert_array_equal(np.asarray(picture), crop)
                assert not picture.info
            label = project.journal.label(CellId(number))
            assert label is not None
            assert (row["class"], row["synthetic"]) == (label.code, False)
            groups.setdefault(row["group"], set()).add(split)
    assert len(groups) == 8
    assert all(len(splits) == 1 for splits in groups.values())
    assert sum(len(rows(out, "real", s)) for s in ("train", "test")) == len(audit)


def test_a_parent_is_named_as_its_real_cell_is(
    project: MemoryProject, tmp_path: Path
) -> None:
    written(project, tmp_path / "out", real=True)
    row = rows(tmp_path / "out", "synthetic", "train")[2]
    (parent,) = json.loads(row["parents"])
    assert f"{parent}.png" in {
        r["file_name"] for r in rows(tmp_path / "out", "real", "train")
    }
    (verdict,) = json.loads(row["verdicts"])
    assert verdict["nearest"] == json.loads(row["config"])["parent"] == parent
    assert verdict["reason"] == f"nearest ({parent})"


def test_a_number_that_json_lacks_is_null(
    project: MemoryProject, tmp_path: Path
) -> None:
    (cell,) = tiny_synthetic(project.taxonomy, "EO", 1)
    said = Assessment("manifold", float("inf"), True, "far off")
    (stored,) = project.add_synthetic([replace(cell, assessments=(said,))])
    project.record(AUTHOR.verdict(stored.id, accept=True))
    written(project, tmp_path / "out")
    row = rows(tmp_path / "out", "synthetic", "train")[-1]
    assert json.loads(row["verdicts"])[0]["score"] is None


def test_two_exports_share_no_pseudonym(project: MemoryProject, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_dataset(project, tmp_path / name, DatasetOptions(ABOUT, real=True))
    a, b = (
        {row[key] for row in rows(tmp_path / name, "real", "train") for key in KEYS}
        for name in ("a", "b")
    )
    assert len(a) == len(b)
    assert not a & b


KEYS = ("file_name", "group")


def test_cells_whose_generator_learned_a_test_cell_stay_when_those_leave(
    project: MemoryProject, tmp_path: Path
) -> None:
    (cell,) = tiny_synthetic(project.taxonomy, "EO", 1)
    leaky = varied(cell, int(held_out_cells(project)[0]))
    (stored,) = project.add_synthetic([leaky])
    project.record(AUTHOR.verdict(stored.id, accept=True))
    alone = export_dataset(project, tmp_path / "a", DatasetOptions(ABOUT))
    beside = export_dataset(project, tmp_path / "b", DatasetOptions(ABOUT, real=True))
    assert (alone.synthetic, beside.synthetic) == (4, 3)


@pytest.mark.parametrize(
    ("part", "split", "synthetic", "said"),
    [
        (Part.SYNTHETIC, "test", True, "can only train"),
        (Part.SYNTHETIC, "train", False, "comes with its provenance"),
        (Part.REAL, "test", True, "comes with its provenance"),
    ],
)
def test_a_sample_cannot_be_what_no_data_set_may_hold(
    project: MemoryProject, part: Part, split: str, synthetic: bool, said: str
) -> None:
    cell = project.synthetic()[0]
    with pytest.raises(ProvenanceError, match=said):
        Sample("a", cell.pixels, part, split, {}, cell if synthetic else None)


def test_nothing_is_written_where_a_cell_has_no_provenance(
    project: MemoryProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = project.synthetic()
    object.__setattr__(cells[1], "provenance", None)
    monkeypatch.setattr(project, "synthetic", lambda **_: cells)
    with pytest.raises(ProvenanceError, match=f"cell {cells[1].id} does not say how"):
        export_dataset(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_where_the_database_lost_a_provenance(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.cytosynth"
    made = create_project(path, built_in("pbc11"))
    cells = made.add_synthetic(tiny_synthetic(made.taxonomy, "BA", 2))
    made.record(*(AUTHOR.verdict(c.id, accept=True) for c in cells))
    made.close()
    connection = sqlite3.connect(path / "project.sqlite")
    connection.execute("DELETE FROM provenance WHERE id = 2")
    connection.commit()
    connection.close()
    with (
        open_project(path) as again,
        pytest.raises(ProvenanceError, match="does not say how synthetic cell 2"),
    ):
        export_dataset(again, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_an_accepted_cell_there_is_no_data_set(tmp_path: Path) -> None:
    empty = MemoryProject(built_in("pbc11"))
    with pytest.raises(InputError, match="no synthetic cell was accepted"):
        export_dataset(empty, tmp_path / "out")
    empty.add_synthetic(tiny_synthetic(empty.taxonomy, "BA", 1))
    with pytest.raises(InputError, match="no synthetic cell was accepted"):
        export_dataset(empty, tmp_path / "out")


def test_an_older_data_set_is_replaced_and_nothing_else_is(
    project: MemoryProject, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    written(project, out, real=True)
    written(project, out)
    assert not (out / "real").exists()
    (out / "synthetic" / "train" / "mine.png").write_bytes(b"precious")
    with pytest.raises(FormatError, match=r"mine\.png"):
        written(project, out)
    assert (out / "synthetic" / "train" / "mine.png").read_bytes() == b"precious"
    other = tmp_path / "other"
    other.mkdir()
    (other / "croissant.json").write_text('{"conformsTo": "http://other"}')
    with pytest.raises(FormatError, match=r"croissant\.json"):
        written(project, other)


@pytest.mark.skipif(
    importlib.util.find_spec("mlcroissant") is None,
    reason="mlcroissant, the reference reader of Croissant, is not installed",
)
def test_the_reference_reader_takes_it_without_a_warning(
    project: MemoryProject, tmp_path: Path
) -> None:
    written(project, tmp_path / "out", real=True)
    told = subprocess.run(
        [sys.executable, "-c", _READ, str(tmp_path / "out" / "croissant.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(told.stdout)
    assert found["issues"] == ""
    assert found["counts"]["synthetic-train"] == 3
    assert found["counts"]["real-train"] + found["counts"]["real-test"] == 80


_READ = """
import json, sys
import mlcroissant
data = mlcroissant.Dataset(sys.argv[1])
names = ("synthetic-train", "real-train", "real-test")
counts = {n: len(list(data.records(n))) for n in names}
issues = data.metadata.ctx.issues
said = issues.report() if issues.errors or issues.warnings else ""
print(json.dumps({"issues": said, "counts": counts}))
"""
