"""Files that cannot be read: the others go on, each bad one is named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.cli import main, output
from napari_cytosynth.core.errors import StorageError
from napari_cytosynth.core.smear import NO_COLOUR
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project
from napari_cytosynth.store.live import LiveProject
from napari_cytosynth.testing.painter import FieldSpec, paint_field


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good pictures, a cut one, one without bytes, and a text named .png."""
    spec = FieldSpec(width=300, height=240, cells=3, clumping=0.0)
    painted = Image.fromarray(paint_field(spec, np.random.default_rng(0)).pixels)
    place = tmp_path / "ordner mit ü"
    place.mkdir()
    painted.save(place / "a.png")
    painted.save(place / "z.png")
    (place / "cut.png").write_bytes((place / "a.png").read_bytes()[:5000])
    (place / "nothing.png").write_bytes(b"")
    (place / "text.png").write_text("no picture")
    (place / "notes.txt").write_text("not even named like one")
    return place


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any, str]:
    code = main([*(str(a) for a in arguments), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_add_says_what_it_knew(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, first = tmp_path / "p.cytosynth", folder / "a.png"
    create_project(path, built_in("pbc11")).close()
    copy, moved = folder / "copy.png", folder / "moved.png"
    copy.write_bytes(first.read_bytes())

    def add(picture: Path) -> str:
        assert main(["add", str(path), "--no-find", str(picture)]) == 0
        said, _, scale = capsys.readouterr().out.partition(" cells; ")
        assert "um/px" in scale
        return said

    assert add(first) == f"{first}: 0"
    assert add(first) == f"{first}: smear 1 already; 0"
    assert add(copy) == f"{first}: smear 1 is the same picture as {copy}; 0"
    first.rename(moved)
    assert add(moved) == f"{moved}: smear 1, moved here from {first}; 0"
    code, said, _ = run(capsys, "add", path, "--no-find", moved)
    assert code == 0
    assert [row["known"] for row in said["smears"]] == [True]


def test_detect_writes_the_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.json"
    code, said, err = run(capsys, "detect", folder, "--out", out)
    assert code == 0
    bad = [Path(row["file"]).name for row in said["errors"]]
    assert bad == ["cut.png", "nothing.png", "text.png"]
    assert all(name in err for name in bad)
    assert len(err.splitlines()) == 3
    written = json.loads(out.read_text())
    assert [i["file_name"] for i in written["images"]] == ["a.png", "z.png"]
    assert len(written["annotations"]) == said["objects"] > 0


def test_a_bad_file_given_by_name_is_exit_1_after_the_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.json"
    files = [folder / "cut.png", folder / "a.png"]
    code, said, _ = run(capsys, "detect", *files, "--out", out)
    assert code == 1
    assert said["images"] == 1
    assert said["error"]["type"] == "InputError"
    assert len(json.loads(out.read_text())["images"]) == 1


def test_detect_writes_nothing_where_nothing_can_be_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.json"
    code, said, err = run(capsys, "detect", folder / "cut.png", "--out", out)
    assert code == 1
    assert "cut.png" in said["error"]["message"]
    assert len(err.splitlines()) == 1
    assert not out.exists()


def test_embed_leaves_bad_files_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.npz"
    code, said, _ = run(capsys, "embed", folder, "--out", out)
    assert code == 0
    assert len(said["errors"]) == 3
    with np.load(out) as kept:
        assert kept["files"].tolist() == ["a.png", "z.png"]
        assert len(kept["embeddings"]) == 2


def test_embed_into_what_is_no_folder_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "o.npz"
    code, said, _ = run(capsys, "embed", folder, "--mpp", 0.25, "--out", out)
    assert code == 1
    assert "could not be written" in said["error"]["message"]
    assert "choose another name" in said["error"]["message"]
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("verb", ["detect", "embed"])
def test_a_picture_is_not_replaced_by_what_was_made_of_it(
    verb: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = folder / "a.png"
    before = picture.read_bytes()
    code, said, _ = run(capsys, verb, folder, "--mpp", 0.25, "--out", picture)
    assert code == 1
    assert "is not replaced" in said["error"]["message"]
    assert picture.read_bytes() == before


@pytest.mark.parametrize("verb", ["detect", "embed"])
def test_what_was_made_before_is_replaced(
    verb: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    for _ in range(2):
        code, _, _ = run(capsys, verb, folder, "--mpp", 0.25, "--out", out)
        assert code == 0


@pytest.mark.parametrize("verb", ["detect", "embed"])
def test_a_place_that_takes_no_file_is_told_before_the_work(
    verb: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, err = run(capsys, verb, folder, "--mpp", 0.25, "--out", tmp_path)
    assert code == 1
    assert "It names a folder" in said["error"]["message"]
    # No picture was looked at, or the damaged ones would be named.
    assert len(err.splitlines()) == 1


def test_an_embedder_misspelt_is_told_before_the_work(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--embedder", "starfish", "--out", tmp_path / "o.npz")
    code, said, err = run(capsys, "embed", folder, *arguments)
    assert code == 1
    assert "There is no 'starfish'" in said["error"]["message"]
    assert len(err.splitlines()) == 1


def test_add_goes_on_with_the_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "p.cytosynth"
    create_project(project, built_in("pbc11")).close()
    files = [folder / "text.png", folder / "a.png"]
    code, said, err = run(capsys, "add", project, *files)
    assert code == 1
    assert "text.png" in err
    assert [Path(row["uri"]).name for row in said["smears"]] == ["a.png"]
    assert len(said["errors"]) == 1


def test_add_takes_the_pictures_below_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As detect does: a bad file that was met in a folder leaves the exit code 0."""
    project = tmp_path / "p.cytosynth"
    create_project(project, built_in("pbc11")).close()
    (folder / "z.png").write_bytes(b"another picture")
    code, said, err = run(capsys, "add", project, "--no-find", folder)
    assert code == 0
    assert [Path(row["uri"]).name for row in said["smears"]] == ["a.png"]
    assert len(said["errors"]) == 4
    assert "text.png" in err
    (folder / "a.png").unlink()
    assert run(capsys, "add", project, "--no-find", folder)[0] == 1


def test_one_is_not_many(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.json"
    assert main(["detect", str(folder / "a.png"), "--out", str(out)]) == 0
    assert " in 1 picture: " in capsys.readouterr().out
    project = tmp_path / "p.cytosynth"
    create_project(project, built_in("pbc11")).close()
    assert main(["info", str(project)]) == 0
    said = capsys.readouterr().out
    assert "labels: none" in said
    assert "quality: flagged 0, blurred 0, cut 0" in said
    assert main(["review", str(project)]) == 0
    assert "No synthetic cells to list" in capsys.readouterr().out


def test_a_full_disk_says_what_stays_and_the_same_command_goes_on(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "p.cytosynth"
    create_project(path, built_in("pbc11")).close()

    def full(*_: object, **__: object) -> None:
        raise StorageError("The disk became full.")

    with monkeypatch.context() as patch:
        patch.setattr(LiveProject, "add_cells", full)
        code, said, _ = run(capsys, "add", path, folder / "a.png")
    assert code == 1
    assert "holds 1 smears and 0 cells" in said["error"]["message"]
    code, said, _ = run(capsys, "add", path, folder / "a.png")
    assert code == 0
    assert said["smears"][0]["cells"] > 0


def test_a_picture_without_colour_is_said_once(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "p.cytosynth"
    create_project(path, built_in("pbc11")).close()
    gray = tmp_path / "gray.png"
    Image.open(folder / "a.png").convert("L").convert("RGB").save(gray)
    with caplog.at_level("INFO", logger="napari_cytosynth"):
        assert main(["add", str(path), str(gray)]) == 0
    assert [r.getMessage() for r in caplog.records] == [f"{gray}: {NO_COLOUR}"]
    assert caplog.records[0].levelname == "WARNING"


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_links_in_a_circle_are_searched_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "loop").symlink_to(folder)
    code, said, _ = run(capsys, "detect", folder, "--out", tmp_path / "o.json")
    assert code == 0
    assert said["images"] == 2


def test_progress_is_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> Task[int]:
        for done in range(10):
            yield Progress(done, 10, "working")
        return 7

    assert output.drive(work(), "job") == 7
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(output, "EVERY", 0.0)
    assert output.drive(work(), "job") == 7
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"job {done}/10: working" for done in range(10)]
