"""Fill a rare class: draw, let the critics judge, store, until enough passed.

Every draw that was judged is stored, with its number, before the next is looked at.
So what is on the disk says how far a fill came, and neither a crash nor a killed worker
can lose a draw or make one twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from napari_cytosynth.core.errors import InputError, OtherWeightsError, WorkerError
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import (
    Batch,
    Compute,
    LabelledCells,
    Request,
    Weights,
)
from napari_cytosynth.core.provenance import (
    Status,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.synthesis.gate import (
    DRAWS_PER_SLOT,
    GateMaker,
    Judge,
    first_veto,
    gate_here,
)
from napari_cytosynth.workflows.drawn import closable
from napari_cytosynth.workflows.fill_jobs import (
    LOST,
    PREFIX,
    Ask,
    digest_of,
    is_outdated,
    learning_options,
    refuse_unmakeable,
)
from napari_cytosynth.workflows.fill_jobs import resumable_jobs as resumable_jobs
from napari_cytosynth.workflows.gating import plan_of, training_cells
from napari_cytosynth.workflows.model_card import weights_name


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
        False where too few real cells of the class could check the draws.
    cancelled : bool
        True if it was stopped before it was complete.
    job : str
        Key of its job row.
    stain : mapping
        How colours were moved to those of the real cells, as its generator recorded
        it: by how much (``moved``: L, a, b) and towards how many cells (``cells``).
        Empty where none was.
    """

    code: str
    asked: int
    accepted: int
    drawn: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    verified: bool = True
    cancelled: bool = False
    job: str = ""
    stain: Mapping[str, Any] = field(default_factory=dict)

    @property
    def acceptance(self) -> float:
        """Share of the draws that passed, 0..1; NaN before the first."""
        return self.accepted / self.drawn if self.drawn else float("nan")


def fill(
    project: Project,
    compute: Compute,
    ask: Ask,
    *,
    gates: GateMaker | None = None,
) -> Task[FillReport]:
    """Make synthetic cells of a class that pass the gate, as many as asked for.

    Cells that passed are stored as proposed, others as dropped with their reasons. The
    fill ends with fewer where :data:`DRAWS_PER_SLOT` draws for each cell wanted did not
    do. Where a crash or the loss of the worker ended a fill of the same class, count,
    generator, seed and options, that one goes on; none that was cancelled does.

    Parameters
    ----------
    project : Project
        Gives the real cells of the training split, takes the synthetic ones.
    compute : Compute
        Draws.
    ask : Ask
        Class, count, generator and its options, seed, further critics.
    gates : callable, optional
        Makes the gate; by default it stands in this process.

    Yields
    ------
    Progress
        Cells passed so far; the payload holds those newly stored, with their ids, what
        the gate dropped among them.

    Raises
    ------
    UnknownClassError
        If the taxonomy, or the generator, does not know the class.
    RegistryError
        If a critic is not installed.
    InputError
        If the count is below 1, or the class is no cell type, or the generator makes
        vectors.
    WorkerError
        If the worker was lost for good; the fill can be resumed.
    """
    return (yield from resume(project, compute, plan(project, ask), gates=gates))


def plan(project: Project, ask: Ask) -> Job:
    """Return the job that :func:`fill` resumes for an ask; nothing is stored yet.

    It is the newest interrupted one of the same ask, else a new one.

    Raises
    ------
    UnknownClassError
        If the taxonomy does not know the class, or the generator cannot make it.
    InputError
        If the count is below 1, or the class is no cell type.
    """
    if project.taxonomy[ask.code].abstain or ask.count < 1:
        raise InputError(
            f"{ask.count} cells of '{ask.code}' were asked for. Ask for at least one, "
            "of a class that is a cell type: "
            f"{', '.join(project.taxonomy.cell_codes)}."
        )
    refuse_unmakeable(project, ask)
    for name in ask.critics:
        load("critics", name)
    lost = [job for job in resumable_jobs(project, ask.code) if ask.made(job)]
    return lost[-1] if lost else ask.job(_next_draw(project, ask))


def resume(
    project: Project, compute: Compute, job: Job, *, gates: GateMaker | None = None
) -> Task[FillReport]:
    """Go on with a fill that a crash, an error or Cancel ended; see :func:`fill`.

    ``job`` is one of :func:`resumable_jobs`, or of ``project.jobs()``. What was stored
    before counts.
    """
    job = replace(job, data={k: v for k, v in job.data.items() if k != LOST})
    with _recorded(project, job):
        cells = yield from training_cells(project)
        weights, job = yield from _weights(project, compute, job, cells)
        plan = plan_of(project, job)
        with closing((yield from (gates or gate_here)(cells, plan))) as gate:
            try:
                yield from _draw(project, compute, job, weights, gate)
            except OtherWeightsError:
                # Such as another base of lora than that of the last fill.
                anew = _weights(project, compute, job, cells, anew=True)
                weights, job = yield from anew
                yield from _draw(project, compute, job, weights, gate)
    return report_of(project, job.key)


def report_of(project: Project, key: str) -> FillReport:
    """Return how far a fill came, from what is stored.

    Raises
    ------
    InputError
        If there is no such job.
    """
    job = next((j for j in project.jobs() if j.key == key), None)
    if job is None or not key.startswith(PREFIX):
        raise InputError(f"There is no fill '{key}' in the project's jobs.")
    stored = _stored(project, job)
    dropped = [c for c in stored if c.status is Status.DROPPED]
    vetoes = Counter(v.critic for c in dropped if (v := first_veto(c)))
    return FillReport(
        code=str(job.data["code"]),
        asked=int(job.data["count"]),
        accepted=len(stored) - len(dropped),
        drawn=len(stored),
        reasons=dict(vetoes),
        verified=all(c.verified for c in stored),
        cancelled=job.state is JobState.CANCELLED,
        job=key,
        stain=dict(stored[-1].provenance.config.get("stain", {})) if stored else {},
    )


@contextmanager
def _recorded(project: Project, job: Job) -> Iterator[None]:
    """Keep the job row true to what happens inside."""
    state, lost = JobState.FAILED, {}
    project.put_job(replace(job, state=JobState.RUNNING))
    try:
        yield
        state = JobState.DONE
    except (GeneratorExit, KeyboardInterrupt):
        state = JobState.CANCELLED
        raise
    except WorkerError as error:
        lost = {LOST: str(error)}
        raise
    finally:
        now = next(j for j in project.jobs() if j.key == job.key)
        project.put_job(Job(job.key, state, {**now.data, **lost}))


def _draw(
    project: Project,
    compute: Compute,
    job: Job,
    weights: Weights,
    gate: Judge,
) -> Task[None]:
    """Draw, judge and store until enough passed or the budget is spent."""
    tally = _Tally(job, _stored(project, job))
    if tally.is_done():
        return
    made = project.synthetic(str(job.data["code"]))
    gate.remember([c for c in made if c.status is not Status.DROPPED])
    ask = tally.request(project)
    with closing(closable(compute, str(job.data["generator"]), ask, weights)) as drawn:
        for batch in drawn:
            stored: tuple[SyntheticCell, ...] = ()
            if len(batch):
                judged = [_numbered(c, job, i) for c, i in _judged(gate, batch)]
                stored = project.add_synthetic(tally.needed(judged))
                gate.remember(tally.take(stored))
            note = batch.note or tally.note
            yield Progress(tally.accepted, tally.wanted, note, stored)
            if tally.is_done():
                return


def _judged(gate: Judge, batch: Batch) -> Iterator[tuple[SyntheticCell, int]]:
    if any(isinstance(item, SyntheticVector) for item in batch.items):
        raise InputError(
            "This generator makes vectors, which cannot be shown as cells. Fill with a "
            "generator that makes cells, such as 'latent'."
        )
    for number, item in enumerate(gate.judge(batch), batch.start):
        if isinstance(item, SyntheticCell):
            yield item, number


class _Tally:
    """How far a fill is."""

    def __init__(self, job: Job, stored: Sequence[SyntheticCell]) -> None:
        self._job = job
        self.wanted = int(job.data["count"])
        self._next = int(job.data["start"])
        self.accepted = self._drawn = 0
        self.take(stored)

    @property
    def note(self) -> str:
        return f"{self.accepted} of {self._drawn} drawn passed"

    def is_done(self) -> bool:
        return self.accepted >= self.wanted or self._left < 1

    @property
    def _left(self) -> int:
        return self.wanted * DRAWS_PER_SLOT - self._drawn

    def request(self, project: Project) -> Request:
        """Return what is still to be asked for."""
        code, seed = str(self._job.data["code"]), int(self._job.data["seed"])
        options = self._job.data["options"]
        return Request(code, self._left, seed, project.taxonomy, self._next, options)

    def needed(self, judged: Sequence[SyntheticCell]) -> list[SyntheticCell]:
        """Return the draws up to the one that completes the fill.

        Those after it are not stored, and the next fill draws them again.
        """
        missing, kept = self.wanted - self.accepted, []
        for cell in judged:
            if missing < 1:
                break
            kept.append(cell)
            missing -= cell.status is not Status.DROPPED
        return kept

    def take(self, stored: Sequence[SyntheticCell]) -> tuple[SyntheticCell, ...]:
        """Count stored draws; return those that passed."""
        passed = tuple(c for c in stored if c.status is not Status.DROPPED)
        self.accepted += len(passed)
        self._drawn += len(stored)
        self._next = max([self._next, *(_number(c) + 1 for c in stored)])
        return passed


def _weights(
    project: Project,
    compute: Compute,
    job: Job,
    cells: LabelledCells,
    *,
    anew: bool = False,
) -> Task[tuple[Weights, Job]]:
    """Return the project's weights of a generator, and the job with their SHA-256.

    They are fitted where there are none, or where the real cells or the options to
    learn by changed since; but a fill that goes on keeps to those it began with. Where
    the class was learned on weights that ship no more, it is learned again, as it is
    where that is asked for.
    """
    generator, code = str(job.data["generator"]), str(job.data["code"])
    told = learning_options(generator, job.data["options"])
    name, known = weights_name(generator, code), digest_of(cells, told)
    weights = project.model(name)
    begun = weights is not None and weights.sha256 == job.data.get("weights")
    kept = begun or (weights is not None and weights.meta.get("fitted on") == known)
    if anew or weights is None or not kept or is_outdated(generator, weights):
        concepts = {c.code: c.concept for c in project.taxonomy}
        fitted = yield from compute.fit(
            generator, cells, {**told, "seed": 0, "concepts": concepts, "only": code}
        )
        weights = Weights(fitted.tensors, {**fitted.meta, "fitted on": known})
        project.put_model(name, weights)
    job = replace(job, data={**job.data, "weights": weights.sha256})
    project.put_job(replace(job, state=JobState.RUNNING))
    return weights, job


def _next_draw(project: Project, ask: Ask) -> int:
    """Return the first draw of this class, generator and seed that nobody made yet."""
    same = {"code": ask.code, "generator": ask.generator, "seed": ask.seed}
    fills = [j for j in project.jobs() if j.key.startswith(PREFIX)]
    earlier = {j.key for j in fills if same.items() <= j.data.items()}
    made = [
        _number(cell) + 1
        for cell in project.synthetic(ask.code)
        if cell.provenance.config.get("job") in earlier
    ]
    return max(made, default=0)


def _stored(project: Project, job: Job) -> list[SyntheticCell]:
    cells = project.synthetic(str(job.data["code"]))
    return [c for c in cells if c.provenance.config.get("job") == job.key]


def _numbered(cell: SyntheticCell, job: Job, number: int) -> SyntheticCell:
    config = {**cell.provenance.config, "job": job.key, "draw": number}
    return replace(cell, provenance=replace(cell.provenance, config=config))


def _number(cell: SyntheticCell) -> int:
    return int(cell.provenance.config.get("draw", -1))
