"""Binds the strip of the window to the session: who, what runs, what went wrong."""

from __future__ import annotations

from napari_cytosynth.app.panels import StatusLine
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.views import StatusView


class StatusPresenter:
    """Name, counts, tasks, messages.

    Parameters
    ----------
    session : Session
        What holds.
    view : StatusView
        What shows it.
    """

    def __init__(self, session: Session, view: StatusView) -> None:
        self._session, self._view = session, view
        self._line: StatusLine | None = None
        self._said = False
        self._show_line()
        events = session.events
        for event in (events.annotator, events.classes, events.model, events.history):
            event.connect(self._show_line)
        for changed in (events.cells, events.smear, events.rescaled, events.reopened):
            changed.connect(self._show_line)
        events.tasks.connect(view.show_tasks)
        events.message.connect(self._show_message)
        events.failed.connect(self._show_failure)
        events.history.connect(self._forget)
        view.annotatorGiven.connect(session.set_annotator)
        view.cancelAsked.connect(session.jobs.cancel)
        view.undoAsked.connect(session.undo)
        view.redoAsked.connect(session.redo)
        if not session.state.annotator:
            view.ask_annotator()

    def _show_message(self, sentence: str) -> None:
        self._said = True
        self._view.show_message(sentence)

    def _show_failure(self, sentence: str) -> None:
        self._said = True
        self._view.show_failure(sentence)

    def _forget(self) -> None:
        """Take the last sentence away: after the next step it may not hold any more."""
        if self._said:
            self._said = False
            self._view.show_message("")

    def _show_line(self) -> None:
        line = status_line(self._session)
        if line != self._line:
            self._line = line
            self._view.show_status(line)


def status_line(session: Session) -> StatusLine:
    """Return the strip of the window as it stands."""
    undo, redo = session.state.history
    smear, scaling = session.state.smear, session.scaling
    return StatusLine(
        annotator=session.state.annotator,
        project=session.project.name,
        labelled=int(session.index.counts.sum()),
        cells=len(session.index),
        model=session.state.model,
        undo=undo,
        redo=redo,
        scale="" if smear is None else scaling.words(smear),
        unsure=smear is not None and scaling.is_unsure(smear),
        pace=session.measuring.pace().per_minute,
    )
