"""Projects in folders: made, opened, and copied while they are open."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cytosynth.core.errors import (
    ProjectError,
    ProjectNotFoundError,
    StorageError,
)
from napari_cytosynth.core.files import PARTIAL, sync_folder
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.store.complaints import storage_errors
from napari_cytosynth.store.live import LiveProject

if TYPE_CHECKING:
    from napari_cytosynth.store.disk import DiskBackend

SUFFIX = ".cytosynth"
"""Ending of a project's folder."""


class CellProject(LiveProject):
    """A project in a folder. Get one from :func:`create_project` or ``open_project``.

    Parameters
    ----------
    backend : DiskBackend
        The locked, open folder.
    """

    def __init__(self, backend: DiskBackend) -> None:
        self.path = backend.folder
        super().__init__(backend)

    def __enter__(self) -> CellProject:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create_project(path: str | Path, taxonomy: Taxonomy) -> CellProject:
    """Make a project and open it. It appears whole or not at all.

    Parameters
    ----------
    path : path
        Its folder; ``.cytosynth`` is appended where missing.
    taxonomy : Taxonomy
        Its classes, kept for good.

    Raises
    ------
    ProjectError
        If something is already there.
    StorageError
        If the disk refuses.
    """
    from napari_cytosynth.store.disk import DiskBackend, lay_out

    folder = with_suffix(path)
    if folder.exists():
        raise ProjectError(
            f"'{folder}' is already there. A new project needs a new name; open the "
            "old one, or choose another name."
        )
    partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    with storage_errors(folder, "making it"), _named(folder.parent):
        try:
            partial.mkdir(parents=True)
            lay_out(partial, taxonomy)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync_folder(folder.parent)
    return CellProject(DiskBackend(folder))


@contextmanager
def _named(parent: Path) -> Iterator[None]:
    """Say of a folder that is not there, and cannot be made, just that."""
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(
            f"A project cannot be made in '{parent}': that place takes no files. "
            "Choose a folder on a disk."
        ) from error


def read_project(path: str | Path) -> CellProject:
    """Open a project only to read it, where nothing can be written: no lock, no sweep.

    Vectors that are computed are kept in memory; all else that writes raises
    StorageError.

    Parameters
    ----------
    path : path
        Its folder, with or without ``.cytosynth``.

    Raises
    ------
    ProjectNotFoundError
        If there is none.
    ProjectLockedError
        If another process holds it.
    ProjectError
        If it must first be recovered or migrated, which writes.
    """
    from napari_cytosynth.store.reading import ReadingBackend

    return CellProject(ReadingBackend(find_project(path)))


def open_project(path: str | Path, *, break_lock: bool = False) -> CellProject:
    """Open a project, recovering from a crash and migrating from an older schema.

    Parameters
    ----------
    path : path
        Its folder, with or without ``.cytosynth``.
    break_lock : bool
        Take the lock even where another host holds it.

    Raises
    ------
    ProjectNotFoundError
        If there is none.
    ProjectLockedError
        If another process holds it.
    ProjectError
        If it is damaged, or newer than this program.
    StorageError
        If it cannot be written.
    """
    from napari_cytosynth.store.disk import DiskBackend

    return CellProject(DiskBackend(find_project(path), break_lock=break_lock))


def with_suffix(path: str | Path) -> Path:
    """Return the absolute folder of a project of this name."""
    given = Path(path).expanduser().absolute()
    return given if given.suffix == SUFFIX else given.with_name(given.name + SUFFIX)


def find_project(path: str | Path) -> Path:
    """Return the folder of an existing project.

    Raises
    ------
    ProjectNotFoundError
        If there is none.
    """
    given = Path(path).expanduser().absolute()
    for folder in (given, with_suffix(path)):
        if (folder / "project.sqlite").is_file():
            return folder
    raise ProjectNotFoundError(
        f"There is no project at '{given}'. A project is a folder NAME{SUFFIX} that "
        "holds project.sqlite; check the path, or make one with 'cytosynth new'."
    )
