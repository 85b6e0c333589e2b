"""The SQLite connection: durable settings, one transaction at a time."""

from __future__ import annotations

import logging
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

_log = logging.getLogger(__name__)

_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "fuse", "webdav", "remote", "lustre")

Version = tuple[int, int, int]
T = TypeVar("T")


def wal_is_safe(version: Version) -> bool:
    """Tell whether this SQLite is free of the WAL-reset bug.

    Versions 3.7.0 to 3.51.2 can lose commits or corrupt a database when two
    connections write or checkpoint at once (https://sqlite.org/wal.html#walresetbug);
    it was fixed in 3.51.3 and carried back to 3.50.7 and 3.44.6.
    """
    major, minor, patch = version
    backports = {50: 7, 44: 6}
    if (major, minor) in {(3, m) for m in backports}:
        return patch >= backports[minor]
    return version >= (3, 51, 3)


def is_local(path: Path) -> bool:
    """Tell whether a path lies on a disk of this machine; False where unknown."""
    where = path.resolve()
    best, kind = "", ""
    for part in psutil.disk_partitions(all=True):
        mount = part.mountpoint
        if where.is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, f"{part.fstype} {part.opts}".lower()
    if sys.platform == "win32":
        return bool(best) and "remote" not in kind
    return bool(best) and not kind.startswith(_NETWORK)


def journal_settings(path: Path, version: Version) -> tuple[str, str]:
    """Return ``(journal_mode, synchronous)`` for a database at ``path``.

    Both survive a loss of power. ``PERSIST`` and ``TRUNCATE`` were measured beside
    ``DELETE`` and were not reliably faster.
    """
    if wal_is_safe(version) and is_local(path):
        return "WAL", "FULL"
    return "DELETE", "EXTRA"


class Database:
    """One connection, used by one thread at a time; the live project sees to that.

    Parameters
    ----------
    path : Path
        The database file, which exists or is made.
    read_only : bool
        Nothing is written, not even beside it: for a disk where nobody may.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        if read_only:
            # "immutable": SQLite then takes no locks, for which it would need to write.
            self._connection = sqlite3.connect(
                f"{path.as_uri()}?immutable=1",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            return
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=5.0
        )
        try:
            mode, synchronous = journal_settings(
                path.parent, sqlite3.sqlite_version_info
            )
            self._connection.execute(f"PRAGMA journal_mode={mode}")
            self._connection.execute(f"PRAGMA synchronous={synchronous}")
            self._connection.execute("PRAGMA foreign_keys=ON")
        except sqlite3.Error:
            self._connection.close()
            raise
        _log.debug("%s: journal %s, synchronous %s", path, mode, synchronous)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit at the end of the block, or roll back if it or the commit fails."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may have made SQLite roll back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def read(self, sql: str, *values: object) -> sqlite3.Cursor:
        """Run a query outside any transaction."""
        return self._connection.execute(sql, values)

    def inquire(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a question to the connection itself answers."""
        return question(self._connection)

    def sound(self) -> bool:
        """Tell whether SQLite finds its own file whole."""
        return str(self.read("PRAGMA quick_check").fetchone()[0]) == "ok"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
