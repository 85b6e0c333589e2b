"""Find cells in pictures, without a project; writes COCO.

Example: cytosynth detect fields/ --out cells.json --objects nucleated
"""

from __future__ import annotations

import logging
from collections import Counter
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Annotated, Any

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
from napari_cytosynth.core.files import demand_place, is_text
from napari_cytosynth.core.smear import PLAUSIBLE_MPP, Trust
from napari_cytosynth.core.tasks import Progress
from napari_cytosynth.workflows.detect_files import Measured

_log = logging.getLogger(__name__)

_WHERE = "Pictures, and folders: every picture below them."

_FEW = 10
"""Pictures up to which the scale of each is printed; of more, only unsure ones."""


class Scales:
    """The pixel size of each picture, in words."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def take(self, progress: Progress) -> None:
        """Take in what was measured, if anything was."""
        if isinstance(progress.payload, Measured):
            calibration = progress.payload.calibration
            row = scale_row(calibration)
            if calibration.told:
                # At once: at a wrong scale the search may take long, and finds nothing.
                _log.warning("%s: %s", progress.payload.file, calibration.words)
            self.rows.append({"file": progress.payload.file, **row})

    def lines(self) -> list[str]:
        """Return a line for each of a few pictures; of many, for the unsure ones."""
        few = len(self.rows) <= _FEW
        told = [r for r in self.rows if few or r["confidence"] == str(Trust.LOW)]
        lines = [f"{row['file']}: {row['words']}" for row in told]
        if not few:
            counts = Counter(row["confidence"] for row in self.rows)
            said = ", ".join(f"{counts[str(t)]} {t}" for t in Trust)
            sizes = [float(row["mpp"]) for row in self.rows]
            lines.append(f"pixel size {median(sizes):.3g} um (median); trust: {said}")
        return lines


class Objects(StrEnum):
    """What to look for."""

    NUCLEATED = "nucleated"
    ALL = "all"


def run(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE|FOLDER...", help=_WHERE)
    ],
    out: Annotated[Path, typer.Option(help="COCO file to write.")],
    objects: Annotated[Objects, typer.Option(help="What to look for.")] = (
        Objects.NUCLEATED
    ),
    mpp: Annotated[
        float | None,
        typer.Option(
            min=PLAUSIBLE_MPP[0],
            max=PLAUSIBLE_MPP[1],
            help="Micrometres a pixel of all pictures; each tells its own if absent.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find cells; pictures without any are listed too.

    Where the scale is unsure it is said, and --mpp corrects it. What cannot be read is
    named, and the rest is written. The exit code is 1 where a
    picture that was itself given cannot be read, or none can.
    """
    from napari_cytosynth.formats.coco import Coco
    from napari_cytosynth.workflows.detect import detect_files

    demand_place(out, is_text)
    unread = Unread()
    scales = Scales()
    task = detect_files(images, objects=objects.value, mpp=mpp, on_damaged=unread)
    records = drive(task, "detect", scales.take)
    Coco().write(records, out)
    document = {
        "out": str(out),
        "images": len(records.images),
        "objects": len(records.objects),
        "scales": scales.rows,
        "errors": unread.rows,
    }
    failed = any(row["file"] in {str(path) for path in images} for row in unread.rows)
    if failed:
        document |= unread.failure()
    found = counted(len(records.objects), "object")
    text = f"{found} in {counted(len(records.images), 'picture')}: {out}"
    if unread.rows:
        text += f"; {counted(len(unread.rows), 'picture')} could not be read"
    show(document, [*scales.lines(), text], as_json)
    if failed:
        raise typer.Exit(FAILED)
