"""Every verb, run for real on small things."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth import worker
from napari_cytosynth.cli import demo, main
from napari_cytosynth.cli.output import table
from napari_cytosynth.cli.synthesize import describe
from napari_cytosynth.cli.verbs import VERBS
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, EventKind, Mode
from napari_cytosynth.core.project import JobState
from napari_cytosynth.core.provenance import Assessment, Status
from napari_cytosynth.core.rereading import awaiting_opinion, comments
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.strategies.balanced import Shares
from napari_cytosynth.store import create_project, open_project
from napari_cytosynth.testing.fakes import FAKE, FakeCompute
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.synthesize import FillReport

CLI_PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.cytosynth"
    opened = create_project(path, built_in("pbc11"))
    tiny_project(opened, smears=6, cells_per_smear=12, seed=1)
    opened.close()
    return path


def documented_keys() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", CLI_PAGE, flags=re.MULTILINE)
    return {
        verb: set(re.findall(r"`([^`]+)`", cell)[0].split())
        for verb, cell in rows
        if "`" in cell
    }


def document(
    capsys: pytest.CaptureFixture[str], *arguments: object
) -> dict[str, object]:
    code = main([*(str(a) for a in arguments), "--json"])
    out = capsys.readouterr()
    assert code == 0, out.err
    found: dict[str, object] = json.loads(out.out)
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--help"]) == 0
    assert f"cytosynth {verb}" in capsys.readouterr().out.split("Example:")[1]


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"worker", "open"}))
def test_every_verb_documents_its_json_keys(verb: str) -> None:
    assert f"| `{verb}` |" in CLI_PAGE


@pytest.mark.parametrize("arguments", [["nonsense"], ["new"], ["bench", "nonsense"]])
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_words_in_brackets_stay_in_a_table() -> None:
    head, row = table(["unit"], [["pip install '.[bench]'"]])
    assert (head, row) == ("unit", "pip install '.[bench]'")


def test_a_missing_project_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(tmp_path / "none.cytosynth")]) == 1
    err = capsys.readouterr().err
    assert "none.cytosynth" in err
    assert err.count("\n") == 1


def test_new_then_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.cytosynth"
    made = document(capsys, "new", path, "--taxonomy", "blood5")
    assert set(made) == documented_keys()["new"]
    info = document(capsys, "info", path)
    assert set(info) == documented_keys()["info"]
    assert info["taxonomy"] == "blood5"
    assert info["cells"] == 0


def test_info_tells_synthetic_cells_that_stand_from_those_that_do_not(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = document(capsys, "info", project)["synthetic_by_status"]
    held = open_project(project)
    made = tiny_synthetic(held.taxonomy, "BA", len(Status))
    by_status = zip(made, Status, strict=True)
    held.add_synthetic([replace(cell, status=status) for cell, status in by_status])
    held.close()
    found = document(capsys, "info", project)
    after = found["synthetic_by_status"]
    assert {key: after[key] - before[key] for key in after} == {
        "accepted": 1,
        "waiting": 1,
        "rejected": 1,
        "dropped": 1,
    }
    assert found["synthetic"] == after["accepted"] + after["waiting"]
    assert main(["info", str(project)]) == 0
    assert ", dropped 1" in capsys.readouterr().out


def test_the_demo_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = []
    for _ in range(3):
        made.append(demo.free_folder())
        made[-1].mkdir()
    assert [path.name for path in made] == [
        "cytosynth-demo",
        "cytosynth-demo-2",
        "cytosynth-demo-3",
    ]


def test_new_names_the_folder_that_it_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = document(capsys, "new", tmp_path / "plain")
    assert made["project"] == str(tmp_path / "plain.cytosynth")
    assert Path(made["project"]).is_dir()


def test_review_gives_all_verdicts_or_none(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_project(project)
    opened.add_synthetic(tiny_synthetic(opened.taxonomy, "BA", 3))
    opened.close()
    say = ("review", str(project), "--accept", "1", "--annotator", "a")
    assert main([*say, "--reject", "99"]) == 1
    assert main([*say, "--reject", "1"]) == 2
    capsys.readouterr()
    rows = document(capsys, "review", project)["synthetic"]
    assert [row["status"] for row in rows] == ["proposed"] * 3
    rows = document(capsys, *say, "--reject", 3)["synthetic"]
    assert [row["status"] for row in rows] == ["accepted", "proposed", "rejected"]
    listed = re.findall(r"^\| `review` .*each `([^`]+)`", CLI_PAGE, flags=re.MULTILINE)
    assert set(rows[0]) == set(listed[0].split())


def test_review_lists_what_a_critic_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_project(project)
    one, two, three = tiny_synthetic(opened.taxonomy, "BA", 3)
    veto = Assessment("copy", 0.2, passed=False, reason="A copy of cell 7.", nearest=7)
    refused = replace(two.judged(veto), status=Status.DROPPED)
    opened.add_synthetic([one, refused, replace(three, verified=False)])
    opened.close()

    def listed(*options: str) -> list[int]:
        rows = document(capsys, "review", project, *options)["synthetic"]
        return [row["id"] for row in rows]

    assert listed() == [1, 2, 3]
    assert listed("--critic", "copy") == [2]
    assert listed("--critic", "manifold") == []
    assert listed("--only", "passed") == [1, 3]
    assert listed("--only", "unverified") == [3]
    assert listed("--only", "dropped") == [2]
    (row,) = document(capsys, "review", project, "--critic", "copy")["synthetic"]
    assert row["refused_by"] == ["copy"]
    assert row["verdicts"][-1] == {
        "critic": "copy",
        "score": 0.2,
        "passed": False,
        "reason": "A copy of cell 7.",
        "calibrated": True,
        "nearest": 7,
        "abstained": False,
        "trained": None,
    }
    capsys.readouterr()
    assert main(["review", str(project), "--critic", "manifold"]) == 0
    assert "None of the 3 synthetic cells" in capsys.readouterr().out
    assert main(["review", str(project), "--critic", "taste"]) == 2
    assert main(["review", str(project), "--only", "nice"]) == 2


def test_label_undo_redo(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = open_project(project)
    cell = int(opened.cells().ids[0])
    opened.close()
    labelled = document(capsys, "label", project, cell, "EO", "--annotator", "a")
    assert set(labelled) == documented_keys()["label"]
    assert labelled["code"] == "EO"
    document(capsys, "label", project, "--undo", "--annotator", "a")
    assert document(capsys, "info", project)["labelled"] == 0
    document(capsys, "label", project, "--redo", "--annotator", "a")
    assert document(capsys, "info", project)["labels"] == {"EO": 1}


@pytest.mark.parametrize("error", [KeyError("uid"), OSError("no name")])
def test_an_account_without_a_name_is_asked_for_one(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", nobody)
    assert main(["label", str(project), "1", "EO"]) == 1
    assert "--annotator" in capsys.readouterr().err
    assert document(capsys, "info", project)["events"] == 0


def test_label_skips_remarks_asks_and_strikes_out(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    who = ("--annotator", "a")
    said = document(capsys, "label", project, 1, "--skip", "--comment", "blur", *who)
    kinds = [event["kind"] for event in said["events"]]
    assert kinds == ["skip", "comment"]
    document(capsys, "label", project, 2, "EO", "--second-opinion", *who)
    document(capsys, "label", project, 3, "--remove", *who)
    opened = open_project(project)
    journal, cells = opened.journal, opened.cells()
    opened.close()
    assert journal.skipped(1)
    assert comments(journal, 1) == ["blur"]
    assert awaiting_opinion(journal) == {2}
    assert journal.label(2).code == "EO"
    assert 3 not in cells


@pytest.mark.parametrize(
    "given", [[], ["1"], ["--skip"], ["1", "EO", "--undo"], ["--undo", "--redo"]]
)
def test_label_that_says_too_little_or_too_much_is_wrong_usage(
    project: Path, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    assert main(["label", str(project), *given, "--annotator", "a"]) == 2
    assert "--second-opinion" in capsys.readouterr().err


def test_an_unknown_class_is_refused_and_nothing_recorded(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", str(project), "1", "WIZARD", "--annotator", "a"]) == 1
    assert "WIZARD" in capsys.readouterr().err
    assert document(capsys, "info", project)["events"] == 0


def test_progress_says_how_far_the_labelling_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--embedder", "morphology")
    found = document(capsys, "progress", project, *options)
    assert set(found) == documented_keys()["progress"]
    assert found["accuracy"] == {"value": None, "low": None, "high": None, "n": 0}
    assert found["stopping"]["said"].endswith("cannot be estimated yet (n = 0).")
    opened = open_project(project)
    cells = opened.cells()
    train = cells.ids[~splits_of(opened, cells).audit].tolist()
    truth = {c: opened.taxonomy.cell_codes[(c - 1) % 10] for c in train}
    opened.record(*(Author("a").label(CellId(c), truth[c]) for c in train))
    opened.close()
    found = document(capsys, "progress", project, *options)
    points = found["curve"]["points"]
    assert points[-1]["labels"] == found["stopping"]["labels"] == len(train)
    assert set(points[0]) == {"labels", "value", "low", "high", "n"}
    assert found["stopping"]["classes"][0]["code"] == ""
    assert main(["progress", str(project), *options]) == 0
    out = capsys.readouterr().out
    assert "Accuracy on audit cells: cannot be estimated yet (n = 0)." in out
    assert found["stopping"]["said"] in out
    assert all(out.count(row["said"]) == 1 for row in found["stopping"]["classes"])
    assert "labels are doubted." in out


def test_a_doubted_label_is_kept_by_the_same_class(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_project(project)
    cells = opened.cells()
    train = cells.ids[~splits_of(opened, cells).audit].tolist()
    for place, cell in enumerate(train):
        # Every other label says nothing of the picture.
        code = ("BA", "EO", "LY")[(cell - 1) % 3 if place % 2 else place // 2 % 3]
        opened.record(Author("a").label(CellId(cell), code))
    opened.close()
    options = ("--embedder", "morphology", "--doubted")
    before = document(capsys, "progress", project, *options)
    assert set(before) == {"doubted", "judged", "unjudged", "caveat"}
    first = before["doubted"][0]
    keep = ("label", project, first["cell"], first["given"], "--annotator", "a")
    document(capsys, *keep)
    after = document(capsys, "progress", project, *options)
    kept = [row["cell"] for row in after["doubted"]]
    assert kept == [row["cell"] for row in before["doubted"][1:]]


def test_backup_opens(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copies = project.parent / "copies"
    info = document(capsys, "info", project, "--backup", copies)
    copy = document(capsys, "info", str(info["backup"]))
    assert copy["cells"] == info["cells"]


def test_backup_into_a_folder_to_come(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project.parent / "kept" / "copies"
    info = document(capsys, "info", project, "--backup", f"{folder}/")
    assert info["backup"] == str(folder / project.name)


def test_what_the_system_refuses_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["demo", "--no-window", "--out", str(tmp_path / "file" / "o")]) == 1
    err = capsys.readouterr().err
    assert "cannot be used (Not a directory). Check that" in err
    assert "Errno" not in err


def test_backup_works_while_a_window_holds_the_project(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = project.parent / "copies"
    copies.mkdir()
    holder = open_project(project)
    info = document(capsys, "info", project, "--backup", copies)
    assert main(["info", str(project)]) == 1
    holder.close()
    assert set(info) == {"project", "backup", "locked"}
    assert "open in process" in str(info["locked"])
    assert document(capsys, "info", str(info["backup"]))["cells"] == 72


def fake_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw by a fake: what is tested here is what the verb says."""
    monkeypatch.setattr(worker, "InlineCompute", FakeCompute)


def test_synthesize_says_what_nothing_verified(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend(monkeypatch)
    made = document(capsys, "synthesize", project, "BA", "--count", 2)
    assert set(made) == documented_keys()["synthesize"]
    assert (made["accepted"], made["verified"]) == (2, False)
    assert made["stain"] == {}
    assert main(["synthesize", str(project), "BA", "--count", "2"]) == 0
    assert "unverified" in capsys.readouterr().out


def test_review_lists_what_a_generator_refused_itself(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_project(project)
    one, two = tiny_synthetic(opened.taxonomy, "BA", 2)
    veto = Assessment("picture", 0.0, passed=False, reason="All black.")
    opened.add_synthetic([one, replace(two.judged(veto), status=Status.DROPPED)])
    opened.close()
    rows = document(capsys, "review", project, "--critic", "picture")["synthetic"]
    assert [row["id"] for row in rows] == [2]


def test_a_fill_says_which_critic_refused_and_where_to_read_why() -> None:
    path, refused = Path("smears.cytosynth"), {"agreement": 1, "copy": 21}
    some = describe(FillReport("BA", 3, 2, 24, refused), path)
    first = "2 of 3 BA passed the gate (24 drawn). They wait for your verdict."
    assert some[0] == first
    assert some[1] == (
        "Refused by agreement 1, copy 21; why: "
        "cytosynth review smears.cytosynth --critic copy"
    )
    assert some[-1] == "Review them: cytosynth review smears.cytosynth"
    stain = {"cells": 9, "moved": [1.0, 2.0, 3.0]}
    none = FillReport("BA", 3, 0, 24, refused, verified=False, stain=stain)
    assert describe(none, path) == ["0 of 3 BA passed the gate (24 drawn).", some[1]]
    black = describe(FillReport("BA", 2, 1, 8, {"picture": 7}), path)
    assert black[1].endswith("--critic picture")
    whole = describe(FillReport("BA", 2, 2, 2), path)
    assert not any("Refused" in line for line in whole)


def test_synthesize_says_how_colours_were_moved(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend(monkeypatch)
    stain = '{"cells": 12, "moved": [-2.04, 0.5, -3.0]}'
    asked = [
        "synthesize",
        str(project),
        "BA",
        "--count",
        "1",
        "--generator",
        FAKE,
        "--set",
        f"stain={stain}",
    ]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "12 real cells: L -2.0, a +0.5, b -3.0" in said


def test_synthesize_goes_on_with_what_was_interrupted(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend(monkeypatch)
    assert main(["synthesize", str(project), "BA", "--resume"]) == 1
    assert "none to go on with" in capsys.readouterr().err
    opened = open_project(project)
    opened.put_job(Ask("BA", 3, seed=4).job(start=0))
    opened.close()
    asked = ["synthesize", str(project), "BA", "--resume", "--count"]
    assert main([*asked, "9"]) == 1
    assert "the newest has count 3, generator latent, seed 4" in (
        capsys.readouterr().err
    )
    made = document(capsys, *asked, 3)
    assert (made["wanted"], made["accepted"], made["seed"]) == (3, 3, 4)
    opened = open_project(project)
    states = [job.state for job in opened.jobs()]
    opened.close()
    assert states == [JobState.DONE]


def test_an_embedder_is_refused_where_cells_are_made(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["synthesize", str(project), "BA", "--embedder", "nix"]
    assert main(asked) == 1
    assert "--embedder nix" in capsys.readouterr().err


def test_bad_options_are_refused_before_anything_is_learned(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synthesize", str(project), "BA", "--set", "stepz=3"]) == 1
    said = capsys.readouterr().err
    assert "no option 'stepz'" in said
    opened = open_project(project)
    assert not opened.jobs()
    opened.close()


def test_review_lists_what_was_said_of_vectors(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_backend(monkeypatch)
    opened = open_project(project)
    author = Author("A. Reader")
    cells = opened.cells().ids.tolist()
    opened.record(
        *(author.label(CellId(c), ("EO", "LY")[c % 2]) for c in cells),
    )
    opened.close()
    code = "EO"
    asked = ("--generator", "embedding", "--count", 3)
    made = document(capsys, "synthesize", project, code, *asked)
    listed = document(capsys, "review", project, "--vectors")["vectors"]
    assert isinstance(listed, list)
    assert len(listed) == made["drawn"]
    assert sum(row["status"] == "proposed" for row in listed) == made["accepted"]
    assert all(row["generator"] == "fake-vectors" for row in listed)
    few = document(capsys, "review", project, "--vectors", "--only", "dropped")
    assert len(few["vectors"]) == len(listed) - made["accepted"]
    assert main(["review", str(project), "--vectors", "--accept", "1"]) == 2


def test_export_then_import(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = open_project(project)
    cells = [int(c) for c in opened.cells().ids[:3]]
    opened.close()
    for cell in cells:
        document(capsys, "label", project, cell, "LY", "--annotator", "a")
    table = project.parent / "labels.csv"
    document(capsys, "export", project, table, "--format", "csv")
    for _ in cells:
        document(capsys, "label", project, "--undo", "--annotator", "a")
    document(capsys, "import", project, table, "--format", "csv", "--annotator", "a")
    assert document(capsys, "info", project)["labels"] == {"LY": 3}


def test_train_asks_the_use_gate_and_can_be_told_not_to(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_project(project)
    teacher = Author("a")
    for i, cell in enumerate(opened.cells().ids.tolist()):
        opened.record(teacher.label(CellId(cell), ("EO", "LY")[i % 2]))
    (made,) = opened.add_synthetic(tiny_synthetic(opened.taxonomy, "EO", 1))
    opened.record(teacher.verdict(made.id, True))
    opened.close()
    gate = document(capsys, "train", project)["use_gate"]
    listed = re.findall(r"`use_gate` holds `([^`]+)`", CLI_PAGE)
    assert set(gate) == set(listed[0].split())
    assert "macro-F1 over balanced weights" in gate["said"]
    assert document(capsys, "train", project, "--ungated")["use_gate"] is None
    assert main(["train", str(project)]) == 0
    assert f"Use gate: {gate['said']}." in capsys.readouterr().out
    assert main(["train", str(project), "--ungated"]) == 0
    assert "not asked" in capsys.readouterr().out


def test_suggest_and_train(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = open_project(project)
    cells = [int(c) for c in opened.cells().ids]
    opened.close()
    for cell, code in zip(cells, ["EO", "LY"] * 10, strict=False):
        document(capsys, "label", project, cell, code, "--annotator", "a")
    trained = document(capsys, "train", project)
    assert set(trained) == documented_keys()["train"]
    opened = open_project(project)
    teaching = int((~splits_of(opened).audit)[:20].sum())
    opened.close()
    assert trained["labels"] == teaching < 20
    first = document(capsys, "suggest", project, "-n", 5, "--seed", 3)
    assert set(first) == documented_keys()["suggest"]
    assert first == document(capsys, "suggest", project, "-n", 5, "--seed", 3)
    assert {frozenset(c) for c in first["cells"]} == {
        frozenset({"cell", "smear", "x", "y", "quality", "synthetic"})
    }
    assert all(c["x"] == round(c["x"], 1) for c in first["cells"])
    share = ("--shares", "uncertain=3,rare=1")
    set_ = document(capsys, "suggest", project, "-n", 5, *share)["shares"]
    assert set_ == {"uncertain": 3, "rare": 1, "novel": 0, "typical": 0}
    assert document(capsys, "suggest", project, "-n", 5)["shares"] == set_
    asked = ("suggest", project, "-n", 200)
    bare = {c["cell"] for c in document(capsys, *asked)["cells"]}
    why = document(capsys, *asked, "--why")["cells"]
    opened = open_project(project)
    draws = [e.cell for e in opened.journal.events() if e.kind is EventKind.AUDIT_DRAW]
    opened.close()
    assert {c["cell"] for c in why} == bare - set(draws)
    assert all(c["reason"] and c["utility"] >= 0 for c in why)
    document(capsys, "label", project, draws[0], "EO", "--annotator", "a")
    opened = open_project(project)
    modes = Counter(label.mode for label in opened.journal.labels().values())
    opened.close()
    assert modes[Mode.AUDIT] == 1


def test_suggest_says_what_its_options_cannot_tell(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suggest", "--help"]) == 0
    told = "".join(capsys.readouterr().out.split())
    usual = ",".join(f"{k}={100 * v:g}" for k, v in Shares().parts().items())
    assert f"{usual}unlessset" in told
    opened = open_project(project)
    cells = [int(c) for c in opened.cells().ids[~splits_of(opened).audit]]
    opened.close()
    for cell, code in zip(cells, ["EO", "LY"] * 3, strict=False):
        document(capsys, "label", project, cell, code, "--annotator", "a")
    asked = ["suggest", str(project), "--strategy", "margin"]
    assert main([*asked, "--shares", "rare=1"]) == 0
    told = capsys.readouterr().err
    assert "only 'balanced' deals by them" in told
    assert "'cytosynth train' fits one" in told
    document(capsys, "train", project)
    assert main(asked) == 0
    told = capsys.readouterr().err
    assert "deals" not in told
    assert "cytosynth train" not in told


def test_suggest_looks_for_a_class_and_for_cells_like_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_project(project)
    held_out = splits_of(opened).audit
    cells = [int(c) for c in opened.cells().ids[~held_out]]
    opened.close()
    for cell, code in zip(cells, ["EO", "LY"] * 3, strict=False):
        document(capsys, "label", project, cell, code, "--annotator", "a")
    listed = re.findall(r"`--like-cell CELL`: `([^`]+)`", CLI_PAGE)[0].split()
    keys = re.findall(r"gone by; each cell `([^`]+)`", CLI_PAGE)[0].split()
    found = document(capsys, "suggest", project, "--like", "eosinophil", "-n", 4)
    assert set(found) == set(listed)
    assert (found["like"], found["real"], len(found["cells"])) == ("EO", 3, 4)
    assert all(set(c) == set(keys) for c in found["cells"])
    assert all("eosinophil" in c["reason"] for c in found["cells"])
    alike = document(capsys, "suggest", project, "--like-cell", cells[9], "-n", 4)
    assert set(alike) == set(listed)
    assert cells[9] not in [c["cell"] for c in alike["cells"]]
    assert main(["suggest", str(project), "--like", "BA"]) == 1
    assert "Label one, or fill" in capsys.readouterr().err
    assert main(["suggest", str(project), "--like", "BA", "--like-cell", "3"]) == 1
    assert main(["suggest", str(project), "--like", "BA", "--fields"]) == 1
    assert "one at a time" in capsys.readouterr().err


def test_suggest_lists_fields(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "suggest", project, "--fields", "-n", 3)
    listed = re.findall(r"With `--fields`: `([^`]+)`", CLI_PAGE)[0].split()
    keys = re.findall(r"labelling them whole would teach, each `([^`]+)`", CLI_PAGE)
    assert set(found) == set(listed)
    assert [set(row) for row in found["fields"]] == [set(keys[0].split())] * 3
    assert all("best cells" in row["reason"] for row in found["fields"])
    wide = document(capsys, "suggest", project, "--fields", "--field-um", 500)
    assert max(row["width"] for row in wide["fields"]) == 2000
    assert main(["suggest", str(project), "--fields", "--field-um", "0"]) == 1
    assert "Ask for more" in capsys.readouterr().err


def test_detect_lists_pictures_without_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fields"
    (folder / "deep").mkdir(parents=True)
    blank = np.full((64, 64, 3), 240, np.uint8)
    Image.fromarray(blank).save(folder / "deep" / "blank.png")
    out = tmp_path / "cells.json"
    found = document(capsys, "detect", folder, "--out", out)
    assert set(found) == documented_keys()["detect"]
    coco = json.loads(out.read_text(encoding="utf-8"))
    assert [i["file_name"] for i in coco["images"]] == ["deep/blank.png"]
    assert coco["annotations"] == []


def test_embed_writes_sorted_posix_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cells"
    (folder / "b").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("b/2.png", "b/1.png", "a.png"):
        pixels = rng.integers(0, 255, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    out = tmp_path / "cells.npz"
    made = document(capsys, "embed", folder, "--out", out, "--mpp", 0.25)
    assert set(made) == documented_keys()["embed"]
    with np.load(out) as arrays:
        assert arrays["files"].tolist() == ["a.png", "b/1.png", "b/2.png"]
        assert arrays["embeddings"].dtype == np.float32
        assert arrays["embeddings"].shape == (3, made["dim"])


def test_doctor_names_a_missing_sample_among_the_rest(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    package = tmp_path / "napari_cytosynth" / "__init__.py"
    monkeypatch.setattr("napari_cytosynth.__file__", str(package))
    assert main(["doctor", "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    states = {check["name"]: check["state"] for check in checks}
    assert states["sample"] == "fail"
    assert states["disk"] in ("ok", "warn")


def test_doctor_names_weights_of_another_size(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setenv("CYTOSYNTH_WEIGHTS", str(tmp_path))
    (tmp_path / "dinobloom-s.safetensors").write_bytes(b"half of a download")
    checks = document(capsys, "doctor")["checks"]
    assert isinstance(checks, list)
    (found,) = (c for c in checks if c["name"] == "foundation")
    assert found["state"] == "warn"
    assert "of another size than published, remove: dinobloom-s" in found["text"]


def test_doctor_finds_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "doctor")
    assert set(found) == documented_keys()["doctor"]
