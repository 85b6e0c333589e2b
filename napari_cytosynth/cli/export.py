"""Write labels as VOC, COCO, YOLO or CSV, real cells only unless asked; or generators.

Example: cytosynth export smears.cytosynth labels.csv --format csv

The generators that a project fitted, with a card and hashes, into a folder:
cytosynth export smears.cytosynth generators/ --models
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli.output import Json, show
from napari_cytosynth.cli.project import ProjectPath, opened
from napari_cytosynth.core.errors import InputError

if TYPE_CHECKING:
    from napari_cytosynth.core.project import Project


def run(
    path: ProjectPath,
    target: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="Where to.")],
    file_format: Annotated[
        str, typer.Option("--format", help="voc coco yolo csv; not with --models.")
    ] = "",
    include_synthetic: Annotated[
        bool, typer.Option("--include-synthetic", help="Flagged as synthetic.")
    ] = False,
    pictures: Annotated[
        str, typer.Option(help="png or tiff: pictures of the synthetic cells.")
    ] = "png",
    models: Annotated[
        bool, typer.Option("--models", help="Write the generators into a folder.")
    ] = False,
    include_adapter: Annotated[
        bool,
        typer.Option(
            "--include-adapter", help="Those learned from patients' cells too."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Confirm --include-adapter in a script.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the current labels, or the generators."""
    if models == bool(file_format) or (include_adapter and not models):
        raise typer.BadParameter(
            "Give either --format for labels, or --models, and --include-adapter only "
            "with --models."
        )
    with opened(path, reading=True) as project:
        if models:
            document = _models(project, target, include_adapter, yes)
        else:
            from napari_cytosynth.workflows.exchange import export_labels

            document = export_labels(
                project,
                target,
                file_format,
                include_synthetic=include_synthetic,
                pictures=pictures,
            ).to_json()
    lines = [f"{k}: {v}" for k, v in document.items()]
    if document.get("withheld"):
        lines.append(
            "Withheld: they hold or were learned from cells of this project's patients "
            "and can show or paint them. --include-adapter writes them too, after a "
            "confirmation."
        )
    show(document, lines, as_json)


def _models(
    project: Project, folder: Path, include_adapter: bool, yes: bool
) -> dict[str, Any]:
    from napari_cytosynth.workflows.exporting_models import adapters, export_models

    personal = adapters(project) if include_adapter else ()
    if personal and not yes:
        _confirm(personal)
    report = export_models(project, folder, include_adapter=include_adapter)
    return report.to_json()


def _confirm(personal: tuple[str, ...]) -> None:
    """Ask before what was learned from patients' cells leaves."""
    named = ", ".join(personal)
    if not sys.stdin.isatty():
        raise InputError(
            f"Nothing was written: {named} learned from patients' cells, and nobody is "
            "there to confirm that they may leave. Add --yes if they may."
        )
    question = (
        f"{named} learned from the cells of this project's patients, and can paint "
        "cells that look like theirs. Write them out?"
    )
    if not typer.confirm(question, err=True):
        raise InputError(
            "Nothing was written, as it was not confirmed. Without --include-adapter "
            "the other generators and all cards are written."
        )
