"""Binds the tab *Evidence* to the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cytosynth.app.evaluating import EVALUATE
from napari_cytosynth.app.figures import caveats, curves, inspected, verdict
from napari_cytosynth.app.jobs import Order
from napari_cytosynth.app.panels import TaskStatus
from napari_cytosynth.app.progress import learning_of, progress_lines
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.views import EvidenceView
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.evidence.record import Evidence


REPORT = "report"
"""Key of the task that writes the report."""


class EvidencePresenter:
    """How good the model is, and whether synthesis helped.

    Parameters
    ----------
    session : Session
        What holds.
    view : EvidenceView
        What shows it.
    """

    def __init__(self, session: Session, view: EvidenceView) -> None:
        self._session, self._view = session, view
        self._busy: TaskStatus | None = None
        self._said: tuple[str, tuple[str, ...]] | None = None
        self._progress: tuple[str, ...] | None = None
        self._show()
        self._show_inspected()
        session.events.evidence.connect(self._show)
        session.events.inspection.connect(self._show_inspected)
        session.events.tasks.connect(self._show_busy)
        session.events.history.connect(self._show_verdict)
        session.events.classes.connect(self._show_verdict)
        session.events.use_gate.connect(self._show_verdict)
        events = session.events
        for changed in (events.accuracy, events.stopping, events.doubts, events.blind):
            changed.connect(self._show_progress)
        events.agreements.connect(self._show_progress)
        events.touched.connect(self._show_progress)
        events.model.connect(self._show_progress)
        events.curve.connect(self._show_learning)
        view.evaluateAsked.connect(session.evaluating.start)
        view.reportAsked.connect(self._save)

    def _show(self) -> None:
        evidence = self._session.state.evidence
        self._view.show_curves(curves(evidence))
        self._view.show_report(evidence is not None)
        self._show_verdict()
        self._show_progress()
        self._show_learning()

    def _show_inspected(self) -> None:
        """Show the figures that were kept; nothing is computed here."""
        self._view.show_inspected(inspected(self._session.state.inspection))

    def _show_learning(self) -> None:
        self._view.show_learning(learning_of(self._session.state.curve))

    def _show_progress(self) -> None:
        """Say how good the model is, and what more labels would bring."""
        lines = progress_lines(self._session.state, len(self._session.lists.doubted()))
        if lines != self._progress:
            self._progress = lines
            self._view.show_progress(lines)

    def _show_verdict(self) -> None:
        """Say what was found, and first of all if it no longer answers the labels."""
        evidence = self._session.state.evidence
        journal = self._session.project.journal
        old = "" if evidence is None else evidence.outdated(journal)
        limits = caveats(evidence)
        gate = self._session.state.use_gate
        told = f"training: {gate}" if gate else ""
        said = (
            verdict(evidence),
            tuple(s for s in (old, told, *self._session.state.findings, *limits) if s),
        )
        if said != self._said:
            self._said = said
            self._view.show_verdict(*said)

    def _save(self, path: str) -> None:
        """Write the page that ``cytosynth evaluate --out`` writes."""
        evidence = self._session.state.evidence
        if evidence is not None:
            task = _written(self._session, evidence, path)
            self._session.jobs.start(
                Order(REPORT, "Writing the report", task, self._session.state.say)
            )

    def _show_busy(self, tasks: tuple[TaskStatus, ...]) -> None:
        busy = next((task for task in tasks if task.key == EVALUATE), None)
        if busy != self._busy:
            self._busy = busy
            self._view.show_busy(busy)


def _written(session: Session, evidence: Evidence, path: str) -> Task[str]:
    from napari_cytosynth.evidence.report import places_of, write_report

    yield Progress(0, 1, "gathering pictures and figures")
    places_of(path)
    appendix = yield from session.evaluating.appendix()
    page, twin = write_report(evidence, path, appendix)
    return f"The report was written to {page}, its figures to {twin.name}."
