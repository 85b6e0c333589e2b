"""What the command line says of a project's synthetic cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_cytosynth.cli import main
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.evidence.inspection import Inspection
from napari_cytosynth.store import create_project
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.cytosynth"
    made = create_project(path, built_in("blood5"))
    truth, author = tiny_project(made, smears=8, cells_per_smear=20), Author("reader")
    made.record(*(author.label(CellId(int(c)), code) for c, code in truth.items()))
    code = made.taxonomy.cell_codes[0]
    cells = made.add_synthetic(tiny_synthetic(made.taxonomy, code, 12))
    made.record(*(author.verdict(cell.id, accept=True) for cell in cells))
    made.close()
    return path


def test_evaluate_tells_what_is_wrong_with_synthetic_cells(project, capsys) -> None:
    options = ["evaluate", str(project), "--embedder", "morphology"]
    assert main([*options, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    inspection = Inspection.from_json(document["inspection"])
    assert [f.synthetic for f in inspection.classes] == [12, 12]
    assert inspection.findings
    told = [finding["sentence"] for finding in document["inspection"]["findings"]]
    assert main(options) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(" ".join(sentence.split()) in said for sentence in told)


def test_a_study_refuses_a_seed_that_it_would_not_heed(project, capsys) -> None:
    options = ["evaluate", str(project), "--study", "ratio", "--seed", "3"]
    assert main(options) == 1
    assert "leave --seed out" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.json", "Let it end in .html"),
        (".", "choose another name"),
        ("picture.png", "is not replaced"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    name: str, said: str, project, capsys, monkeypatch, tmp_path: Path
) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    monkeypatch.setattr("napari_cytosynth.cli.evaluate._measured", pytest.fail)
    options = ["evaluate", str(project), "--out", str(tmp_path / name)]
    assert main(options) == 1
    assert said in " ".join(capsys.readouterr().err.split())
