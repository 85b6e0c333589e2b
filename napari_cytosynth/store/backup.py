"""A safe copy of a project, even of one that is open elsewhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from contextlib import closing, suppress
from pathlib import Path

from napari_cytosynth.core.errors import ProjectError
from napari_cytosynth.core.files import PARTIAL, sync_folder
from napari_cytosynth.store.complaints import storage_errors
from napari_cytosynth.store.project import SUFFIX, find_project, with_suffix

_ATTEMPTS = 5
_EMBEDDINGS = "embeddings.zarr"
_PICTURES = ("crops.zarr", "synthetic.zarr")


def backup(path: str | Path, target: str | Path) -> Path:
    """Copy a project; it may be open, in this process or another.

    The database is copied through SQLite, at one moment. Pictures are copied after it:
    whatever it names was on the disk before, and what was added since becomes an orphan
    of the copy, swept when it is opened. Vectors are copied before it: they lie at the
    number of their cell, so one of a later cell would be taken for that of whichever
    cell the copy itself gives that number.

    Parameters
    ----------
    path : path
        The project.
    target : path
        An existing folder, into which to copy; else the copy's own name, to which
        ``.cytosynth`` is appended.

    Returns
    -------
    Path
        The copy.

    Raises
    ------
    ProjectNotFoundError
        If there is no project at ``path``.
    ProjectError
        If the target exists or the project is damaged.
    StorageError
        If the disk refuses; nothing is left of the copy.
    """
    source = find_project(path)
    into = Path(target).is_dir() and Path(target).suffix != SUFFIX
    copy = with_suffix(Path(target) / source.name if into else target)
    if copy.exists():
        raise ProjectError(
            f"'{copy}' is already there. A backup never writes over anything; choose "
            "another name."
        )
    partial = copy.with_name(f"{copy.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    with storage_errors(copy, "copying a project"):
        try:
            partial.mkdir(parents=True)
            _copy_array(source / _EMBEDDINGS, partial / _EMBEDDINGS)
            _copy_truth(source, partial)
            for name in _PICTURES:
                _copy_array(source / name, partial / name)
            partial.rename(copy)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync_folder(copy.parent)
    return copy


def _copy_truth(source: Path, target: Path) -> None:
    """Copy database and weights of one moment; begin again if a model was replaced."""
    for attempt in range(_ATTEMPTS):
        (target / "project.sqlite").unlink(missing_ok=True)
        _copy_database(source / "project.sqlite", target / "project.sqlite")
        try:
            _copy_models(source, target)
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _copy_database(source: Path, target: Path) -> None:
    with (
        closing(_connected(source)) as old,
        closing(sqlite3.connect(target, isolation_level=None)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")
        said = new.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        raise ProjectError(
            f"The database '{source}' is damaged ({said}), so a copy of it would be "
            "too. Keep the older backups."
        )


def _connected(database: Path) -> sqlite3.Connection:
    """Open a database to read it, also where SQLite could not write beside it."""
    if os.access(database.parent, os.W_OK):
        return sqlite3.connect(database, timeout=30)
    # Imported here: it brings Zarr along, which a backup needs nowhere else.
    from napari_cytosynth.store.reading import demand_at_rest

    demand_at_rest(database.parent)
    return sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)


def _copy_models(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(target / "project.sqlite")) as database:
        files = database.execute("SELECT file FROM model").fetchall()
    (target / "models").mkdir(exist_ok=True)
    for (file,) in files:
        for ending in (".safetensors", ".json"):
            name = Path("models") / f"{file}{ending}"
            shutil.copy2(source / name, target / name)


def _copy_array(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        if path.is_file() and path.suffix != PARTIAL:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            # Whoever opens the project meanwhile sweeps what no row names.
            with suppress(FileNotFoundError):
                shutil.copy2(path, place)
