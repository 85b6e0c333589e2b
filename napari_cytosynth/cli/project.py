"""Opens a project for a verb, and closes it whatever happens."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cytosynth.core.errors import InputError, StorageError
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.registry import names
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.core.taxonomy import Taxonomy

if TYPE_CHECKING:
    from napari_cytosynth.core.project import Project


def listed(kind: str) -> str:
    """Return the installed plug-ins of a kind for a line of help."""
    return ", ".join(names(kind))


ProjectPath = Annotated[
    Path, typer.Argument(metavar="PROJECT", help="Folder NAME.cytosynth.")
]
Embedder = Annotated[
    str,
    typer.Option(
        "--embedder", help="Which vectors to use: starter, morphology or a plug-in."
    ),
]
BreakLock = Annotated[
    bool,
    typer.Option("--break-lock", help="Take a lock that a dead machine left behind."),
]
Annotator = Annotated[
    str,
    typer.Option("--annotator", help="Who acts; your login name if not given."),
]


def author_of(annotator: str, mode: Mode = Mode.TEACH) -> Author:
    """Return the author of a verb's events.

    Raises
    ------
    InputError
        If nobody was named and this account has no name, as in some containers.
    """
    return Author(annotator or _login_name(), mode)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise InputError(
            "This account has no login name, so nobody could be said to have done "
            "this. Name who acts with --annotator."
        ) from error


@contextmanager
def opened(
    path: Path, *, break_lock: bool = False, reading: bool = False
) -> Iterator[Project]:
    """Open the project at ``path`` and close it at the end of the block.

    With ``reading``, one that cannot be written is opened to read, which is said.
    """
    from napari_cytosynth import store

    project: Project
    try:
        project = store.open_project(path, break_lock=break_lock)
    except StorageError:
        if not reading:
            raise
        project = store.read_project(path)
        sys.stderr.write(f"'{path}' cannot be written: opened to read only.\n")
    try:
        yield project
    finally:
        project.close()


def taxonomy_of(name: str) -> Taxonomy:
    """Return a built-in taxonomy, or read one from a YAML file."""
    if name in BUILT_IN or not name.endswith((".yaml", ".yml")):
        return built_in(name)
    from napari_cytosynth.formats.taxonomy_yaml import read_taxonomy

    return read_taxonomy(Path(name))
