"""Label a cell, or undo and redo.

Example: cytosynth label smears.cytosynth 17 EOS --annotator "Dr Novak"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli.output import Json, show
from napari_cytosynth.cli.project import Annotator, ProjectPath, author_of, opened
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Event
from napari_cytosynth.workflows.audit import stamped_by_number

if TYPE_CHECKING:
    from napari_cytosynth.core.project import Project


def run(
    path: ProjectPath,
    cell: Annotated[int | None, typer.Argument(help="Number of the cell.")] = None,
    code: Annotated[str | None, typer.Argument(help="Class code or name.")] = None,
    annotator: Annotator = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the last back.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Bring it back.")] = False,
    as_json: Json = False,
) -> None:
    """Record one event; it is on the disk when this returns."""
    with opened(path) as project:
        author = author_of(annotator)
        if undo or redo:
            event = _step_back_or_forth(project, author, undo=undo)
        else:
            event = _label(project, author, cell, code)
        (recorded,) = project.record(event)
        document = _describe(project, recorded)
    what = " ".join(str(document[k]) for k in ("kind", "cell", "code") if document[k])
    show(document, [f"Recorded event {document['event']}: {what}"], as_json)


def _label(
    project: Project, author: Author, cell: int | None, code: str | None
) -> Event:
    if cell is None or code is None:
        raise typer.BadParameter("Give a cell and a class, or --undo or --redo.")
    number = CellId(cell)
    project.cells().row(number)
    author = stamped_by_number(project.journal, author, number)
    return author.label(number, project.taxonomy.find(code).code)


def _step_back_or_forth(project: Project, author: Author, *, undo: bool) -> Event:
    journal, who = project.journal, author.annotator
    target = journal.undo_target(who) if undo else journal.redo_target(who)
    if target is None:
        what = "undo" if undo else "redo"
        raise InputError(
            f"There is nothing to {what} for '{who}'. Undo and redo go by annotator; "
            "name another with --annotator."
        )
    return author.undo(target.id) if undo else author.redo(target.id)


def _describe(project: Project, event: Event) -> dict[str, Any]:
    cell = event.cell
    label = project.journal.label(CellId(cell)) if cell is not None else None
    return {
        "event": int(event.id),
        "kind": str(event.kind),
        "cell": cell,
        "code": label.code if label is not None else None,
        "annotator": event.annotator,
    }
