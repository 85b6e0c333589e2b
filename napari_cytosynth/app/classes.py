"""Binds the dock on the right to the session: one row a class."""

from __future__ import annotations

from napari_cytosynth.app.figures import caveats
from napari_cytosynth.app.panels import ClassRow, Tab
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.views import ClassesView


class TaxonomyPresenter:
    """Counts, figures and *Fill* of every class.

    Parameters
    ----------
    session : Session
        What holds.
    view : ClassesView
        What shows it.
    """

    def __init__(self, session: Session, view: ClassesView) -> None:
        self._session, self._view = session, view
        self._shown: tuple[ClassRow, ...] = ()
        self._caveat = ""
        self._show_rows(session.state.classes)
        session.events.classes.connect(self._show_rows)
        session.events.evidence.connect(self._show_caveat)
        session.events.predictions.connect(self._show_caveat)
        view.classChosen.connect(self._on_class_chosen)
        view.filterAsked.connect(self._on_filter_asked)
        view.fillAsked.connect(session.ask_fill)
        view.findAsked.connect(session.searching.find_class)
        view.mergeAsked.connect(session.merge_class)
        view.referenceAsked.connect(self._on_reference_asked)

    def _show_rows(self, rows: tuple[ClassRow, ...]) -> None:
        old, self._shown = self._shown, rows
        if len(old) != len(rows):
            self._view.show_rows(rows)
            return
        for i, (before, after) in enumerate(zip(old, rows, strict=True)):
            if before != after:
                self._view.show_row(i, after)

    def _show_caveat(self) -> None:
        """Say what limits the figures of the rows most, and where the rest is told."""
        split = self._session.learner.caveat
        said = (split, *caveats(self._session.state.evidence))
        caveat, *more = [*dict.fromkeys(filter(None, said))] or [""]
        if more:
            caveat += f"; {len(more)} more under Evidence"
        if caveat != self._caveat:
            self._caveat = caveat
            self._view.show_caveat(caveat)

    def _on_class_chosen(self, code: str) -> None:
        """Label the focused cell; where no real cell is in front, do nothing."""
        if self._session.state.tab in (Tab.QUEUE, Tab.PREDICTED):
            self._session.label(code)

    def _on_filter_asked(self, code: str) -> None:
        """Limit the grid to a class; asked again, show all."""
        same = self._session.state.filter == code
        self._session.set_filter("" if same else code)

    def _on_reference_asked(self, code: str) -> None:
        cell = self._session.index.first_labelled(code)
        if cell is None:
            self._view.show_reference(code, None)
        else:
            self._view.show_reference(code, self._session.project.crops([cell])[0])
