"""Say how good the model is, what more labels would bring, and which ones it doubts.

Example: cytosynth progress smears.cytosynth --json
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from napari_cytosynth.cli.output import Json, Seed, drive, show, table
from napari_cytosynth.cli.project import Annotator, Embedder, ProjectPath, opened
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER

if TYPE_CHECKING:
    from napari_cytosynth.core.project import Project
    from napari_cytosynth.learning.curve import LearningCurve
    from napari_cytosynth.learning.doubts import Doubts
    from napari_cytosynth.learning.outlook import Stopping
    from napari_cytosynth.metrics.intervals import Interval
    from napari_cytosynth.workflows.repeats import Agreement


def run(
    path: ProjectPath,
    doubted: Annotated[
        bool,
        typer.Option(
            "--doubted",
            help="List the labels that the model doubts, and nothing else; 'label' "
            "with the same class keeps one, with another changes it.",
        ),
    ] = False,
    embedder: Embedder = DEFAULT_EMBEDDER,
    seed: Seed = 0,
    annotator: Annotator = "",
    as_json: Json = False,
) -> None:
    """Fit heads on parts of the labels, and try them on audit cells and other groups.

    Synthetic cells do not take part. What is found is kept in the project.
    """
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.doubts import doubted_labels
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.progress import (
        measure_curve,
        measure_stopping,
        pace_of,
    )
    from napari_cytosynth.workflows.repeats import agreements
    from napari_cytosynth.workflows.summary import audit_accuracy
    from napari_cytosynth.workflows.train import stored_head

    with opened(path) as project:
        key = drive(embed_cells(project, InlineCompute(), embedder=embedder), "embed")
        doubts = drive(doubted_labels(project, key, seed=seed), "doubt")
        document = _doubts(project, doubts)
        lines = [*_doubt_lines(document, doubts)]
        if not doubted:
            accuracy = audit_accuracy(project, stored_head(project, key), key)
            curve = drive(measure_curve(project, key, seed=seed), "curve")
            stopping = drive(measure_stopping(project, key, seed=seed), "look ahead")
            pace = pace_of(project.journal, annotator or _last_reader(project))
            document |= {
                "accuracy": _figure(accuracy),
                "curve": _curve(curve),
                "stopping": _stopping(stopping),
                "labels_per_minute": pace.per_minute,
                "readers": [agreement_row(a) for a in agreements(project.journal)],
            }
            lines = [*_lines(accuracy, curve, stopping, pace.per_minute), *lines]
            lines += map(str, agreements(project.journal))
    show(document, lines, as_json)


def _last_reader(project: Project) -> str:
    """Return who labelled last; empty: nobody."""
    given = (e for e in project.journal.newest_first() if e.kind == "label")
    last = next(given, None)
    return "" if last is None else last.annotator


def _doubts(project: Project, doubts: Doubts) -> dict[str, Any]:
    cells = project.cells()
    rows = cells.rows(np.array([d.cell for d in doubts.found], np.int64))
    boxes = cells.boxes[rows].astype(np.float64)
    centres = np.round(boxes[:, :2] + boxes[:, 2:] / 2, 1).tolist()
    return {
        "doubted": [
            {
                **asdict(doubt),
                "reason": doubt.reason,
                "smear": smear,
                "x": x,
                "y": y,
                "synthetic": False,
            }
            for doubt, smear, (x, y) in zip(
                doubts.found, cells.smears[rows].tolist(), centres, strict=True
            )
        ],
        "judged": doubts.judged,
        "unjudged": list(doubts.unjudged),
        "caveat": doubts.caveat,
    }


def _doubt_lines(document: dict[str, Any], doubts: Doubts) -> Iterator[str]:
    yield f"{len(doubts.found)} of {doubts.judged} labels are doubted."
    if doubts.unjudged:
        yield f"Too few cells to judge: {', '.join(doubts.unjudged)}."
    if doubts.caveat:
        yield f"Limit: {doubts.caveat}."
    if doubts.found:
        keys = ("cell", "smear", "x", "y", "reason")
        yield from table(keys, [[r[k] for k in keys] for r in document["doubted"]])


def agreement_row(found: Agreement) -> dict[str, Any]:
    """Return ``annotator n agreed kappa``."""
    return {**asdict(found), "kappa": _figure(found.kappa)}


def _figure(found: Interval | None) -> dict[str, Any]:
    """Return ``value low high n``; null where it cannot be estimated."""
    if found is None or isnan(found.value):
        n = 0 if found is None else found.n
        return {"value": None, "low": None, "high": None, "n": n}
    return asdict(found)


def _curve(curve: LearningCurve) -> dict[str, Any]:
    points = [{"labels": p.labels, **_figure(p.score)} for p in curve.points]
    return {"measure": str(curve.measure), "points": points, "caveat": curve.caveat}


def _stopping(stopping: Stopping) -> dict[str, Any]:
    rows = []
    for forecast in stopping.forecasts:
        row = forecast.to_json() | {"said": str(forecast)}
        for key in ("now", "then", "gain", "rest"):
            row[key] = _figure(getattr(forecast, key))
        rows.append(row)
    return {
        "said": stopping.sentence,
        "labels": stopping.labels,
        "classes": rows,
        "caveat": stopping.caveat,
    }


def _lines(
    accuracy: Interval,
    curve: LearningCurve,
    stopping: Stopping,
    per_minute: float | None,
) -> Iterator[str]:
    from napari_cytosynth.core.splits import NOT_YET

    known = not isnan(accuracy.value)
    said = str(accuracy) if known else f"{NOT_YET} (n = {accuracy.n})"
    yield f"Accuracy on audit cells: {said}."
    for point in curve.points:
        yield f"{point.labels} labels: {curve.measure} {point.score}"
    yield from stopping.sentences()
    if stopping.caveat:
        yield f"Limit: {stopping.caveat}."
    if per_minute is not None:
        yield f"{per_minute:.1f} labels per minute in the last sitting."
