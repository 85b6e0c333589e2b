"""Find cells in pictures, without a project; writes COCO.

Example: cytosynth detect fields/ --out cells.json --objects nucleated
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_cytosynth.cli.output import FAILED, Json, Unread, drive, show


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
    """Find cells; pictures without any are listed too.

    What cannot be read is named, and the rest is written. The exit code is 1 where a
    picture that was itself given cannot be read, or none can.
    """
    from napari_cytosynth.formats.coco import Coco
    from napari_cytosynth.workflows.detect import detect_files

    unread = Unread()
    task = detect_files(images, objects=objects.value, on_damaged=unread)
    records = drive(task, "detect")
    Coco().write(records, out)
    document = {
        "out": str(out),
        "images": len(records.images),
        "objects": len(records.objects),
        "errors": unread.rows,
    }
    failed = any(row["file"] in {str(path) for path in images} for row in unread.rows)
    if failed:
        document |= unread.failure()
    text = f"{len(records.objects)} objects in {len(records.images)} pictures: {out}"
    if unread.rows:
        text += f"; {len(unread.rows)} pictures could not be read"
    show(document, [text], as_json)
    if failed:
        raise typer.Exit(FAILED)
