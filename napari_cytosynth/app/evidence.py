"""Binds the tab *Evidence* to the session."""

from __future__ import annotations

from napari_cytosynth.app.figures import caveats, curves, verdict
from napari_cytosynth.app.panels import TaskStatus
from napari_cytosynth.app.session import EVALUATE, Session
from napari_cytosynth.app.views import EvidenceView


class EvidencePresenter:
    """Whether synthesis helped, on audit cells only.

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
        self._show()
        session.events.evidence.connect(self._show)
        session.events.tasks.connect(self._show_busy)
        view.evaluateAsked.connect(session.evaluate)

    def _show(self) -> None:
        evidence = self._session.state.evidence
        self._view.show_curves(curves(evidence))
        self._view.show_verdict(verdict(evidence), caveats(evidence))

    def _show_busy(self, tasks: tuple[TaskStatus, ...]) -> None:
        busy = next((task for task in tasks if task.key == EVALUATE), None)
        if busy != self._busy:
            self._busy = busy
            self._view.show_busy(busy)
