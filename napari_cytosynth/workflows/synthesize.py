"""Fill a rare class: draw, let the critics judge, store, until enough passed.

Every draw that was judged is stored, with its number, before the next ones are made. So
what is on the disk says how far a fill came, and a crash or a killed worker can neither
lose a draw nor make one twice.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import (
    Batch,
    Compute,
    Critic,
    LabelledCells,
    Reference,
    Request,
    Weights,
)
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.splits import split_cells
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.synthesis.appearance import describe

CRITICS = ("agreement", "copy")
"""Critics of the gate, in the order in which they judge."""

DRAWS_PER_CELL = 8
"""A fill gives up after this many draws for each cell wanted."""


@dataclass(frozen=True, slots=True)
class FillReport:
    """What a fill achieved.

    Parameters
    ----------
    code : str
        Class.
    asked, accepted, drawn : int
        Cells wanted, passed by the gate, and drawn for it.
    reasons : mapping of str to int
        Critic to draws that it refused; the first veto counts.
    verified : bool
        False where no real cell of the class could check the draws.
    cancelled : bool
        True if it was stopped.
    job : str
        Key of its job row.
    """

    code: str
    asked: int
    accepted: int
    drawn: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    verified: bool = True
    cancelled: bool = False
    job: str = ""

    @property
    def acceptance(self) -> float:
        """Share of the draws that passed, 0..1; NaN before the first."""
        return self.accepted / self.drawn if self.drawn else float("nan")


def fill(
    project: Project,
    compute: Compute,
    code: str,
    count: int,
    *,
    generator: str = "latent",
    seed: int = 0,
) -> Task[FillReport]:
    """Make ``count`` synthetic cells of a class that pass the gate.

    Parameters
    ----------
    project : Project
        Gives the real cells of the training split, takes the synthetic ones.
    compute : Compute
        Draws.
    code : str
        Class.
    count : int
        Cells wanted, >= 1.
    generator : str
        Key of a generator that makes cells.
    seed : int
        A second fill of the same seed goes on where the first one stopped.

    Yields
    ------
    Progress
        Cells passed so far; the payload holds those newly stored.

    Raises
    ------
    UnknownClassError
        If the taxonomy does not hold ``code``.
    InputError
        If ``count`` is below 1.
    """
    _ = project.taxonomy[code]
    if count < 1:
        raise InputError(
            f"{count} cells of {code} were asked for. Ask for at least one."
        )
    start = _next_draw(project, code, generator, seed)
    data = {"code": code, "count": count, "generator": generator, "seed": seed}
    job = Job(_key(data, start), JobState.RUNNING, {**data, "start": start})
    project.put_job(job)
    report = yield from resume(project, compute, job)
    return report


def resume(project: Project, compute: Compute, job: Job) -> Task[FillReport]:
    """Go on with a fill that a crash, an error or Cancel ended.

    Parameters
    ----------
    project : Project
        The project of the job.
    compute : Compute
        Draws.
    job : Job
        One of :func:`resumable_jobs`.

    Yields
    ------
    Progress
        As :func:`fill`.
    """
    state = JobState.FAILED
    project.put_job(replace(job, state=JobState.RUNNING))
    try:
        report = yield from _run(project, compute, job)
        state = JobState.DONE
    except GeneratorExit:
        state = JobState.CANCELLED
        raise
    finally:
        project.put_job(replace(job, state=state))
    return report


def resumable_jobs(project: Project) -> list[Job]:
    """Return fills that were interrupted or failed, oldest first.

    Ask when a project was opened: a fill that runs at this moment is listed too.
    """
    ended = (JobState.RUNNING, JobState.FAILED)
    return [
        job
        for job in project.jobs()
        if job.state in ended and job.key.startswith("fill:")
    ]


def _run(project: Project, compute: Compute, job: Job) -> Task[FillReport]:
    count = int(job.data["count"])
    cells = training_cells(project)
    yield Progress(0, count, "preparing the generator")
    weights = yield from _weights(project, compute, str(job.data["generator"]), cells)
    stored = _stored(project, job)
    gate = _Gate(project, job, _reference(cells, int(job.data["seed"])), stored)
    ask = gate.request()
    if ask is not None:
        for batch in compute.generate(str(job.data["generator"]), ask, weights):
            passed = gate.take(batch)
            yield Progress(gate.accepted, count, gate.note, passed)
            if gate.accepted >= count:
                break
    return gate.report()


class _Gate:
    """Judges and stores draws of one job."""

    def __init__(
        self,
        project: Project,
        job: Job,
        reference: Reference,
        stored: Sequence[SyntheticCell],
    ) -> None:
        self._project, self._job, self._reference = project, job, reference
        self._code, self._count = str(job.data["code"]), int(job.data["count"])
        self._critics: list[Critic] = [load("critics", key)() for key in CRITICS]
        self._verified = reference.cells.count(self._code) > 0
        self._next = int(job.data["start"])
        self.accepted, self._drawn = 0, 0
        self._reasons: Counter[str] = Counter()
        self._count_in(stored)

    @property
    def note(self) -> str:
        return f"{self._code}: {self.accepted} of {self._drawn} drawn passed"

    def request(self) -> Request | None:
        left = self._count * DRAWS_PER_CELL - self._drawn
        if left < 1 or self.accepted >= self._count:
            return None
        return Request(
            self._code,
            left,
            int(self._job.data["seed"]),
            self._project.taxonomy,
            self._next,
        )

    def take(self, batch: Batch) -> tuple[SyntheticCell, ...]:
        if not len(batch):
            return ()
        judged = self._judge(batch)
        stored = self._project.add_synthetic(judged)
        self._count_in(stored)
        return tuple(c for c in stored if c.status is Status.PROPOSED)

    def report(self) -> FillReport:
        return FillReport(
            self._code,
            self._count,
            self.accepted,
            self._drawn,
            dict(self._reasons),
            self._verified,
            False,
            self._job.key,
        )

    def _judge(self, batch: Batch) -> list[SyntheticCell]:
        columns = [critic.assess(batch, self._reference) for critic in self._critics]
        judged = []
        for i, cell in enumerate(_cells_of(batch)):
            cell = _numbered(cell, self._job.key, batch.start + i)
            cell = cell.judged(*(column[i] for column in columns))
            status = Status.PROPOSED if cell.passed else Status.DROPPED
            judged.append(replace(cell, status=status, verified=self._verified))
        return judged

    def _count_in(self, stored: Sequence[SyntheticCell]) -> None:
        for cell in stored:
            self._drawn += 1
            self._next = max(self._next, _number(cell) + 1)
            if cell.status is Status.DROPPED:
                veto = next(a for a in cell.assessments if not a.passed)
                self._reasons[veto.critic] += 1
            else:
                self.accepted += 1


def training_cells(project: Project) -> LabelledCells:
    """Return the labelled cells of the training split, with crops and no vectors."""
    table, taxonomy = project.cells(), project.taxonomy
    smears = project.smears()
    mpp = {int(s.id): _mpp(project, int(s.id)) for s in smears}
    splits = split_cells(table, {int(s.id): s.group for s in smears}, mpp)
    labels = project.journal.labels()
    rows = [
        i
        for i, cell in enumerate(table.ids)
        if not splits.audit[i]
        and cell in labels
        and labels[cell].code in taxonomy.cell_codes
    ]
    ids = table.ids[rows]
    return LabelledCells(
        ids,
        tuple(labels[cell].code for cell in ids),
        project.crops(ids),
        np.zeros((len(ids), 0), np.float32),
        "",
        splits.keys[rows],
    )


def _mpp(project: Project, smear: Any) -> float:
    calibration = project.calibration(smear)
    return calibration.mpp if calibration is not None else 0.25


def _reference(cells: LabelledCells, seed: int) -> Reference:
    return Reference(cells, describe(cells.crops), describe, seed)


def _weights(
    project: Project, compute: Compute, generator: str, cells: LabelledCells
) -> Task[Weights]:
    """Return the project's weights of a generator; fit it where there are none."""
    name = f"generator:{generator}"
    kept = project.model(name)
    if kept is not None:
        return kept
    weights = yield from compute.fit(generator, cells, {"seed": 0})
    project.put_model(name, weights)
    return weights


def _key(data: Mapping[str, Any], start: int) -> str:
    text = repr((sorted(data.items()), start))
    return f"fill:{data['code']}:{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _next_draw(project: Project, code: str, generator: str, seed: int) -> int:
    """Return the first draw of this class, generator and seed that nobody made yet."""
    wanted = {"code": code, "generator": generator, "seed": seed}
    earlier = {j.key for j in project.jobs() if wanted.items() <= j.data.items()}
    made = [
        _number(cell) + 1
        for cell in project.synthetic(code)
        if cell.provenance.config.get("job") in earlier
    ]
    return max(made, default=0)


def _stored(project: Project, job: Job) -> list[SyntheticCell]:
    cells = project.synthetic(str(job.data["code"]))
    return [c for c in cells if c.provenance.config.get("job") == job.key]


def _cells_of(batch: Batch) -> Iterator[SyntheticCell]:
    for item in batch.items:
        if not isinstance(item, SyntheticCell):
            raise InputError(
                "This generator makes vectors, which cannot be shown as cells. Fill "
                "with a generator that makes cells, such as 'latent'."
            )
        yield item


def _numbered(cell: SyntheticCell, job: str, number: int) -> SyntheticCell:
    config = {**cell.provenance.config, "job": job, "draw": number}
    return replace(cell, provenance=replace(cell.provenance, config=config))


def _number(cell: SyntheticCell) -> int:
    return int(cell.provenance.config.get("draw", -1))
