"""Measure on real audit cells whether the accepted synthetic cells helped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_cytosynth.core.errors import InputError, WorkerError
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import (
    Compute,
    Control,
    LabelledCells,
    TrainingSet,
)
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.benefit import SEEDS, measure
from napari_cytosynth.evidence.question import Question
from napari_cytosynth.evidence.record import Evidence
from napari_cytosynth.learning.head import HeadFitter
from napari_cytosynth.workflows.controls import controls_for
from napari_cytosynth.workflows.drawn import Drawn, fit_source, shortfall
from napari_cytosynth.workflows.embed import embed_synthetic
from napari_cytosynth.workflows.kept import accepted_cells
from napari_cytosynth.workflows.splitting import (
    held_out_cells,
    labelled_cells,
    splits_of,
)

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
    fit: HeadFitter | None = None,
) -> Task[Evidence]:
    """Compare heads with and without synthetic cells, and keep the answer.

    The ``embedding`` generator is fitted on the training cells for it; where it cannot
    be, that case is left out, and a caveat says why.

    Parameters
    ----------
    project : Project
        Gives labels, vectors and accepted synthetic cells; keeps the evidence.
    embedder_key : str
        Fingerprint of the embedder.
    compute : Compute
        Embeds synthetic cells, fits and draws vectors.
    seed : int
        Makes it repeatable.
    seeds : int
        Runs of each case, >= 1.
    fit : callable, optional
        Fits the heads; by default this process does.

    Returns
    -------
    Evidence
        Also where nothing can be estimated yet.
    """
    yield Progress(0, seeds, "gathering audit cells")
    # What is read from here on holds at least what the journal holds now.
    event = int(project.journal.last_id)
    question = yield from _question(project, embedder_key, compute, (seed, seeds))
    found = yield from measure(replace(question, fit=fit), seeds=seeds)
    evidence = replace(found, event=event)
    project.put_job(Job(EVIDENCE, JobState.DONE, evidence.to_json()))
    return evidence


def _question(
    project: Project, embedder_key: str, compute: Compute, runs: tuple[int, int]
) -> Task[Question]:
    """Gather what the heads are fitted to and tried on; ``runs`` as in ``_draws``."""
    codes = project.taxonomy.cell_codes
    # Not those tuned to a cell that measures since: they would grade themselves.
    accepted = accepted_cells(project, held_out_cells(project))
    cells = tuple(cell for cell in accepted if cell.code in codes)
    vectors = yield from embed_synthetic(project, embedder_key, cells, compute)
    table = project.cells()
    real, audit = (
        labelled_cells(project, embedder_key, split, abstain=True, cells=table)
        for split in (Split.TRAIN, Split.AUDIT)
    )
    limits = [c for c in (splits_of(project, table).caveat, _TUNED) if c]
    seed, number = runs
    drawn, said = yield from _draws(
        project, real, compute, (seed, number if len(audit) else 0)
    )
    controls: tuple[Control, ...] = ()
    if len(audit):
        controls = yield from controls_for(project, real, compute, seed=seed)
    return Question(
        real=real,
        audit=audit,
        vectors=np.asarray(vectors, np.float32),
        codes=tuple(cell.code for cell in cells),
        classes=codes,
        controls=controls,
        drawn=drawn,
        caveats=(*limits, *said),
        seed=seed,
    )


def _draws(
    project: Project, real: LabelledCells, compute: Compute, runs: tuple[int, int]
) -> Task[tuple[tuple[TrainingSet, ...], list[str]]]:
    """Return vectors for each run, and what must be said of them.

    ``runs`` is the first seed and the number of runs; all share one fit.
    """
    seed, number = runs
    wanted = shortfall(real, project.taxonomy)
    if not number or not wanted:
        return (), []
    try:
        source = yield from fit_source(real, project.taxonomy, compute, seed=seed)
        made: tuple[Drawn, ...] = ()
        for run in range(number):
            made += ((yield from source.draw(wanted, seed + run)),)
    except InputError as error:
        return (), [f"synthetic vectors were not compared: {error}"]
    except WorkerError:
        # What it says names the machine, and a report goes to others.
        return (), ["synthetic vectors were not compared: the worker was lost"]
    dim = real.vectors.shape[1]
    sets = tuple(
        TrainingSet(d.vectors(dim), d.codes, np.ones(len(d.codes))) for d in made
    )
    return sets, [f"synthetic vectors, first run: {made[0]}"]


def stored_evidence(project: Project) -> Evidence | None:
    """Return the last evaluation that the project keeps, or None."""
    for job in project.jobs(JobState.DONE):
        if job.key == EVIDENCE:
            return Evidence.from_json(job.data)
    return None
