"""What verbs write says what is synthetic; adapters leave only when confirmed."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.cli import main
from napari_cytosynth.cli.verbs import VERBS
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.records import DATASETS
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project, open_project
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.model_card import weights_name
from napari_cytosynth.workflows.reader_test import call, deal, finish
from napari_cytosynth.workflows.splitting import splits_of
from tests.workflows.test_reader_test import filled

NO_ROWS_OF_CELLS = {
    *("demo", "new", "add", "info", "label", "train", "synthesize", "evaluate"),
    *("import", "bench", "worker", "doctor", "open"),
}
"""Verbs that write no table whose rows are cells; ``demo`` writes by ``export``."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.cytosynth"
    made = create_project(path, built_in("pbc11"))
    tiny_project(made, smears=2)
    author = Author("A. Reader")
    made.record(author.label(CellId(1), "BA"))
    (cell,) = made.add_synthetic(tiny_synthetic(made.taxonomy, "BA", 1))
    made.record(author.verdict(cell.id, accept=True))
    weights = Weights({"w": np.ones(3, np.float32)}, {"personal": True})
    made.put_model(weights_name("latent", "BA"), weights)
    made.put_job(Ask("BA", 1).job(0))
    made.close()
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main([*(str(a) for a in arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def export_flags(project: Path, capsys: pytest.CaptureFixture[str]) -> list[bool]:
    out = project.parent / "l.json"
    said(capsys, "export", project, out, "--format", "coco", "--include-synthetic")
    return [a["synthetic"] for a in json.loads(out.read_text())["annotations"]]


def review_flags(project: Path, capsys: pytest.CaptureFixture[str]) -> list[bool]:
    rows = said(capsys, "review", project)["synthetic"]
    return [False, *(row["synthetic"] for row in rows)]  # it lists no real ones


def suggest_flags(project: Path, capsys: pytest.CaptureFixture[str]) -> list[bool]:
    options = ("--embedder", "morphology", "-n", "1")
    rows = said(capsys, "suggest", project, *options)["cells"]
    return [*(row["synthetic"] for row in rows), True]  # nor these synthetic ones


def progress_flags(project: Path, capsys: pytest.CaptureFixture[str]) -> list[bool]:
    opened, author = open_project(project), Author("A. Reader")
    cells = opened.cells()
    train = cells.ids[~splits_of(opened, cells).audit].tolist()
    # Two classes of equal pictures: whatever is labelled so is doubted.
    for place, number in enumerate(train):
        opened.record(author.label(CellId(number), ("BA", "EO")[place % 2]))
    opened.close()
    options = ("--embedder", "morphology", "--doubted")
    rows = said(capsys, "progress", project, *options)["doubted"]
    assert rows
    return [*{row["synthetic"] for row in rows}, True]  # nor these synthetic ones


def embed_flags(project: Path, capsys: pytest.CaptureFixture[str]) -> list[bool]:
    folder = project.parent / "l_synthetic"
    options = ("--format", "csv", "--include-synthetic", "--pictures", "tiff")
    said(capsys, "export", project, project.parent / "l.csv", *options)
    rng = np.random.default_rng(0)
    real = Image.fromarray(rng.integers(0, 256, (96, 96, 3), np.uint8))
    real.save(folder / "000000.png")
    out = project.parent / "v.npz"
    said(capsys, "embed", folder, "--embedder", "morphology", "--out", out)
    with np.load(out) as found:
        assert found["files"].tolist() == ["000000.png", "000001.tiff"]
        return [bool(flag) for flag in found["synthetic"]]


def detect_flags(project: Path, capsys: pytest.CaptureFixture[str]) -> list[bool]:
    picture, out = project.parent / "field.png", project.parent / "d.json"
    field = np.full((300, 300, 3), 230, np.uint8)
    y, x = np.mgrid[:300, :300]
    field[np.hypot(x - 150, y - 150) < 30] = (90, 40, 130)
    Image.fromarray(field).save(picture)
    said(capsys, "detect", picture, "--out", out, "--mpp", "0.2")
    found = json.loads(out.read_text())
    flags = [entry["synthetic"] for entry in found["annotations"]]
    assert flags == [False]
    return [*flags, True]  # it refuses synthetic pictures


TABLES = {
    "export": export_flags,
    "review": review_flags,
    "suggest": suggest_flags,
    "progress": progress_flags,
    "embed": embed_flags,
    "detect": detect_flags,
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_table_of_cells_says_which_are_synthetic(
    verb: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (verb in TABLES) != (verb in NO_ROWS_OF_CELLS)
    if verb in TABLES:
        assert TABLES[verb](project, capsys) == [False, True]


class Terminal(io.StringIO):
    """A person who types."""

    def isatty(self) -> bool:
        return True


def exported(project: Path, *options: str) -> int:
    return main(["export", str(project), str(project.parent / "out"), *options])


def test_generators_leave_without_what_learned_patients_cells(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = project.parent / "out"
    found = said(capsys, "export", project, out, "--models")
    assert found["models"] == []
    assert found["withheld"] == ["latent-BA"]
    assert (out / "model-card-latent.md").is_file()
    assert not list(out.glob("*.safetensors"))


def test_an_adapter_needs_a_confirmation(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, wanted = project.parent / "out", ("--models", "--include-adapter")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert exported(project, *wanted) == 1
    assert "Add --yes if they may" in capsys.readouterr().err
    for answer in ("n\n", "\n"):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        assert exported(project, *wanted) == 1
        told = capsys.readouterr().err
        assert "latent-BA learned from the cells of this project's patients" in told
        assert not out.exists()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert exported(project, *wanted) == 0
    assert (out / "latent-BA.safetensors").is_file()


def test_yes_confirms_in_a_script(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert exported(project, "--models", "--include-adapter", "--yes") == 0
    assert (project.parent / "out" / "latent-BA.safetensors").is_file()


@pytest.mark.parametrize(
    "options",
    [(), ("--models", "--format", "csv"), ("--format", "csv", "--include-adapter")],
)
def test_either_labels_or_models(
    project: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    assert exported(project, *options) == 2
    assert "--models" in capsys.readouterr().err


TERMS = ("--licence", "https://creativecommons.org/licenses/by/4.0/")


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_holds_synthetic_cells_only(
    project: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = project.parent / "out"
    found = said(capsys, "export", project, out, "--format", name, *TERMS)
    assert (found["synthetic"], found["real"]) == (1, 0)
    assert (out / "croissant.json").is_file()
    assert [p.name for p in out.rglob("*.png")] == ["000001.png"]


def test_a_data_set_without_a_licence_warns(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported(project, "--format", "croissant") == 0
    assert "others may not use it" in capsys.readouterr().err


def test_real_cells_need_a_confirmation(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, wanted = project.parent / "out", ("--format", "imagefolder", "--real", *TERMS)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert exported(project, *wanted) == 1
    assert "Add --yes if they may" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert exported(project, *wanted) == 1
    assert "pictures of cells of patients" in capsys.readouterr().err
    assert not out.exists()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert exported(project, *wanted) == 0
    assert len(list(out.glob("real/*/*.png"))) == 1
    told = capsys.readouterr().out
    assert "real: 1\n" in told
    assert re.search(r"^classes: \w+ 1$", told, re.M)
    assert re.search(r"^real_classes: \w+ 1$", told, re.M)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert exported(project, *wanted, "--yes") == 0


@pytest.mark.parametrize("option", [("--real",), TERMS])
def test_terms_are_of_data_sets(
    project: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, ...]
) -> None:
    assert exported(project, "--format", "csv", *option) == 2
    assert "--format croissant" in capsys.readouterr().err


def test_finished_blinded_tests_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "full.cytosynth"
    made = create_project(path, built_in("pbc11"))
    filled(made)
    test = deal(made, "Ada", np.random.default_rng(0), cells=12)
    for place in range(12):
        call(made, test, place, True, Author("Ada"))
    made.close()
    assert said(capsys, "review", path, "--blinded") == {"blinded": []}
    with open_project(path) as again:
        finish(again, test)
    (told,) = said(capsys, "review", path, "--blinded")["blinded"]
    assert told["reader"] == "Ada"
    assert told["over_all"]["accuracy"]["value"] == 0.5
    assert told["over_all"]["d_prime"]["n"] == 12
    assert main(["review", str(path), "--blinded"]) == 0
    assert "50% right" in capsys.readouterr().out
