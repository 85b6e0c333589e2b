"""What the disk and SQLite say, in words that teach."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_cytosynth.core.errors import (
    CytoSynthError,
    ProjectError,
    ProjectLockedError,
    StorageError,
)
from napari_cytosynth.core.files import FORBIDDEN, FULL


@contextmanager
def storage_errors(project: Path, doing: str) -> Iterator[None]:
    """Turn what the disk or SQLite says into an error that teaches.

    Parameters
    ----------
    project : Path
        The project's folder, named in the message.
    doing : str
        What was being done, such as ``"saving a label"``.

    Raises
    ------
    StorageError
        If the disk is full, read-only or failing.
    ProjectLockedError
        If another program holds the database.
    ProjectError
        If the database is damaged.
    """
    try:
        yield
    except CytoSynthError:
        raise
    except sqlite3.Error as error:
        raise _from_sqlite(error, project, doing) from error
    except OSError as error:
        raise _from_system(error, project, doing) from error


@contextmanager
def row_errors(project: Path | str, table: str) -> Iterator[None]:
    """Turn a row that makes no sense into an error that teaches.

    Parameters
    ----------
    project : Path or str
        The project's folder or name, named in the message.
    table : str
        Where the row is, such as ``"journal"``.

    Raises
    ------
    ProjectError
        If a row lacks what each has, or holds what none may.
    """
    try:
        yield
    except CytoSynthError:
        raise
    except (LookupError, ValueError, TypeError) as error:
        raise ProjectError(
            f"The {table} of '{project}' is damaged: it holds a row that this program "
            f"never writes ({type(error).__name__}: {error}). It was left as it is; "
            "restore the folder from a backup."
        ) from error


def _from_sqlite(error: sqlite3.Error, project: Path, doing: str) -> ProjectError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL"):
        return _full(project, doing)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return _forbidden(project, doing, str(error))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ProjectLockedError(
            f"Another program holds the database of '{project}' while {doing}. Close "
            "it there, then try again."
        )
    if name.startswith("SQLITE_IOERR"):
        return _failing(project, doing, str(error))
    if isinstance(error, sqlite3.IntegrityError):
        return ProjectError(
            f"'{project}' refused {doing}: {error}. The project on the disk no longer "
            "agrees with the one in memory; close it and open it again."
        )
    return ProjectError(
        f"The database of '{project}' is damaged ({error}), found while {doing}. "
        "Restore the folder from a backup, or ask for help before changing anything."
    )


def _from_system(error: OSError, project: Path, doing: str) -> StorageError:
    if error.errno in FULL:
        return _full(project, doing)
    if error.errno in FORBIDDEN:
        return _forbidden(project, doing, error.strerror or str(error))
    return _failing(project, doing, error.strerror or str(error))


def _full(project: Path, doing: str) -> StorageError:
    return StorageError(
        f"The disk that holds '{project}' became full while {doing}. What was "
        "acknowledged before is safe; this last step was not kept. Free some space and "
        "do it again."
    )


def _forbidden(project: Path, doing: str, why: str) -> StorageError:
    return StorageError(
        f"'{project}' cannot be written while {doing} ({why}). A project needs a "
        "folder where you may write; copy it to one, or change its permissions."
    )


def _failing(project: Path, doing: str, why: str) -> StorageError:
    return StorageError(
        f"The disk that holds '{project}' failed while {doing} ({why}). Nothing of "
        "this step was kept. Check the disk or network drive, then do it again."
    )
