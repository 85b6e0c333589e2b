"""The whole job on the sample smear, with labels from its truth instead of a reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.workflows.detect import add_smear, find_cells
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.evaluate import evaluate
from napari_cytosynth.workflows.exporting import export_labels
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.review import judge
from napari_cytosynth.workflows.sample import sample_smear_path, sample_truth
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.suggest import suggest
from napari_cytosynth.workflows.synthesize import fill
from napari_cytosynth.workflows.train import train_head

if TYPE_CHECKING:
    from napari_cytosynth.core.protocols import Compute
    from napari_cytosynth.evidence.record import Evidence
    from napari_cytosynth.learning.head import Head

READER = "sample truth"
"""Stands in for the pathologist; the journal and the window name it."""

ROUNDS, CARDS = 8, 20
"""Rounds of labelling, and cards a round."""

FILL_CODE, FILL_COUNT = "BAS", 8
"""The rare class that the demo fills, and how many cells it asks for."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo did.

    Parameters
    ----------
    cells, labelled : int
        Cells found, and cells labelled from the truth.
    filled : int
        Synthetic cells that passed the gate.
    evidence : Evidence
        Whether they helped, on real audit cells.
    labels : Path
        The exported table.
    """

    cells: int
    labelled: int
    filled: int
    evidence: Evidence
    labels: Path


def run_demo(
    project: Project, compute: Compute, out: Path, *, seed: int = 0
) -> Task[DemoResult]:
    """Open, find, label, fill, judge, evaluate and export.

    Parameters
    ----------
    project : Project
        An empty project with the ``marrow21`` taxonomy.
    compute : Compute
        Where vectors and synthetic cells are made.
    out : Path
        Folder for the exported labels.
    seed : int
        Makes it repeatable.
    """
    smear = add_smear(project, str(sample_smear_path()))
    yield from find_cells(project, smear.id)
    key = yield from embed_cells(project, compute)
    truth = _truth_of_cells(project)
    yield from _label_rounds(project, key, truth, seed)
    _read_audit_cards(project, truth)
    report = yield from fill(project, compute, Ask(FILL_CODE, FILL_COUNT, seed=seed))
    for cell in project.synthetic(FILL_CODE, Status.PROPOSED):
        judge(project, cell.id, True, Author(READER))
    yield from train_head(project, key, seed=seed, compute=compute)
    evidence = yield from evaluate(project, key, compute, seed=seed)
    labels = out / "labels.csv"
    export_labels(project, labels, "csv")
    return DemoResult(
        cells=len(project.cells()),
        labelled=len(project.journal.labels()),
        filled=report.accepted,
        evidence=evidence,
        labels=labels,
    )


def _label_rounds(
    project: Project, key: str, truth: Mapping[CellId, str], seed: int
) -> Task[None]:
    """Label what the queue shows, and refit after each round, as a reader would."""
    head: Head | None = None
    for number in range(ROUNDS):
        found = suggest(project, key, head=head, n=CARDS, seed=seed + number)
        for cell, audit in zip(found.query.ids, found.audit, strict=True):
            _read_card(project, truth, CellId(int(cell)), audit=bool(audit))
        yield Progress(number + 1, ROUNDS, f"labelled {CARDS * (number + 1)} cells")
        head = yield from train_head(project, key, seed=seed)


def _read_audit_cards(project: Project, truth: Mapping[CellId, str]) -> None:
    """Read every held-out cell: the sample is too small for one card in ten to tell."""
    held_out = project.cells().ids[splits_of(project).audit]
    for number in held_out:
        cell = CellId(int(number))
        if project.journal.label(cell) is None:
            _read_card(project, truth, cell, audit=True)


def _read_card(
    project: Project, truth: Mapping[CellId, str], cell: CellId, *, audit: bool
) -> None:
    author = Author(READER, Mode.AUDIT if audit else Mode.TEACH)
    drawn = [author.audit_draw(cell)] if audit else []
    project.record(*drawn, author.label(cell, truth.get(cell, "ART")))


def _truth_of_cells(project: Project) -> dict[CellId, str]:
    """Match detected cells to the painter's truth; IoU 0.5 or more."""
    records = sample_truth()
    cells = project.cells()
    boxes = np.array([r.box for r in records.objects], dtype=np.float32)
    overlap = box_iou(cells.boxes, boxes)
    best = overlap.argmax(axis=1)
    found: dict[CellId, str] = {}
    for row, column in enumerate(best):
        if overlap[row, column] >= 0.5:
            label = records.objects[int(column)].label
            found[CellId(int(cells.ids[row]))] = project.taxonomy.find(label).code
    return found
