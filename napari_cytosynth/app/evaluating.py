"""Whether synthesis helped: measured in the background, and read again at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.learner import Learner, embed
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.evidence.appendix import Appendix
    from napari_cytosynth.evidence.inspection import Inspection
    from napari_cytosynth.evidence.record import Evidence

EVALUATE = "evaluate"
"""Key of the task that measures."""


class Evaluating:
    """Measures benefit on audit cells, and inspects the accepted synthetic cells.

    Parameters
    ----------
    project, compute : Project, Compute
        Where cells stand and vectors are made.
    jobs : Jobs
        Runs the tasks.
    state : SessionState
        Takes what was found.
    learner : Learner
        Lends what fits heads, and its seed.
    """

    def __init__(
        self,
        project: Project,
        compute: Compute,
        jobs: Jobs,
        state: SessionState,
        learner: Learner,
    ) -> None:
        self._project, self._compute = project, compute
        self._jobs, self._state, self._learner = jobs, state, learner

    def recall(self) -> None:
        """Show what was found last, unless something newer is there by then."""
        order = Order("restore", "Reading", self._stored(), self._restore, quiet=True)
        self._jobs.start(order)

    def _stored(self) -> Task[tuple[Evidence | None, Inspection | None]]:
        from napari_cytosynth.workflows.evaluate import stored_evidence
        from napari_cytosynth.workflows.fidelity import stored_inspection

        yield Progress(0, 1, "reading the last evaluation")
        return stored_evidence(self._project), stored_inspection(self._project)

    def _restore(self, found: tuple[Evidence | None, Inspection | None]) -> None:
        if self._state.evidence is None:
            self._take(found)

    def start(self) -> None:
        """Measure on audit cells whether synthesis helped, against the controls."""
        self._jobs.start(Order(EVALUATE, "Evaluating", self._measuring(), self._take))

    def _measuring(self) -> Task[tuple[Evidence, Inspection]]:
        from napari_cytosynth.workflows.evaluate import evaluate
        from napari_cytosynth.workflows.fidelity import inspect_synthetic

        project, compute = self._project, self._compute
        key = yield from embed(project, compute, self._state.embedder)
        seed, fit = self._learner.seed, self._learner.fitter
        evidence = yield from evaluate(project, key, compute, seed=seed, fit=fit)
        inspection = yield from inspect_synthetic(project, key, compute, seed=seed)
        return evidence, inspection

    def _take(self, found: tuple[Evidence | None, Inspection | None]) -> None:
        evidence, inspection = found
        told = () if inspection is None else inspection.findings
        self._state.findings = tuple(map(str, told))
        self._state.inspection = inspection
        self._state.evidence = evidence

    def appendix(self) -> Task[Appendix]:
        """Return what a report shows beside its figures."""
        from napari_cytosynth.workflows.appendix import gather_appendix

        project, seed = self._project, self._learner.seed
        key = yield from embed(project, self._compute, self._state.embedder)
        return (yield from gather_appendix(project, key, self._compute, seed=seed))
