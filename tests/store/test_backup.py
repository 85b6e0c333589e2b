"""A copy of a project, closed or open, is a project."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import (
    ProjectError,
    ProjectLockedError,
    ProjectNotFoundError,
)
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import backup, create_project, database, open_project
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic

ANN = Author("ann")

# The package exports the function under the name of its module.
backups = sys.modules[backup.__module__]


@pytest.fixture
def project(tmp_path: Path):
    made = create_project(tmp_path / "p", built_in("pbc11"))
    tiny_project(made, smears=2, cells_per_smear=4)
    made.record(ANN.label(CellId(1), "BA"))
    made.put_embeddings("e", [1, 2], np.ones((2, 5), np.float32))
    made.add_synthetic(tiny_synthetic(made.taxonomy, "BA", 2))
    made.put_model("head", Weights({"w": np.ones(2, np.float32)}))
    yield made
    made.close()


def test_backup_of_an_open_project(project, tmp_path: Path) -> None:
    copy = backup(project.path, tmp_path / "copy")
    project.record(ANN.label(CellId(2), "EO"))
    assert copy == tmp_path / "copy.cytosynth"
    with open_project(copy) as again:
        assert set(again.journal.labels()) == {1}
        cells = project.cells().ids
        np.testing.assert_array_equal(again.crops(cells), project.crops(cells))
        np.testing.assert_array_equal(
            again.embeddings("e", cells), project.embeddings("e", cells)
        )
        assert len(again.synthetic()) == 2
        assert again.model("head") is not None
        again.record(ANN.label(CellId(3), "MO"))
    assert set(project.journal.labels()) == {1, 2}


def test_backup_never_writes_over(project, tmp_path: Path) -> None:
    copy = backup(project.path, tmp_path / "copy")
    with pytest.raises(ProjectError, match="already there"):
        backup(project.path, copy)


def test_backup_into_a_folder_keeps_the_name(project, tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    copy = backup(project.path, tmp_path / "copies")
    assert copy == tmp_path / "copies" / "p.cytosynth"


def test_backup_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFoundError):
        backup(tmp_path / "none", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_backup_of_a_damaged_project_is_refused(project, tmp_path: Path) -> None:
    project.close()
    database = project.path / "project.sqlite"
    data = bytearray(database.read_bytes())
    data[4096:6000] = b"\xff" * (6000 - 4096)
    database.write_bytes(bytes(data))
    with pytest.raises(ProjectError, match="damaged"):
        backup(project.path, tmp_path / "copy")
    assert not (tmp_path / "copy.cytosynth").exists()


def test_moved_project_opens(project, tmp_path: Path) -> None:
    project.close()
    moved = tmp_path / "elsewhere" / "q.cytosynth"
    moved.parent.mkdir()
    shutil.move(project.path, moved)
    with open_project(tmp_path / "elsewhere" / "q") as again:
        assert again.name == "q"
        assert again.crops([8]).any()


def test_wal_project_labels_copies_and_closes_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "journal_settings", lambda *_: ("WAL", "FULL"))
    with create_project(tmp_path / "w", built_in("pbc11")) as project:
        tiny_project(project, smears=1, cells_per_smear=3)
        project.record(ANN.label(CellId(1), "BA"))
        assert (project.path / "project.sqlite-wal").exists()
        copy = backup(project.path, tmp_path / "copy")
        project.record(ANN.label(CellId(2), "BA"))
    assert not (project.path / "project.sqlite-wal").exists()
    monkeypatch.undo()
    for path, labelled in ((project.path, 2), (copy, 1)):
        with open_project(path) as again:
            assert len(again.journal.labels()) == labelled


def test_backup_of_a_growing_project_holds_no_vector_of_a_later_cell(
    project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_database = backups._copy_database

    def grow_after(source: Path, target: Path) -> None:
        copy_database(source, target)
        tiny_project(project, smears=1, cells_per_smear=2)
        project.put_embeddings("e", [9, 10], np.full((2, 5), 7, np.float32))

    monkeypatch.setattr(backups, "_copy_database", grow_after)
    copy = backup(project.path, tmp_path / "copy")
    with open_project(copy) as again:
        assert np.isfinite(again.embeddings("e", [1, 2])).all()
        tiny_project(again, smears=1, cells_per_smear=2, seed=3)
        assert np.isnan(again.embeddings("e", [9, 10])).all()


def test_backup_while_another_opens_and_sweeps(
    project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = project.path / "crops.zarr" / "c.9.0.0.0"
    orphan.write_bytes(b"torn")
    copy2 = shutil.copy2

    def sweep_first(source: Path, target: Path) -> None:
        if source == orphan:
            orphan.unlink()
        copy2(source, target)

    monkeypatch.setattr(backups.shutil, "copy2", sweep_first)
    copy = backup(project.path, tmp_path / "copy")
    with open_project(copy) as again:
        assert again.crops(again.cells().ids).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("journal", [("WAL", "FULL"), ("DELETE", "EXTRA")])
def test_backup_from_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: tuple[str, str]
) -> None:
    monkeypatch.setattr(database, "journal_settings", lambda *_: journal)
    with create_project(tmp_path / "r", built_in("pbc11")) as made:
        tiny_project(made, smears=1, cells_per_smear=3)
    before = sorted(p.name for p in made.path.iterdir())
    monkeypatch.setattr(backups.os, "access", lambda *_: False)
    copy = backup(made.path, tmp_path / "copy")
    assert sorted(p.name for p in made.path.iterdir()) == before
    with open_project(copy) as again:
        assert len(again.cells()) == 3
    with open_project(made.path), pytest.raises(ProjectLockedError):
        backup(made.path, tmp_path / "another")
