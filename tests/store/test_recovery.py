"""What a crash leaves behind is swept, and what it was promised is there."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_cytosynth.bench.crash import run_rounds
from napari_cytosynth.core.errors import ProjectError, StorageError, WeightsError
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Job, JobState
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import CellProject, create_project, open_project
from napari_cytosynth.testing.tiny import (
    tiny_crops,
    tiny_detections,
    tiny_project,
    tiny_synthetic,
)

ANN = Author("ann")


@pytest.fixture
def project(tmp_path: Path):
    made = create_project(tmp_path / "p", built_in("pbc11"))
    tiny_project(made, smears=1, cells_per_smear=6)
    yield made
    made.close()


def _reopen(project: CellProject) -> CellProject:
    project.close()
    return open_project(project.path)


def _fill_database(project: CellProject) -> None:
    """Have SQLite itself refuse to grow, as on a full disk."""
    connection = project._backend._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    rounds = run_rounds(4, seed=1, folder=tmp_path)
    assert [r.round for r in rounds] == [0, 1, 2, 3]
    assert all(r.sound for r in rounds), rounds
    assert sum(r.labels for r in rounds) > 0


def test_partials_and_orphans_are_swept(project: CellProject) -> None:
    crops = project.crops([1, 6])
    head = Weights({"w": np.ones(3, np.float32)})
    project.put_model("head", head)
    project.close()
    shards = project.path / "crops.zarr"
    orphan = shards / "c.7.0.0.0"
    orphan.write_bytes(b"torn")
    litter = [
        shards / "c.0.0.0.0.abc.partial",
        project.path / "models" / "head.abc.partial",
        project.path / "models" / "old-123.safetensors",
        project.path / "models" / "old-123.json",
        project.path / "project.sqlite.migrating.partial",
    ]
    for path in litter:
        path.write_bytes(b"x")
    with open_project(project.path) as again:
        np.testing.assert_array_equal(again.crops([1, 6]), crops)
        assert again.model("head").sha256 == head.sha256
        assert not orphan.exists()
        assert not any(path.exists() for path in litter)


def test_parts_that_never_came_do_not_close_the_project(project: CellProject) -> None:
    (split,) = project.record(ANN.split(CellId(1), [CellId(77)]))
    (search,) = project.record(ANN.found_anew(SmearId(1), [(2, 10**12)]))
    assert len(project.cells()) == 0
    project.record(ANN.undo(search.id))
    assert len(project.cells()) == 5
    project.record(ANN.undo(split.id))
    with _reopen(project) as again:
        assert len(again.cells()) == 6
        assert len(again.removed_cells()) == 0


def test_crops_read_while_others_are_added(
    project: CellProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reader opens the array just as the first writer makes it longer."""
    rng = np.random.default_rng(0)
    found, crops = tiny_detections(600, rng), np.full((600, 96, 96, 3), 5, np.uint8)
    open_array, opened, go_on = zarr.open_array, threading.Event(), threading.Event()

    def slow(*given: Any, **options: Any) -> Any:
        array = open_array(*given, **options)
        if threading.current_thread() is reader:
            opened.set()
            go_on.wait(2)
        return array

    with _reopen(project) as again:
        monkeypatch.setattr(zarr, "open_array", slow)
        reader = threading.Thread(target=again.crops, args=([1],))
        writer = threading.Thread(target=again.add_cells, args=(1, found, crops))
        reader.start()
        assert opened.wait(30)
        writer.start()
        writer.join(0.5)
        go_on.set()
        for thread in (reader, writer):
            thread.join()
        assert (again.crops([7, 606]) == 5).all()


def test_full_database_keeps_what_was_there(project: CellProject) -> None:
    project.record(ANN.label(CellId(1), "BA"))
    _fill_database(project)
    long = "x" * 100_000
    with pytest.raises(StorageError, match=r"became full while saving a label"):
        project.record(ANN.comment(CellId(1), long))
    assert project.journal.last_id == 1
    connection = project._backend._database._connection
    connection.execute("PRAGMA max_page_count=1000000")
    project.record(ANN.comment(CellId(1), long))
    with _reopen(project) as again:
        assert [e.id for e in again.journal.events()] == [1, 2]


def test_row_that_fails_leaves_no_cells(project: CellProject) -> None:
    _fill_database(project)
    rng = np.random.default_rng(0)
    crops = tiny_crops(project.taxonomy, ["BA"] * 300, rng)
    with pytest.raises(StorageError, match="adding cells"):
        project.add_cells(SmearId(1), tiny_detections(300, rng), crops)
    assert len(project.cells()) == 6
    connection = project._backend._database._connection
    connection.execute("PRAGMA max_page_count=1000000")
    ids = project.add_cells(SmearId(1), tiny_detections(300, rng), crops)
    with _reopen(project) as again:
        assert len(again.cells()) == 306
        np.testing.assert_array_equal(again.crops(ids), crops)
        # The first attempt's shards were orphans.
        assert len(list((again.path / "crops.zarr").glob("c.*"))) == 3


def test_damaged_database_is_named(project: CellProject) -> None:
    project.close()
    (project.path / "project.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(ProjectError, match=r"damaged.*Restore"):
        open_project(project.path)
    assert not (project.path / "project.lock").exists()


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("UPDATE event SET kind = 'nonsense' WHERE id = 2", "journal"),
        ("UPDATE event SET data = '{' WHERE id = 2", "journal"),
        ("UPDATE event SET data = '{}' WHERE id = 2", "journal"),
        ("UPDATE event SET kind = 'undo' WHERE id = 2", "journal"),
        ("UPDATE smear SET calibration = '{'", "list of smears"),
        ("UPDATE cell SET boxes = x'0102'", "list of cells"),
        ("UPDATE job SET data = 'x'", "list of jobs"),
        ("DELETE FROM meta WHERE key = 'taxonomy'", "list of classes"),
    ],
)
def test_a_row_that_makes_no_sense_is_named(
    project: CellProject, change: str, table: str
) -> None:
    ada = Author("ada")
    project.record(*(ada.label(CellId(n), "EO") for n in (1, 2, 3)))
    project.put_job(Job("detect:1", JobState.DONE))
    project.close()
    with closing(sqlite3.connect(project.path / "project.sqlite")) as database:
        database.execute(change)
        database.commit()
    with pytest.raises(ProjectError, match=rf"The {table} of .* is damaged"):
        open_project(project.path)
    assert not (project.path / "project.lock").exists()


def test_database_of_something_else_is_named(project: CellProject) -> None:
    project.close()
    path = project.path / "project.sqlite"
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(ProjectError, match="no CytoSynth project"):
        open_project(project.path)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(bytes(data))


def test_flipped_byte_in_crops_is_refused(project: CellProject) -> None:
    shard = project.path / "crops.zarr" / "c.0.0.0.0"
    project.close()
    _flip(shard)
    with (
        open_project(project.path) as again,
        pytest.raises(ProjectError, match=r"c\.0\.0\.0\.0' is damaged"),
    ):
        again.crops(np.arange(1, 7))


def test_missing_shard_is_refused_not_black(project: CellProject) -> None:
    (project.path / "crops.zarr" / "c.0.0.0.0").unlink()
    with pytest.raises(ProjectError, match=r"missing.*Restore"):
        project.crops([1])


def test_flipped_byte_in_embeddings_is_refused(project: CellProject) -> None:
    project.put_embeddings("e", np.arange(1, 7), np.ones((6, 8), np.float32))
    (shard,) = (project.path / "embeddings.zarr").rglob("c.0.0")
    _flip(shard)
    with pytest.raises(ProjectError, match="damaged"):
        project.embeddings("e", np.arange(1, 7))


def test_flipped_byte_in_synthetic_pixels_is_refused(project: CellProject) -> None:
    project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 2))
    project.close()
    _flip(project.path / "synthetic.zarr" / "c.0.0.0.0")
    with (
        open_project(project.path) as again,
        pytest.raises(ProjectError, match="damaged"),
    ):
        again.synthetic()


@pytest.mark.parametrize("ending", ["safetensors", "json"])
@pytest.mark.parametrize("how", ["flip", "cut", "lose"])
def test_damaged_weights_are_refused(
    project: CellProject, ending: str, how: str
) -> None:
    weights = Weights({"w": np.arange(50, dtype=np.float32)}, {"classes": ["BA"]})
    project.put_model("head", weights)
    (path,) = (project.path / "models").glob(f"*.{ending}")
    if how == "flip":
        data = bytearray(path.read_bytes())
        data[-6] ^= 0x01
        path.write_bytes(bytes(data))
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    else:
        path.unlink()
    with pytest.raises(WeightsError, match="restore"):
        project.model("head")


def test_swapped_weights_are_refused(project: CellProject) -> None:
    project.put_model("head", Weights({"w": np.zeros(4, np.float32)}))
    (stored,) = (project.path / "models").glob("*.safetensors")
    project.put_model("other", Weights({"w": np.ones(4, np.float32)}))
    (other,) = (project.path / "models").glob("other*.safetensors")
    stored.write_bytes(other.read_bytes())
    with pytest.raises(WeightsError, match="SHA-256"):
        project.model("head")


def test_create_never_writes_over(project: CellProject) -> None:
    with pytest.raises(ProjectError, match="already there"):
        create_project(project.path, built_in("pbc11"))
    assert len(project.cells()) == 6


def test_open_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no project at .*nothing"):
        open_project(tmp_path / "nothing")
    (tmp_path / "empty.cytosynth").mkdir()
    with pytest.raises(ProjectError, match="no project"):
        open_project(tmp_path / "empty")
