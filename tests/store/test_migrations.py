"""Old projects open for ever; newer ones are refused politely."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import ProjectError, ProjectLockedError
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Job, JobState
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project, migrations, open_project
from napari_cytosynth.store.schema import SCHEMA_VERSION
from napari_cytosynth.testing.tiny import tiny_calibration

STORED = Path(__file__).parent / "data" / "schema-1.cytosynth"


STORED_2 = STORED.with_name("schema-2.cytosynth")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "old.cytosynth"))


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return migrations.schema_version(database)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_stored_project_is_of_schema_1() -> None:
    assert _version(STORED / "project.sqlite") == 1
    with closing(sqlite3.connect(STORED / "project.sqlite")) as database:
        names = database.execute("SELECT name FROM sqlite_master").fetchall()
    assert ("job",) not in names


def test_every_schema_has_its_step() -> None:
    assert sorted(migrations.STEPS) == list(range(1, SCHEMA_VERSION))
    assert all(step.__doc__ for step in migrations.STEPS.values())


def test_schema_1_opens_whole(old: Path) -> None:
    with open_project(old) as project:
        assert project.taxonomy == built_in("blood5")
        assert project.cells().ids.tolist() == [1, 2, 3, 4, 5]
        assert project.crops([2, 5])[:, 0, 0, 0].tolist() == [20, 10]
        labels = {c: v.code for c, v in project.journal.labels().items()}
        assert labels == {1: "NEU", 2: "LYM"}
        assert np.isfinite(project.embeddings("e:1", [1, 2])).all()
        (cell,) = project.synthetic("BAS")
        assert cell.status is Status.ACCEPTED
        assert (cell.pixels == 7).all()
        assert project.model("head").meta == {"k": 1}
        assert project.calibration(project.smears()[0].id).mpp == 0.25
        assert project.jobs() == []
        project.put_job(Job("detect:1", JobState.RUNNING, {"tile": 3}))
        project.record(Author("ann").label(CellId(3), "EOS"))
    assert _version(old / "project.sqlite") == SCHEMA_VERSION
    with open_project(old) as project:
        assert project.jobs(JobState.RUNNING)[0].data == {"tile": 3}


def test_schema_2_opens_with_the_scale_of_each_crop(tmp_path: Path) -> None:
    assert _version(STORED_2 / "project.sqlite") == 2
    folder = Path(shutil.copytree(STORED_2, tmp_path / "two.cytosynth"))
    with open_project(folder) as project:
        assert project.crops([1, 2, 5])[:, 0, 0, 0].tolist() == [10, 100, 10]
        vectors = project.embeddings("e:1", [1, 2, 3, 5])
        assert vectors[[0, 1, 3], 0].tolist() == [1, 2, 1]
        assert np.isnan(vectors[2]).all()
        labels = {c: v.code for c, v in project.journal.labels().items()}
        assert labels == {1: "NEU", 2: "LYM"}
        # Cut by the pixel size that the smear had, or by one that nobody measured.
        assert project.stale_crops(SmearId(1)).tolist() == []
        assert project.stale_crops(SmearId(2)).tolist() == []
        other = replace(tiny_calibration(), mpp=0.3).to_json()
        project.record(Author("ann").scale_changed(1, other))
        project.record(Author("ann").scale_changed(2, other))
        assert project.stale_crops(SmearId(1)).tolist() == [1, 2, 3, 4]
        assert project.stale_crops(SmearId(2)).tolist() == [5]
    assert _version(folder / "project.sqlite") == SCHEMA_VERSION
    assert (folder / "project.schema-2.sqlite").exists()


def test_schema_2_survives_a_crash_of_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(source: Path, target: Path) -> None:
        raise Killed

    folder = Path(shutil.copytree(STORED_2, tmp_path / "two.cytosynth"))
    before = _hash(folder / "project.sqlite")
    with monkeypatch.context() as patch:
        patch.setattr(migrations.os, "replace", die)
        with pytest.raises(Killed):
            open_project(folder)
    assert _hash(folder / "project.sqlite") == before
    with open_project(folder) as project:
        assert len(project.cells()) == 5


def test_old_database_is_kept(old: Path) -> None:
    before = _hash(old / "project.sqlite")
    open_project(old).close()
    assert _hash(old / "project.schema-1.sqlite") == before
    assert not list(old.rglob("*.partial"))


def test_step_that_fails_leaves_the_old_project(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (x)")
        connection.execute("CREATE TABLE half (x)")

    before = _hash(old / "project.sqlite")
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", {1: fail})
        with pytest.raises(ProjectError):
            open_project(old)
    assert _hash(old / "project.sqlite") == before
    assert not (old / "project.lock").exists()
    open_project(old).close()


def test_database_that_a_backup_reads_is_not_swapped(old: Path) -> None:
    """Its log would outlive the swap, and be played into the new database."""
    path = old / "project.sqlite"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as writer,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        writer.execute("PRAGMA journal_mode=WAL")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        writer.execute("INSERT INTO meta VALUES ('last', 'words')")
        writer.close()
        with pytest.raises(ProjectLockedError, match="Another program"):
            open_project(old)
        assert _version(path) == 1
    with open_project(old) as project:
        assert len(project.cells()) == 5
    for name in ("project.sqlite", "project.schema-1.sqlite"):
        with closing(sqlite3.connect(old / name)) as database:
            said = database.execute("SELECT value FROM meta WHERE key = 'last'")
            assert said.fetchall() == [("words",)]


def test_crash_before_the_swap_leaves_the_old_project(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(source: Path, target: Path) -> None:
        raise Killed

    before = _hash(old / "project.sqlite")
    with monkeypatch.context() as patch:
        patch.setattr(migrations.os, "replace", die)
        with pytest.raises(Killed):
            open_project(old)
    assert _hash(old / "project.sqlite") == before
    with open_project(old) as project:
        assert len(project.cells()) == 5


def test_newer_schema_is_refused_and_left(tmp_path: Path) -> None:
    create_project(tmp_path / "new", built_in("blood5")).close()
    database = tmp_path / "new.cytosynth" / "project.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
        connection.commit()
    before = _hash(database)
    with pytest.raises(ProjectError, match=r"schema 99.*install a newer"):
        open_project(tmp_path / "new")
    assert _hash(database) == before
