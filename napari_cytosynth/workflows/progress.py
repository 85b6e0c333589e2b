"""How far the labelling is: the curve so far, what more would bring, the pace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import EventKind, Journal, Mode
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.curve import LearningCurve, learning_curve
from napari_cytosynth.learning.head import HeadFitter, fitter_here
from napari_cytosynth.learning.outlook import Stopping
from napari_cytosynth.learning.stopping import look_ahead
from napari_cytosynth.workflows.splitting import labelled_cells, splits_of

CURVE = "learning-curve"
"""Key of the job row that keeps the last curve."""

STOPPING = "stopping"
"""Key of the job row that keeps what more labels would bring."""

PAUSE = timedelta(minutes=2)
"""A longer gap between two labels is a pause, and ends a sitting."""

MIN_PACE = 5
"""With fewer labels in a sitting no pace is told."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Labels of one sitting.

    Parameters
    ----------
    labels : int
        Labels given in it that still stand, without the one that began it.
    minutes : float
        From the first to the last of them.
    """

    labels: int = 0
    minutes: float = 0.0

    @property
    def per_minute(self) -> float | None:
        """Labels per minute; None: too few to tell."""
        if self.labels < MIN_PACE or not self.minutes:
            return None
        return self.labels / self.minutes


def pace_of(journal: Journal, annotator: str) -> Pace:
    """Return how quickly a reader labels: in the last sitting, up to its last label.

    Imported labels are nobody's, and count for none.
    """
    last = first = None
    labels = -1
    for event in journal.newest_first():
        own = event.annotator == annotator and event.mode is not Mode.IMPORT
        if event.kind is not EventKind.LABEL or not own or event.cell is None:
            continue
        label = journal.label(CellId(event.cell))
        if label is None or label.event != event.id:
            continue
        given = datetime.fromisoformat(event.time)
        if first is not None and first - given > PAUSE:
            break
        last = last or given
        first, labels = given, labels + 1
    if last is None or first is None:
        return Pace()
    return Pace(labels, (last - first).total_seconds() / 60)


def in_order_given(project: Project, cells: LabelledCells) -> LabelledCells:
    """Return labelled cells in the order in which their labels were given."""
    labels = project.journal.labels()
    given = [
        int(labels[CellId(i)].event) if CellId(i) in labels else 0
        for i in cells.ids.tolist()
    ]
    return cells.take(np.argsort(given, kind="stable"))


def measure_curve(
    project: Project,
    embedder_key: str,
    *,
    fit: HeadFitter | None = None,
    seed: int = 0,
) -> Task[LearningCurve]:
    """Measure the learning curve so far, and keep it in the project.

    Heads are fitted on real cells alone, whatever the project's head is fitted on.

    Parameters
    ----------
    project : Project
        Gives labels and vectors; keeps the curve.
    embedder_key : str
        Fingerprint of the embedder.
    fit : callable, optional
        Fits heads; by default this process does.
    seed : int
        Makes it repeatable.
    """
    real, audit, split = yield from _labels(project, embedder_key)
    found = yield from learning_curve(real, audit, fit or fitter_here(), seed=seed)
    curve = replace(found, caveat=_both(found.caveat, split))
    _keep(project, CURVE, embedder_key, curve.to_json())
    return curve


def measure_stopping(
    project: Project,
    embedder_key: str,
    *,
    fit: HeadFitter | None = None,
    seed: int = 0,
) -> Task[Stopping]:
    """Find out what more labels would bring, and keep it in the project.

    Takes what :func:`measure_curve` takes.
    """
    real, audit, split = yield from _labels(project, embedder_key)
    found = yield from look_ahead(real, audit, fit or fitter_here(), seed=seed)
    stopping = replace(found, caveat=_both(found.caveat, split))
    _keep(project, STOPPING, embedder_key, stopping.to_json())
    return stopping


def stored_curve(project: Project, embedder_key: str) -> LearningCurve | None:
    """Return the curve measured last on vectors of this embedder, or None."""
    kept = _kept(project, CURVE, embedder_key)
    return None if kept is None else LearningCurve.from_json(kept)


def stored_stopping(project: Project, embedder_key: str = "") -> Stopping | None:
    """Return what was found last, of this embedder or, if none is named, of any."""
    kept = _kept(project, STOPPING, embedder_key)
    return None if kept is None else Stopping.from_json(kept)


def _labels(
    project: Project, embedder_key: str
) -> Task[tuple[LabelledCells, LabelledCells, str]]:
    """Return labels that train, in the order given, audit labels, and the caveat."""
    yield Progress(0, 1, "gathering labels")
    table = project.cells()
    real, audit = (
        labelled_cells(project, embedder_key, split, abstain=True, cells=table)
        for split in (Split.TRAIN, Split.AUDIT)
    )
    return in_order_given(project, real), audit, splits_of(project, table).caveat


def _both(first: str, second: str) -> str:
    return "; ".join(filter(None, (first, second)))


def _keep(project: Project, key: str, embedder_key: str, found: Any) -> None:
    project.put_job(Job(key, JobState.DONE, {"found": found, "of": embedder_key}))


def _kept(project: Project, key: str, embedder_key: str) -> Any:
    for job in project.jobs(JobState.DONE):
        if job.key == key and embedder_key in ("", job.data["of"]):
            return job.data["found"]
    return None
