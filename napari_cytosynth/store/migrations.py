"""Old projects become new ones: copied, changed, checked, swapped.

The old database stays beside the new one as ``project.schema-N.sqlite``. A crash at any
point leaves either the old or the new project, whole.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from napari_cytosynth.core.errors import ProjectError
from napari_cytosynth.core.files import PARTIAL, sync_file, sync_folder
from napari_cytosynth.store.schema import CUT_TABLE, JOB_TABLE, SCHEMA_VERSION

_log = logging.getLogger(__name__)


def add_job_table(connection: sqlite3.Connection) -> None:
    """1 to 2: jobs, so that interrupted work resumes."""
    connection.execute(JOB_TABLE)


def add_scale_of_crops(connection: sqlite3.Connection) -> None:
    """2 to 3: the pixel size by which each crop was cut: its smear's, until now."""
    connection.execute("ALTER TABLE cell ADD COLUMN mpp REAL")
    connection.execute("ALTER TABLE cell ADD COLUMN under INTEGER NOT NULL DEFAULT 0")
    found = connection.execute(
        "SELECT id, calibration FROM smear WHERE calibration IS NOT NULL"
    ).fetchall()
    connection.executemany(
        "UPDATE cell SET mpp = ? WHERE smear = ?",
        [(json.loads(text)["mpp"], number) for number, text in found],
    )
    connection.execute(CUT_TABLE)


STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {
    1: add_job_table,
    2: add_scale_of_crops,
}
"""The step that leaves each schema version, by the version it starts from."""


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the schema version of a database.

    Raises
    ------
    ProjectError
        If it is no project's.
    """
    try:
        row = connection.execute(
            "SELECT value FROM meta WHERE key = 'schema_version'"
        ).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        row = None
    if row is None:
        raise ProjectError(
            "project.sqlite holds no CytoSynth project. Choose a folder made by "
            "'cytosynth new', or restore it from a backup."
        )
    return int(row[0])


def migrate(database: Path) -> None:
    """Bring a project's database to the present schema.

    Parameters
    ----------
    database : Path
        ``project.sqlite``; nobody else may hold it.

    Raises
    ------
    ProjectError
        If the project is newer than this program, or damaged.
    sqlite3.OperationalError
        If somebody has it open, such as a backup.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as old:
        version = schema_version(old)
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION or version not in STEPS:
            raise ProjectError(
                f"Project '{database.parent}' has schema {version}; this program knows "
                f"schemas up to {SCHEMA_VERSION}. It was left as it is; install a "
                "newer napari-cytosynth to open it."
            )
        # A log that outlived the swap, because a backup reads this moment, would be
        # played into the new database. SQLite refuses here while anybody has it open.
        old.execute("PRAGMA journal_mode=DELETE")
        changed = database.with_name(f"{database.name}.migrating{PARTIAL}")
        changed.unlink(missing_ok=True)
        with closing(sqlite3.connect(changed, isolation_level=None)) as new:
            old.backup(new)
            _upgrade(new, version, database)
    _swap(database, changed, version)
    _log.info("%s: schema %d became %d", database.parent, version, SCHEMA_VERSION)


def _upgrade(connection: sqlite3.Connection, version: int, database: Path) -> None:
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("BEGIN")
    for start in range(version, SCHEMA_VERSION):
        STEPS[start](connection)
    connection.execute(
        "UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),)
    )
    connection.execute("COMMIT")
    said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        raise ProjectError(
            f"Project '{database.parent}' is damaged ({said}) and was not brought to "
            f"schema {SCHEMA_VERSION}. It was left as it is; restore it from a backup."
        )


def _swap(database: Path, changed: Path, version: int) -> None:
    sync_file(changed)
    kept = database.with_name(f"{database.stem}.schema-{version}.sqlite")
    if not kept.exists():
        kept_partial = kept.with_name(f"{kept.name}{PARTIAL}")
        kept_partial.write_bytes(database.read_bytes())
        sync_file(kept_partial)
        kept_partial.replace(kept)
    os.replace(changed, database)
    sync_folder(database.parent)
