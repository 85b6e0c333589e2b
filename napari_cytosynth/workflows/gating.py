"""What the gate of a fill is made of: real cells of the training split, and critics."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.project import Job, Project
from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.synthesis.gate import (
    CRITICS_EMBEDDER,
    OTHER_EMBEDDER,
    GatePlan,
)
from napari_cytosynth.workflows.embed import fingerprint_of
from napari_cytosynth.workflows.fill_jobs import CRITICS
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.train import HEAD


def training_cells(project: Project) -> Task[LabelledCells]:
    """Return the labelled cells of the training split, with crops, without vectors."""
    yield Progress(0, 0, "gathering real cells")
    table = project.cells()
    splits = splits_of(project, table)
    wanted = set(project.taxonomy.cell_codes)
    labels = {
        c: k.code for c, k in project.journal.labels().items() if k.code in wanted
    }
    rows = np.flatnonzero(np.isin(table.ids, list(labels)) & ~splits.audit)
    ids = table.ids[rows]
    return LabelledCells(
        ids,
        tuple(labels[cell] for cell in ids.tolist()),
        project.crops(ids),
        np.zeros((len(ids), 0), np.float32),
        "",
        splits.keys[rows],
    )


def plan_of(project: Project, job: Job) -> GatePlan:
    """Return the critics of a fill.

    Their embedder is another than the classifier's, so that what fools the one need not
    fool the other.
    """
    head = project.model(HEAD)
    learnt = "" if head is None else str(head.meta.get("embedder", ""))
    own = fingerprint_of(CRITICS_EMBEDDER) == learnt
    embedder = OTHER_EMBEDDER if own else CRITICS_EMBEDDER
    return GatePlan(embedder, tuple(job.data.get(CRITICS, ())), int(job.data["seed"]))
