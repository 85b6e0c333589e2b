"""Which journal is safe where."""

import sqlite3
from pathlib import Path

import pytest

from napari_cytosynth.store import database
from napari_cytosynth.store.database import (
    Database,
    is_local,
    journal_settings,
    wal_is_safe,
)


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 6, 23), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_wal_only_where_its_bug_is_mended(version, safe: bool) -> None:
    assert wal_is_safe(version) is safe


@pytest.mark.parametrize(
    ("local", "version", "settings"),
    [
        (True, (3, 51, 3), ("WAL", "FULL")),
        (True, (3, 40, 1), ("DELETE", "EXTRA")),
        (False, (3, 51, 3), ("DELETE", "EXTRA")),
        (False, (3, 40, 1), ("DELETE", "EXTRA")),
    ],
)
def test_settings(monkeypatch, local: bool, version, settings) -> None:
    monkeypatch.setattr(database, "is_local", lambda path: local)
    assert journal_settings(Path("x"), version) == settings


class _Part:
    def __init__(self, mountpoint: str, fstype: str) -> None:
        self.mountpoint, self.fstype, self.opts = mountpoint, fstype, "rw"


def test_network_drives_are_not_local(monkeypatch, tmp_path: Path) -> None:
    place = tmp_path.resolve()
    parts: list[_Part] = []
    monkeypatch.setattr(database.psutil, "disk_partitions", lambda **_: parts)
    assert is_local(place) is False
    for fstype, local in (("ext4", True), ("nfs4", False), ("fuse.sshfs", False)):
        parts[:] = [_Part("/", "apfs"), _Part(str(place), fstype)]
        assert is_local(place / "p") is local


def test_failed_block_changes_nothing(tmp_path: Path) -> None:
    made = Database(tmp_path / "d.sqlite")
    with made.transaction() as connection:
        connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    with (
        pytest.raises(sqlite3.IntegrityError),
        made.transaction() as connection,
    ):
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])
    assert made.read("SELECT count(*) FROM t").fetchone() == (0,)
    made.close()
    assert [p.name for p in tmp_path.iterdir()] == ["d.sqlite"]


def test_connection_is_as_durable_as_promised(tmp_path: Path) -> None:
    made = Database(tmp_path / "d.sqlite")
    mode, synchronous = journal_settings(tmp_path, sqlite3.sqlite_version_info)
    level = {"FULL": 2, "EXTRA": 3}[synchronous]
    assert made.read("PRAGMA journal_mode").fetchone()[0].upper() == mode
    assert made.read("PRAGMA synchronous").fetchone()[0] == level
    assert made.read("PRAGMA foreign_keys").fetchone()[0] == 1
    made.close()
