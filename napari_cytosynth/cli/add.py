"""Add smears to a project and find their cells.

Example: cytosynth add smears.cytosynth slide1.tif slide2.ome.zarr --group "patient 7"
"""

from __future__ import annotations

from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, drive, show
from napari_cytosynth.cli.project import ProjectPath, opened


def run(
    path: ProjectPath,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...")],
    group: Annotated[
        str | None, typer.Option(help="Patient or slide; the picture itself if absent.")
    ] = None,
    mpp: Annotated[
        float | None, typer.Option(min=0.01, max=10, help="Micrometres a pixel.")
    ] = None,
    find: Annotated[bool, typer.Option(help="Find the cells at once.")] = True,
    as_json: Json = False,
) -> None:
    """Add each picture; find its cells."""
    from napari_cytosynth.workflows.detect import add_smear, find_cells

    rows = []
    with opened(path) as project:
        for uri in images:
            smear = add_smear(project, uri, group=group, mpp=mpp)
            if find:
                drive(find_cells(project, smear.id), smear.uri)
            count = int((project.cells().smears == smear.id).sum())
            rows.append({"smear": int(smear.id), "uri": smear.uri, "cells": count})
    lines = [f"{row['uri']}: {row['cells']} cells" for row in rows]
    show({"smears": rows}, lines, as_json)
