"""Boxes, tables, errors, the registry and durable files."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cytosynth.core import errors, files
from napari_cytosynth.core.cells import CellTable, Detections
from napari_cytosynth.core.errors import InputError, RegistryError
from napari_cytosynth.core.geometry import Box, box_iou
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.registry import GROUPS, load, names
from napari_cytosynth.core.smear import Calibration, MppSource
from napari_cytosynth.testing.tiny import tiny_calibration, tiny_detections

_coordinate = st.floats(-1000, 1000, width=32)
_side = st.just(0.0) | st.floats(0.5, 500, width=32)
_box = st.tuples(_coordinate, _coordinate, _side, _side)


def test_overlap_by_hand() -> None:
    first = np.array([[0, 0, 10, 10]])
    second = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(box_iou(first, second), [[1, 1 / 3, 0, 0]])
    assert box_iou(np.zeros((0, 4)), second).shape == (0, 4)


@given(first=_box, second=_box)
def test_overlap_is_fair(first, second) -> None:
    a, b = np.array([first], float), np.array([second], float)
    iou = box_iou(a, b)[0, 0]
    assert 0 <= iou <= 1 + 1e-12
    assert iou == box_iou(b, a)[0, 0]
    shift = np.array([[7, -3, 0, 0]])
    moved = box_iou(a + shift, b + shift)[0, 0]
    assert moved == pytest.approx(iou, abs=1e-6)


def test_box() -> None:
    box = Box(1, 2, 10, 20)
    assert box.centre == (6, 12)
    assert box.moved(1, -1) == Box(2, 1, 10, 20)


def test_table_finds_cells() -> None:
    found = tiny_detections(3, np.random.default_rng(0))
    table = CellTable(
        np.array([2, 5, 9]),
        np.array([1, 1, 2]),
        found.boxes,
        found.scores,
        found.edges,
    )
    assert 5 in table
    assert 4 not in table
    assert 10 not in table
    assert table.row(CellId(9)) == 2
    assert table.rows([9, 2]).tolist() == [2, 0]
    assert table.smear_of(CellId(9)) == 2
    assert table.box(CellId(2)).x == found.boxes[0, 0]
    for cell in (1, 4, 10):
        with pytest.raises(InputError, match=f"Cell {cell} is not"):
            table.row(CellId(cell))
    assert len(CellTable.empty()) == 0
    assert 1 not in CellTable.empty()


def test_detections_are_taken_and_joined() -> None:
    found = tiny_detections(4, np.random.default_rng(0))
    some = found.take(np.array([True, False, True, False]))
    assert len(some) == 2
    np.testing.assert_array_equal(some.outlines[1], found.outlines[2])
    joined = Detections.concatenate([some, found.take(np.array([3]))])
    np.testing.assert_array_equal(joined.boxes, found.boxes[[0, 2, 3]])
    assert len(Detections.concatenate([])) == 0
    with pytest.raises(InputError, match="different length"):
        Detections(
            found.boxes, found.scores[:2], found.edges, found.outlines, found.kinds
        )


def test_calibration_round_trip() -> None:
    calibration = tiny_calibration()
    assert Calibration.from_json(calibration.to_json()) == calibration


def test_hash_of_weights_sees_everything() -> None:
    base = Weights({"a": np.zeros(4, np.float32)})
    others = (
        Weights({"a": np.zeros(4, np.float64)}),
        Weights({"a": np.zeros((2, 2), np.float32)}),
        Weights({"b": np.zeros(4, np.float32)}),
        Weights({"a": np.ones(4, np.float32)}),
        Weights({}),
    )
    hashes = {w.sha256 for w in (base, *others)}
    assert len(hashes) == 6
    assert base.sha256 == Weights({"a": np.zeros(4, np.float32)}, {"x": 1}).sha256


def test_errors_are_also_what_python_calls_them() -> None:
    for name, parent in (
        ("InputError", ValueError),
        ("UnknownClassError", KeyError),
        ("ProjectNotFoundError", FileNotFoundError),
        ("ProjectLockedError", BlockingIOError),
        ("StorageError", OSError),
        ("WorkerRefusedError", PermissionError),
        ("RegistryError", LookupError),
    ):
        error = getattr(errors, name)("said plainly")
        assert isinstance(error, (parent, errors.CytoSynthError))
        assert isinstance(error, parent)
        assert str(error) == "said plainly"
    assert str(errors.InputError()) == "InputError"


def test_registry() -> None:
    assert "classic" in names("detectors")
    assert load("formats", "csv")().key == "csv"
    with pytest.raises(RegistryError, match=r"'nope' among the formats.*csv"):
        load("formats", "nope")
    with pytest.raises(RegistryError, match="kind of plug-in"):
        names("nope")
    assert all(names(kind) == tuple(sorted(names(kind))) for kind in GROUPS)


def test_file_is_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "f"
    files.write_durably(path, b"old")

    def fail(handle: int) -> None:
        raise OSError(28, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="full"):
            files.write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["f"]
    files.write_durably(path, b"new")
    assert path.read_bytes() == b"new"


def test_bytes_are_synced_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spy_sync(handle: int) -> None:
        done.append("sync")
        fsync(handle)

    def spy_replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spy_sync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    files.write_durably(tmp_path / "f", b"x")
    assert done == ["sync", "rename", "sync"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (MppSource.RED_CELLS, "from 1 red cell,"),
        (MppSource.NUCLEI, "no whole red cell: from 1 nucleus,"),
    ],
)
def test_one_cell_that_tells_is_not_many(source: MppSource, words: str) -> None:
    stains = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert (
        words in Calibration(0.2, source, (255.0, 255.0, 255.0), stains, seen=1).words
    )
