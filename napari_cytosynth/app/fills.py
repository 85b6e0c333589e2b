"""Fills of rare classes: synthetic cells and vectors, made in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.shelf import Shelf
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import Cancelled, CytoSynthError
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.registry import makes_vectors
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.workflows.fill_jobs import Ask, resumable_jobs
from napari_cytosynth.workflows.kept import forget_vectors, vector_counts

if TYPE_CHECKING:
    from napari_cytosynth.synthesis.gate import GateMaker
    from napari_cytosynth.workflows.drawn import Tally
    from napari_cytosynth.workflows.synthesize import FillReport

LOAD = "load"
"""Key of the task that reads the stored cells."""

T = TypeVar("T")


class Fills:
    """What makes synthetic cells in a session, and keeps those that were made.

    Parameters
    ----------
    project, compute : Project, Compute
        Where cells are kept and made.
    jobs : Jobs
        Runs the fills, one a class.
    state : SessionState
        Told of the outcome.

    Attributes
    ----------
    shelf : Shelf
        The synthetic cells that passed the gate.
    vectors : dict of str to int
        Synthetic vectors kept for each class that has some; they are no cells.
    gates : callable or None
        Makes the gate of a fill; None: it stands in this process.
    critics : tuple of str
        Critics that judge besides those of the standard gate.
    on_cells : callable
        Told when the shelf holds more cells.
    on_changed : callable
        Told when a fill begins, comes further or ends.
    on_vectors : callable
        Told when a class has other vectors to train on.
    """

    def __init__(
        self,
        project: Project,
        compute: Compute,
        jobs: Jobs,
        state: SessionState,
    ) -> None:
        self._project, self._compute = project, compute
        self._jobs, self._state = jobs, state
        self._keys: dict[str, str] = {}
        self._passed: dict[str, int] = {}
        self._reasons: dict[str, str] = {}
        self.vectors: dict[str, int] = {}
        self.shelf = Shelf()
        self.gates: GateMaker | None = None
        self.critics: tuple[str, ...] = ()
        self.on_cells: Callable[[], None] = lambda: None
        self.on_changed: Callable[[], None] = lambda: None
        self.on_vectors: Callable[[], None] = lambda: None

    def load(self) -> None:
        """Take in stored cells in the background; go on with interrupted fills."""
        title = "Reading synthetic cells"
        order = Order(LOAD, title, self._stored(), self._loaded, quiet=True)
        self._jobs.start(order)

    def _stored(self) -> Task[tuple[list[SyntheticCell], dict[str, int]]]:
        yield Progress(0, 1, "reading synthetic cells")
        ordered = sorted(self._project.synthetic(), key=lambda cell: cell.id)
        return ordered, vector_counts(self._project)

    def _loaded(self, stored: tuple[list[SyntheticCell], dict[str, int]]) -> None:
        # What was judged or made since the reading is newer than what was read.
        kept, vectors = stored
        self.shelf.put(cell for cell in kept if cell.id not in self.shelf)
        self.vectors = {**vectors, **self.vectors}
        self.on_cells()
        self.on_changed()
        for job in resumable_jobs(self._project):
            self._resume(job)

    def _resume(self, job: Job) -> None:
        code = str(job.data["code"])
        if not self.is_running(code):
            self._run(code, self._filling(code, lambda: job), self._done)

    def _filling(self, code: str, planned: Callable[[], Job]) -> Task[FillReport]:
        # Imported in the task's thread: it brings half a second of libraries.
        from napari_cytosynth.workflows.synthesize import resume

        job = planned()
        self._keys[code] = job.key
        task = resume(self._project, self._compute, job, gates=self.gates)
        return (yield from task)

    def _planned(self, ask: Ask) -> Job:
        from napari_cytosynth.workflows.synthesize import plan

        return plan(self._project, ask)

    def is_running(self, code: str) -> bool:
        """Tell whether a fill of this class runs."""
        return self._jobs.is_running(fill_key(code))

    def start(self, ask: Ask) -> bool:
        """Fill a class; False, said by ``failed``, if one runs already.

        The critics that the user chose judge too. An interrupted fill of the same ask
        goes on rather than a new one.
        """
        ask, code = replace(ask, critics=self.critics), ask.code
        if self.is_running(code):
            self._state.fail(
                f"A fill of {code} runs already. Wait for it, or cancel it first."
            )
            return False
        self._state.fill_class = ""
        if makes_vectors(ask.generator):
            self._run(code, self._drawing(ask), self._drawn)
        else:
            self._run(code, self._filling(code, lambda: self._planned(ask)), self._done)
        return True

    def _drawing(self, ask: Ask) -> Task[tuple[str, Tally]]:
        from napari_cytosynth.workflows.embed import embed_cells
        from napari_cytosynth.workflows.vectors import fill_vectors

        project, compute = self._project, self._compute
        key = yield from embed_cells(project, compute, embedder=self._state.embedder)
        tally = yield from fill_vectors(project, compute, ask, key)
        return ask.code, tally

    def _drawn(self, drawn: tuple[str, Tally]) -> None:
        code, tally = drawn
        self._passed.pop(code, None)
        self._set_vectors(code, tally.accepted, drawn_outcome(code, tally))

    def remove_vectors(self, code: str) -> None:
        """Forget the vectors kept for a class, and train without them."""
        try:
            forget_vectors(self._project, code)
        except (CytoSynthError, OSError) as error:
            self._jobs.tell("Removing vectors", error)
            return
        self._set_vectors(code, 0, f"The synthetic vectors of {code} were removed.")

    def _set_vectors(self, code: str, count: int, said: str) -> None:
        self.vectors = {**self.vectors, code: count}
        self._state.fill_outcome = said
        self._state.say(said)
        self.on_vectors()

    def _run(self, code: str, task: Task[T], on_done: Callable[[T], None]) -> None:
        self._keys.pop(code, None)
        self._passed[code] = 0
        self._reasons.pop(code, None)
        self._jobs.start(
            Order(
                fill_key(code),
                f"Filling {code}",
                task,
                on_done=on_done,
                on_progress=lambda progress: self._stream(code, progress),
                on_error=lambda error: self._failed(code, error),
                on_end=lambda: self._ended(code),
            )
        )
        self.on_changed()

    def _failed(self, code: str, error: Exception) -> None:
        """Keep the reason, with its way out, for what the panel says in the end."""
        if isinstance(error, CytoSynthError) and not isinstance(error, Cancelled):
            self._reasons[code] = f"{error} "

    def _ended(self, code: str) -> None:
        """Say of a fill that stopped early why, and where its cells are."""
        why = self._reasons.pop(code, "")
        passed = self._passed.pop(code, None)
        if passed is not None:
            where = _waiting(passed, code) or "No cell had passed yet."
            self._state.fill_outcome = f"{why}The fill of {code} stopped early. {where}"
        self.on_changed()

    def keep_running(self) -> None:
        """Mark what closing stops as interrupted, so that opening goes on with it."""
        running = {k for c, k in self._keys.items() if self._is_unfinished(c)}
        for job in self._project.jobs(JobState.CANCELLED):
            if job.key in running:
                self._project.put_job(replace(job, state=JobState.RUNNING))

    def _is_unfinished(self, code: str) -> bool:
        return self._jobs.is_unfinished(fill_key(code))

    def _stream(self, code: str, progress: Progress) -> None:
        if isinstance(progress.payload, tuple) and progress.payload:
            self._passed[code] = progress.done
            self.shelf.put(progress.payload)
            self.on_cells()
            self.on_changed()

    def _done(self, report: FillReport) -> None:
        self._passed.pop(report.code, None)
        self._state.fill_outcome = outcome(report)
        self._state.say(self._state.fill_outcome)


def fill_key(code: str) -> str:
    """Return the key under which a class is filled."""
    return f"fill:{code}"


def drawn_outcome(code: str, tally: Tally) -> str:
    """Say how a fill with vectors ended."""
    said = f"{tally.accepted} of {tally.wanted} vectors of {code} passed the critics"
    said += f" ({tally.drawn} drawn); they train the classifier if the use gate opens"
    if tally.place:
        said += f". They lie {tally.place}"
    if tally.refused:
        refused = ", ".join(f"{c} {n}" for c, n in sorted(tally.refused.items()))
        said += f"; refused by {refused}"
    if not tally.verified:
        said += f". Unverified: too few real {code} in the project to check them"
    return said + "."


def outcome(report: FillReport) -> str:
    """Say how a fill ended."""
    said = f"{report.accepted} of {report.asked} {report.code} passed the gate"
    if report.drawn:
        said += f" ({report.drawn} drawn, {report.acceptance:.0%} passed)"
    if report.reasons:
        refused = ", ".join(f"{c} {n}" for c, n in sorted(report.reasons.items()))
        said += f"; refused by {refused}"
    if not report.verified:
        said += f". Unverified: too few real {report.code} in the project to check them"
    return f"{said}. {_waiting(report.accepted, report.code)}".rstrip()


def _waiting(count: int, code: str) -> str:
    """Say where cells that passed are."""
    if not count:
        return ""
    cells = "cell waits" if count == 1 else "cells wait"
    return f"{count} {code} {cells} for your verdict in the tab Synthetic."
