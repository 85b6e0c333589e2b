"""Say what a project holds; back it up.

Example: cytosynth info smears.cytosynth --backup copies/
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli.output import Json, plain, scale_row, show
from napari_cytosynth.cli.project import BreakLock, ProjectPath, opened
from napari_cytosynth.core.errors import ProjectLockedError
from napari_cytosynth.core.project import JobState
from napari_cytosynth.core.provenance import Status

if TYPE_CHECKING:
    from napari_cytosynth.core.project import Project


def run(
    path: ProjectPath,
    backup: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Copy the project, safely: into a folder (FOLDER/ makes one), or "
            "under a new name.",
        ),
    ] = None,
    break_lock: BreakLock = False,
    as_json: Json = False,
) -> None:
    """Count what is there; back it up, even while a window holds it."""
    from napari_cytosynth import store

    copied: dict[str, Any] = {}
    if backup is not None:
        copied = {"backup": str(store.backup(path, _copy_of(path, backup)))}
    try:
        with opened(path, break_lock=break_lock, reading=True) as project:
            document = _describe(project) | copied
    except ProjectLockedError as held:
        if not copied:
            raise
        document = {"project": path.stem, **copied, "locked": str(held)}
    show(document, list(_lines(document)), as_json)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for key, value in document.items():
        if key == "scales":
            yield from (f"{row['uri']}: {row['words']}" for row in value)
        else:
            yield f"{key}: {plain(value)}"


def _copy_of(project: Path, target: str) -> Path:
    """Return where a copy goes; a name that ends in a slash is a folder to come."""
    folder = Path(target)
    if target.endswith(("/", os.sep)) and not folder.exists():
        return folder / project.absolute().name
    return folder


def _synthetic(project: Project) -> dict[str, Any]:
    """Count synthetic cells: those that stand, and how each of all fares."""
    found = {status: len(project.synthetic(status=status)) for status in Status}
    stands = found[Status.ACCEPTED] + found[Status.PROPOSED]
    return {
        "synthetic": stands,
        "synthetic_by_status": {
            "accepted": found[Status.ACCEPTED],
            "waiting": found[Status.PROPOSED],
            "rejected": found[Status.REJECTED],
            "dropped": found[Status.DROPPED],
        },
    }


def _describe(project: Project) -> dict[str, Any]:
    from napari_cytosynth.workflows.progress import stored_stopping
    from napari_cytosynth.workflows.quality import flaw_counts, flaws_by_cell
    from napari_cytosynth.workflows.repeats import agreements

    stopping = stored_stopping(project)
    labels = project.journal.labels()
    counts: dict[str, int] = {}
    for label in labels.values():
        counts[label.code] = counts.get(label.code, 0) + 1
    return {
        "project": project.name,
        "taxonomy": project.taxonomy.name,
        "smears": len(project.smears()),
        "scales": [
            {
                "smear": int(smear.id),
                "uri": smear.uri,
                **scale_row(project.calibration(smear.id)),
            }
            for smear in project.smears()
        ],
        "cells": len(project.cells()),
        "events": len(project.journal.events()),
        "labelled": len(labels),
        "labels": counts,
        "quality": flaw_counts(flaws_by_cell(project)),
        "stopping": "" if stopping is None else stopping.sentence,
        "readers": [str(found) for found in agreements(project.journal)],
        **_synthetic(project),
        "interrupted_jobs": [j.key for j in project.jobs(JobState.RUNNING)],
    }
