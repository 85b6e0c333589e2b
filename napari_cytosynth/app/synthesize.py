"""Binds the *Fill* form and its progress to the session."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from napari_cytosynth.app.panels import ClassRow, FillForm, TaskStatus
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.synthetic_views import SynthesizeView
from napari_cytosynth.core.registry import (
    makes_cells,
    makes_vectors,
    names,
    needs_of,
    settings_of,
)
from napari_cytosynth.core.settings import asked_of

FEWEST, MOST = 8, 48
"""Bounds of the number of cells that the form suggests."""


class SynthesizePresenter:
    """The form of one class, what runs, and how it ended.

    Parameters
    ----------
    session : Session
        What holds.
    view : SynthesizeView
        What shows it.
    """

    def __init__(self, session: Session, view: SynthesizeView) -> None:
        self._session, self._view = session, view
        self._fills: tuple[TaskStatus, ...] = ()
        session.events.fill_class.connect(self._show_form)
        session.events.tasks.connect(self._show_fills)
        session.events.fill_outcome.connect(view.show_outcome)
        view.fillAsked.connect(self._on_fill_asked)
        view.cancelAsked.connect(session.jobs.cancel)
        view.removeAsked.connect(session.fills.remove_vectors)

    def _show_form(self, code: str) -> None:
        form = None
        if code:
            kept = self._session.fills.vectors.get(code, 0)
            form = form_of(self._session.state.classes, code, kept)
        self._view.show_form(form)

    def _show_fills(self, tasks: tuple[TaskStatus, ...]) -> None:
        fills = tuple(task for task in tasks if task.key.startswith("fill:"))
        if fills != self._fills:
            self._fills = fills
            self._view.show_fills(fills)

    def _on_fill_asked(
        self, code: str, count: int, generator: str, chosen: Mapping[str, Any]
    ) -> None:
        name, options = asked_of(generator, settings_of(generator), chosen)
        self._session.fill(code, count, name, options)


def form_of(rows: tuple[ClassRow, ...], code: str, vectors: int = 0) -> FillForm:
    """Return the form of a class: enough cells to reach the middle of the others."""
    row = next(r for r in rows if r.code == code)
    others = [r.labelled for r in rows if r.can_fill and r.labelled and r.code != code]
    gap = int(median(others)) - row.labelled - row.accepted if others else FEWEST
    warning = ""
    if not row.labelled:
        warning = (
            f"No real {row.name.lower()} is labelled, so nothing can check the "
            "synthetic ones: they come from the shipped weights and stay marked as "
            "unverified."
        )
    return FillForm(
        code=code,
        name=row.name,
        real=row.labelled,
        count=min(max(gap, FEWEST), MOST),
        generators=generators_of(row),
        warning=warning,
        vectors=vectors,
        notes=_notes(warning, vectors),
        settings={key: settings_of(key) for key in names("generators")},
    )


def generators_of(row: ClassRow) -> tuple[str, ...]:
    """Return the installed generators, those that make pictures first.

    Vectors are drawn around real cells: without one there is nothing to draw.
    """
    vectors = [key for key in names("generators") if makes_vectors(key)]
    pictures = [key for key in names("generators") if makes_cells(key)]
    return (*pictures, *(vectors if row.labelled else ()))


def _notes(warning: str, kept: int) -> dict[str, str]:
    """Return what must be known of each generator beyond the warning for all."""
    keys = names("generators")
    notes = {key: _note(kept) for key in keys if makes_vectors(key)}
    needs = {key: needs_of(key) for key in keys if makes_cells(key)}
    told = {key: f"{warning} {need}".strip() for key, need in needs.items() if need}
    return notes | told


def _note(kept: int) -> str:
    told = (
        "Makes vectors for the classifier, never shown as pictures. Those that pass "
        "the critics train it at once"
    )
    return f"{told}, in place of the {kept} kept now." if kept else f"{told}."
