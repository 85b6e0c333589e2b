"""Find cells in pictures, without a project; writes COCO.

Example: cytosynth detect fields/ --out cells.json --objects nucleated
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, drive, show


class Objects(StrEnum):
    """What to look for."""

    NUCLEATED = "nucleated"
    ALL = "all"


def run(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE|FOLDER...")],
    out: Annotated[Path, typer.Option(help="COCO file to write.")],
    objects: Annotated[Objects, typer.Option(help="What to look for.")] = (
        Objects.NUCLEATED
    ),
    as_json: Json = False,
) -> None:
    """Find cells; pictures without any are listed too."""
    from napari_cytosynth.formats.coco import Coco
    from napari_cytosynth.workflows.detect import detect_files

    records = drive(detect_files(images, objects=objects.value), "detect")
    Coco().write(records, out)
    document = {
        "out": str(out),
        "images": len(records.images),
        "objects": len(records.objects),
    }
    text = f"{len(records.objects)} objects in {len(records.images)} pictures: {out}"
    show(document, [text], as_json)
