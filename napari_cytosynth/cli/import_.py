"""Read labels from VOC, COCO, YOLO or CSV into a project.

Example: cytosynth import smears.cytosynth labels.csv --format csv --map "Seg=NGS"
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, drive, show
from napari_cytosynth.cli.project import Annotator, ProjectPath, author_of, opened
from napari_cytosynth.core.journal import Mode


def run(
    path: ProjectPath,
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="Labels; VOC and YOLO: their folder.")
    ],
    file_format: Annotated[str, typer.Option("--format", help="voc coco yolo csv")],
    mapping: Annotated[
        list[str], typer.Option("--map", help="THEIRS=OURS, for names that differ.")
    ] = [],  # noqa: B006
    annotator: Annotator = "",
    as_json: Json = False,
) -> None:
    """Match objects to cells by overlap; label them."""
    from napari_cytosynth.workflows.exchange import ImportOptions, importing

    pairs = dict(_pair(text) for text in mapping)
    with opened(path) as project:
        options = ImportOptions(author_of(annotator, Mode.IMPORT), pairs)
        report = drive(importing(project, source, file_format, options), "import")
    document = report.to_json()
    show(document, [f"{k}: {v}" for k, v in document.items()], as_json)


def _pair(text: str) -> tuple[str, str]:
    theirs, sign, ours = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"--map takes THEIRS=OURS, not '{text}'.")
    return theirs, ours
