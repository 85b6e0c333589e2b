"""Add smears to a project and find their cells.

Example: cytosynth add smears.cytosynth slide1.tif slide2.ome.zarr --group "patient 7"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli.output import (
    FAILED,
    Json,
    Unread,
    counted,
    drive,
    scale_row,
    show,
)
from napari_cytosynth.cli.project import Annotator, ProjectPath, author_of, opened
from napari_cytosynth.core.errors import InputError, StorageError
from napari_cytosynth.core.smear import PLAUSIBLE_MPP

if TYPE_CHECKING:
    from napari_cytosynth.core.ids import SmearId
    from napari_cytosynth.core.project import Project
    from napari_cytosynth.core.smear import Smear

_WHERE = "Pictures, and folders: every picture below them is a smear."


def run(
    path: ProjectPath,
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE|FOLDER...", help=_WHERE)
    ],
    group: Annotated[
        str | None, typer.Option(help="Patient or slide; the picture itself if absent.")
    ] = None,
    mpp: Annotated[
        float | None,
        typer.Option(
            min=PLAUSIBLE_MPP[0], max=PLAUSIBLE_MPP[1], help="Micrometres a pixel."
        ),
    ] = None,
    find: Annotated[bool, typer.Option(help="Find the cells at once.")] = True,
    anew: Annotated[
        bool,
        typer.Option(
            "--anew", help="Look anew; cells that nobody touched go first. Undoable."
        ),
    ] = False,
    annotator: Annotator = "",
    as_json: Json = False,
) -> None:
    """Add each picture; find its cells.

    Of one that is there already, --mpp corrects the scale: its pictures are cut anew.
    What cannot be read is named, and the others are added; the exit code is 1 where
    it was itself given.
    """
    from napari_cytosynth.workflows.detect import add_smear, find_cells
    from napari_cytosynth.workflows.rescale import cut_anew
    from napari_cytosynth.workflows.searches import find_anew

    author = author_of(annotator)
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    unread = Unread()
    with opened(path) as project:
        for uri in _files(images):
            before = {smear.id: smear.uri for smear in project.smears()}
            try:
                with _told_what_stays(project):
                    smear = add_smear(project, uri, group=group, mpp=mpp, author=author)
                    if anew:
                        find_anew(project, smear.id, author)
                    if find:
                        drive(find_cells(project, smear.id), smear.uri)
                    drive(cut_anew(project, smear.id), smear.uri)
            except InputError as error:
                unread(uri, error)
                continue
            rows.append(row := _row(project, smear, known=smear.id in before))
            said = _history(smear, before, uri)
            lines.append(
                f"{smear.uri}: {said}{counted(row['cells'], 'cell')}; {row['words']}"
            )
    _tell(images, rows, lines, unread, as_json=as_json)


def _tell(
    images: list[str],
    rows: list[dict[str, Any]],
    lines: list[str],
    unread: Unread,
    *,
    as_json: bool,
) -> None:
    """Show what was added, and fail where a picture that was itself given was not."""
    document: dict[str, Any] = {"smears": rows, "errors": unread.rows}
    given = any(row["file"] in images for row in unread.rows)
    failed = given or (bool(unread.rows) and not rows)
    if failed:
        document |= unread.failure()
    show(document, lines, as_json)
    if failed:
        raise typer.Exit(FAILED)


def _files(given: list[str]) -> list[str]:
    """Return what was given; of folders, the pictures below them."""
    from napari_cytosynth.ingest.opening import find_pictures

    files: list[str] = []
    for uri in given:
        is_folder = "://" not in uri and Path(uri).is_dir()
        files += map(str, find_pictures(Path(uri))) if is_folder else [uri]
    return files


def _row(project: Project, smear: Smear, *, known: bool) -> dict[str, Any]:
    row = {"smear": int(smear.id), "uri": smear.uri, "cells": _cells(project, smear)}
    return row | {"known": known} | scale_row(project.calibration(smear.id))


def _history(smear: Smear, before: Mapping[SmearId, str], given: str) -> str:
    """Say what the project knew of a picture: nothing, its file, or its content."""
    known = before.get(smear.id)
    if known is None:
        return ""
    if known != smear.uri:
        return f"smear {smear.id}, moved here from {known}; "
    if Path(given).absolute() != Path(known):
        return f"smear {smear.id} is the same picture as {given}; "
    return f"smear {smear.id} already; "


@contextmanager
def _told_what_stays(project: Project) -> Iterator[None]:
    """Say what the project holds where the disk refuses midway: no step is undone."""
    try:
        yield
    except StorageError as error:
        raise StorageError(
            f"{error} The project holds {len(project.smears())} smears and "
            f"{len(project.cells())} cells; the same command goes on from there."
        ) from error


def _cells(project: Project, smear: Smear) -> int:
    return int((project.cells().smears == smear.id).sum())
