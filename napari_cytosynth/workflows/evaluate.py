"""Measure on real audit cells whether the accepted synthetic cells helped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.benefit import SEEDS, Question, measure
from napari_cytosynth.evidence.record import Evidence
from napari_cytosynth.workflows.embed import embed_synthetic
from napari_cytosynth.workflows.train import labelled_cells, splits_of

EVIDENCE = "evidence"
"""Key of the job row that keeps the last evaluation."""

_TUNED = (
    "intervals cover the luck of the audit sample and of the draws, not that of the "
    "training labels"
)


def evaluate(
    project: Project,
    embedder_key: str,
    compute: Compute,
    *,
    seed: int = 0,
    seeds: int = SEEDS,
) -> Task[Evidence]:
    """Compare heads with and without synthetic cells, and keep the answer.

    Parameters
    ----------
    project : Project
        Gives labels, vectors and accepted synthetic cells; keeps the evidence.
    embedder_key : str
        Fingerprint of the embedder.
    compute : Compute
        Embeds synthetic cells.
    seed : int
        Makes it repeatable.
    seeds : int
        Runs of each case, >= 1.

    Returns
    -------
    Evidence
        Also where nothing can be estimated yet.
    """
    yield Progress(0, seeds, "gathering audit cells")
    # What is read from here on holds at least what the journal holds now.
    event = int(project.journal.last_id)
    codes = project.taxonomy.cell_codes
    accepted = project.synthetic(None, Status.ACCEPTED)
    cells = tuple(cell for cell in accepted if cell.code in codes)
    vectors = yield from embed_synthetic(project, embedder_key, cells, compute)
    table = project.cells()
    question = Question(
        real=labelled_cells(
            project, embedder_key, Split.TRAIN, abstain=True, cells=table
        ),
        audit=labelled_cells(
            project, embedder_key, Split.AUDIT, abstain=True, cells=table
        ),
        vectors=np.asarray(vectors, np.float32),
        codes=tuple(cell.code for cell in cells),
        classes=codes,
        caveats=tuple(c for c in (splits_of(project, table).caveat, _TUNED) if c),
        seed=seed,
    )
    found = yield from measure(question, seeds=seeds)
    evidence = replace(found, event=event)
    project.put_job(Job(EVIDENCE, JobState.DONE, evidence.to_json()))
    return evidence


def stored_evidence(project: Project) -> Evidence | None:
    """Return the last evaluation that the project keeps, or None."""
    for job in project.jobs(JobState.DONE):
        if job.key == EVIDENCE:
            return Evidence.from_json(job.data)
    return None
