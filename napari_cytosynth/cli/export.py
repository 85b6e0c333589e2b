"""Write labels as VOC, COCO, YOLO or CSV. Real cells only, unless asked otherwise.

Example: cytosynth export smears.cytosynth labels.csv --format csv
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, show
from napari_cytosynth.cli.project import ProjectPath, opened


def run(
    path: ProjectPath,
    target: Annotated[Path, typer.Argument(metavar="FILE")],
    file_format: Annotated[str, typer.Option("--format", help="voc coco yolo csv")],
    include_synthetic: Annotated[
        bool, typer.Option("--include-synthetic", help="Flagged as synthetic.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the current labels."""
    from napari_cytosynth.workflows.exchange import export_labels

    with opened(path, reading=True) as project:
        report = export_labels(
            project, target, file_format, include_synthetic=include_synthetic
        )
    document = report.to_json()
    show(document, [f"{k}: {v}" for k, v in document.items()], as_json)
