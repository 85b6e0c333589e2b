"""Label a cell, pass it over, remark on it, strike it out; or undo and redo your own.

Example: cytosynth label smears.cytosynth 17 EOS --annotator "Dr Novak"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli.output import Json, show
from napari_cytosynth.cli.project import Annotator, ProjectPath, author_of, opened
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Event
from napari_cytosynth.core.rereading import Fault
from napari_cytosynth.workflows.audit import stamped_by_number

if TYPE_CHECKING:
    from napari_cytosynth.core.project import Project


def run(
    path: ProjectPath,
    cell: Annotated[int | None, typer.Argument(help="Number of the cell.")] = None,
    code: Annotated[str | None, typer.Argument(help="Class code or name.")] = None,
    annotator: Annotator = "",
    skip: Annotated[bool, typer.Option("--skip", help="Pass it over for now.")] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Strike it out: it is no cell.")
    ] = False,
    box_wrong: Annotated[
        bool, typer.Option("--box-wrong", help="Its box waits to be drawn anew.")
    ] = False,
    two_cells: Annotated[
        bool, typer.Option("--two-cells", help="It waits to be split.")
    ] = False,
    comment: Annotated[str, typer.Option(help="Remark on the cell.")] = "",
    second_opinion: Annotated[
        bool, typer.Option("--second-opinion", help="Ask another reader to look.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take the annotator's last event back.")
    ] = False,
    redo: Annotated[
        bool,
        typer.Option("--redo", help="Bring the annotator's last undone event back."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Record what was given, in one step; it is on the disk when this returns."""
    asked: dict[str, Callable[[Author, CellId], Event]] = {
        "skip": Author.skip,
        "box wrong": lambda author, number: author.skip(number, Fault.BOX),
        "two cells": lambda author, number: author.skip(number, Fault.TWO),
        "remove": Author.removed,
        "second opinion": Author.second_opinion,
        "comment": lambda author, number: author.comment(number, comment),
    }
    remark = bool(comment.strip())
    given = (skip, box_wrong, two_cells, remove, second_opinion, remark)
    acts = [act for act, wanted in zip(asked.values(), given, strict=True) if wanted]
    _demand_sense(cell, code, acts, step=undo + redo)
    with opened(path) as project:
        author = author_of(annotator)
        if undo or redo:
            events = _step_back_or_forth(project, author, undo=undo)
        else:
            events = _on_cell(project, author, CellId(cell or 0), code, acts)
        recorded = project.record(*events)
        documents = [_describe(project, event) for event in recorded]
    lines = [
        f"Recorded event {document['event']}: "
        + " ".join(str(document[k]) for k in ("kind", "cell", "code") if document[k])
        for document in documents
    ]
    if undo or redo:
        lines[-1] += f" (steps go through what {documents[-1]['annotator']} did)"
    show({**documents[-1], "events": documents}, lines, as_json)


def _demand_sense(
    cell: int | None, code: str | None, acts: Sequence[object], *, step: int
) -> None:
    """Raise unless either one step back or forth is asked for, or things on a cell."""
    on_cell = cell is not None and (code is not None or bool(acts))
    if step > 1 or (step and (cell is not None or acts)) or not (step or on_cell):
        raise typer.BadParameter(
            "Give a cell with a class, --skip, --box-wrong, --two-cells, --remove, "
            "--comment or --second-opinion; or --undo or --redo alone."
        )


def _on_cell(
    project: Project,
    author: Author,
    cell: CellId,
    code: str | None,
    acts: Sequence[Callable[[Author, CellId], Event]],
) -> list[Event]:
    project.cells().row(cell)
    author = stamped_by_number(project.journal, author, cell)
    events = [act(author, cell) for act in acts]
    if code is not None:
        events.append(author.label(cell, project.taxonomy.find(code).code))
    return events


def _step_back_or_forth(project: Project, author: Author, *, undo: bool) -> list[Event]:
    journal, who = project.journal, author.annotator
    targets = journal.undo_step(who) if undo else journal.redo_step(who)
    if not targets:
        what = "undo" if undo else "redo"
        raise InputError(
            f"There is nothing to {what} for '{who}'. Undo and redo go by annotator; "
            "name another with --annotator."
        )
    return [author.undo(t.id) if undo else author.redo(t.id) for t in targets]


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
