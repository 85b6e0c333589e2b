"""Parts of the canvas that need no window."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_cytosynth._gui.bridge import Bridge
from napari_cytosynth._gui.marks import look_of
from napari_cytosynth._gui.mosaic import COLUMNS, MosaicPlan, paint_mosaic
from napari_cytosynth._gui.resident import (
    RESIDENT_BYTES,
    ResidentLevel,
    read_ahead,
    resident_levels,
)
from napari_cytosynth.app.panels import CellMarks, Mosaic, Tile


class Disk:
    """A level that counts its reads."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape, self.dtype, self.reads = shape, np.dtype(np.uint8), 0

    def __getitem__(self, key: object) -> np.ndarray:
        self.reads += 1
        return np.arange(np.prod(self.shape), dtype=np.uint8).reshape(self.shape)[key]


def test_a_small_smear_becomes_resident(qtbot: QtBot) -> None:
    disk = Disk((8, 9, 3))
    (level,) = resident_levels([disk])
    qtbot.waitUntil(lambda: level.is_resident)
    reads = disk.reads
    np.testing.assert_array_equal(level[2:4, 1:5], disk[2:4, 1:5])
    assert disk.reads == reads + 1, "the canvas read from the disk"


def test_a_large_smear_stays_lazy() -> None:
    disk = Disk((4, 4, 3))
    disk.shape = (RESIDENT_BYTES, 1, 3)
    (level,) = resident_levels([disk])
    assert not level.is_resident
    assert disk.reads == 0


def test_squares_of_a_large_level_are_read_once_and_ahead(qtbot: QtBot) -> None:
    disk = Disk((1300, 1700, 3))
    level, whole = ResidentLevel(disk), disk[:]
    part = level[500:1290, 30:1100]
    np.testing.assert_array_equal(part, whole[500:1290, 30:1100])
    reads = disk.reads
    np.testing.assert_array_equal(level[600:900, 40:500, :], whole[600:900, 40:500])
    assert disk.reads == reads
    read_ahead(level, (900, 9000, 1300, 9000))
    qtbot.waitUntil(lambda: disk.reads > reads)
    qtbot.waitUntil(lambda: not _reading())
    reads = disk.reads
    np.testing.assert_array_equal(level[1200:1300, 1600:1700], whole[1200:, 1600:])
    assert disk.reads == reads, "the window read what was read ahead"
    assert level[5, 7].tolist() == whole[5, 7].tolist()
    np.testing.assert_array_equal(level[::2, :10], whole[::2, :10])
    read_ahead(level, (-50, -10, 0, 10))


def _reading() -> bool:
    return any(t.name == "cytosynth-ahead" for t in threading.enumerate())


def test_a_failed_read_leaves_the_level_lazy() -> None:
    class Broken(Disk):
        def __getitem__(self, key: object) -> np.ndarray:
            raise OSError("gone")

    level = ResidentLevel(Broken((4, 4, 3)))
    with pytest.raises(OSError, match="gone"):
        level.read_whole()
    assert not level.is_resident


def marks(classes: list[int]) -> CellMarks:
    n = len(classes)
    return CellMarks(
        ids=np.arange(n),
        centres=np.arange(2 * n, dtype=np.float32).reshape(n, 2),
        sizes=np.full(n, 40, np.float32),
        classes=np.array(classes, np.int16),
        codes=("A", "B"),
        colours=("#ff0000", "#00ff00"),
        symbols=("star", "no such symbol"),
    )


def test_a_label_changes_colours_and_no_place() -> None:
    before, after = (
        look_of(marks([-1, 0]), Bridge(0.5)),
        look_of(marks([1, 0]), Bridge(0.5)),
    )
    np.testing.assert_array_equal(before["data"], after["data"])
    np.testing.assert_array_equal(before["size"], after["size"])
    assert before["face_color"][2, 3] == 0
    assert after["face_color"][2].tolist() == [0, 1, 0, 1]
    assert list(after["symbol"]) == ["disc", "disc", "disc", "star"]


@pytest.mark.parametrize("tiles", [1, COLUMNS, COLUMNS + 1, 40])
def test_tiles_are_found_where_they_are_drawn(tiles: int) -> None:
    plan = MosaicPlan(tiles)
    assert [plan.tile_at(*plan.centre(i)) for i in range(tiles)] == list(range(tiles))
    assert plan.tile_at(0, 0) is None
    assert plan.tile_at(*plan.centre(tiles)) is None


def test_a_mosaic_is_framed_in_violet(qtbot: QtBot) -> None:
    tile = Tile(1, np.full((96, 96, 3), 255, np.uint8), "proposed")
    panel = paint_mosaic(Mosaic("BA", "#fff", "Synthetic: Basophil", (tile,)))
    height, width = panel.shape[:2]
    assert (width, height) == MosaicPlan(1).size
    edge = panel[4, :, :3].astype(int)
    violet = (edge[:, 2] > 150) & (edge[:, 1] < 150)
    assert 0.3 < violet.mean() < 0.9, "the frame is dashed"
