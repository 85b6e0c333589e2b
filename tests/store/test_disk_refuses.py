"""Real disks that are full or read-only. They need a mount, so Linux and root."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import StorageError
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author, Event
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import CellProject, backup, create_project, open_project
from napari_cytosynth.testing.tiny import (
    tiny_detections,
    tiny_project,
    tiny_synthetic,
)

ANN = Author("ann")


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs Linux")
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a small disk is not permitted here: {done.stderr}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def _noise(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, 96, 96, 3)).astype(np.uint8)


def _record_each(project: CellProject, events: list[Event]) -> None:
    for event in events:
        project.record(event)


def test_full_disk_loses_nothing(small_disk: Path) -> None:
    with create_project(small_disk / "p", built_in("pbc11")) as project:
        tiny_project(project, smears=1, cells_per_smear=3)
        project.record(ANN.label(CellId(1), "BA"))
        rng = np.random.default_rng(0)
        with pytest.raises(StorageError, match="became full while adding cells"):
            project.add_cells(SmearId(1), tiny_detections(60, rng), _noise(60))
        with pytest.raises(StorageError, match="full"):
            project.put_embeddings("e", [1, 2, 3], np.ones((3, 300_000), np.float32))
        with pytest.raises(StorageError, match="full"):
            project.put_model("m", Weights({"w": np.zeros((1 << 20), np.uint8)}))
        cells = tiny_synthetic(project.taxonomy, "BA", 60)
        with pytest.raises(StorageError, match="full"):
            project.add_synthetic(cells)
        assert not list(project.path.rglob("*.partial"))
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="space"):
            ballast.write_bytes(b"x" * (2 << 20))
        remarks = [ANN.comment(CellId(1), "y" * 9000)] * 200
        with pytest.raises(StorageError, match="full while saving a label"):
            _record_each(project, remarks)
        told = project.journal.last_id
        ballast.unlink()
        project.record(ANN.label(CellId(2), "EO"))
        assert project.journal.last_id == told + 1
    with open_project(small_disk / "p") as project:
        assert project.journal.last_id == told + 1
        assert len(project.journal.labels()) == 2
        assert len(project.cells()) == 3
        assert project.crops([1, 2, 3]).any(axis=(1, 2, 3)).all()
        assert project.synthetic() == ()


def test_creating_on_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="space"):
        ballast.write_bytes(b"x" * (2 << 20))
    with pytest.raises(StorageError, match="full while making it"):
        create_project(small_disk / "p", built_in("pbc11"))
    assert [p.name for p in small_disk.iterdir()] == ["ballast"]


def test_backup_to_a_full_disk_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    with create_project(tmp_path / "p", built_in("pbc11")) as project:
        smear = tiny_project(project, smears=1, cells_per_smear=2)
        assert len(smear) == 2
        found = tiny_detections(60, np.random.default_rng(0))
        project.add_cells(SmearId(1), found, _noise(60))
        with pytest.raises(StorageError, match="full while copying"):
            backup(project.path, small_disk / "copy")
        assert list(small_disk.iterdir()) == []


def test_read_only_disk_is_named(small_disk: Path) -> None:
    with create_project(small_disk / "p", built_in("pbc11")) as project:
        tiny_project(project, smears=1, cells_per_smear=2)
        path = project.path
    _remount(small_disk, "ro")
    try:
        with pytest.raises(StorageError, match=r"cannot be written.*where you may"):
            open_project(path)
        with pytest.raises(StorageError, match="cannot be written"):
            create_project(small_disk / "q", built_in("pbc11"))
    finally:
        _remount(small_disk, "rw")
    with open_project(path) as project:
        assert len(project.cells()) == 2
