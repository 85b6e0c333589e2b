"""Fields of view to label whole: which comes next, its outline, its missed places."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.learner import embed
from napari_cytosynth.app.listing import Listing
from napari_cytosynth.app.reading import Reading
from napari_cytosynth.app.scene import FieldMark
from napari_cytosynth.app.searching import Searching
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.tasks import Task

if TYPE_CHECKING:
    from napari_cytosynth.app.session import Session
    from napari_cytosynth.app.smears import Opener
    from napari_cytosynth.app.views import CanvasView
    from napari_cytosynth.learning.head import Head
    from napari_cytosynth.workflows.fields import Field

FIELDS = "fields"
"""Key of the task that ranks fields."""

_LOOKED = 12  # a fifth of a second each; those behind are looked at as one goes on


class Fields:
    """Goes from field to field, the one that teaches most first.

    The cells of a field are listed in the queue's place, as what a search found is. The
    ranking allows for what better fields teach, so the next one comes at once. Behind
    it the rest is ranked anew with what was labelled since, and missed cells are looked
    for in the best, which takes longer.

    Parameters
    ----------
    desk : Reading
        Shows the cells, and adds those that were missed.
    searching : Searching
        Keeps the way back to the queue.
    compute : Compute
        Embeds.
    jobs : Jobs
        Runs the ranking.
    opener : callable, optional
        Opens a picture by its uri, to look for missed cells.

    Attributes
    ----------
    head : Head or None
        By which cells are ranked; the session sets it.
    """

    def __init__(
        self,
        desk: Reading,
        searching: Searching,
        compute: Compute,
        jobs: Jobs,
        opener: Opener | None = None,
    ) -> None:
        self._desk, self._searching = desk, searching
        self._compute, self._jobs, self._opener = compute, jobs, opener
        self._ahead: list[Field] = []
        self._visited: set[tuple[SmearId, Box]] = set()
        self.head: Head | None = None
        desk.events.search.connect(self._on_search)
        desk.events.cells.connect(self._on_cells)

    def next(self) -> None:
        """Go to the field that teaches most of those not visited yet."""
        while self._ahead:
            field = self._ahead.pop(0)
            if field.missed or len(self._open(field)):
                self._go(field)
                self._rank(going=False)
                return
        self._rank(going=True)

    def forget(self) -> None:
        """Rank anew when a field is asked for: another strategy, or other vectors."""
        self._ahead.clear()

    def add_missed(self) -> None:
        """Make a cell of the first place of this field where one was missed."""
        field = self._desk.state.outlined
        if field is None or not field.places:
            self._desk.state.say("No place of a missed cell is marked here.")
            return
        self._desk.add_cell(field.smear, *field.places[0].centre)

    def _rank(self, *, going: bool) -> None:
        def done(found: list[Field]) -> None:
            new = [f for f in found if (f.smear, f.box) not in self._visited]
            if going and found and not new:
                self._visited.clear()
                new = found
            self._ahead = new
            if going and new:
                self.next()
            elif going:
                self._desk.state.say("No field holds anything more to label.")
            else:
                self._mark(found)

        title = "Looking for the field that teaches most"
        task = self._task(0 if going else _LOOKED)
        self._jobs.start(Order(FIELDS, title, task, done, quiet=not going))

    def _mark(self, found: list[Field]) -> None:
        """Mark what was missed in the field that is open, once it was looked for."""
        mark = self._desk.state.outlined
        for field in found:
            if mark is not None and (field.smear, field.box) == (mark.smear, mark.box):
                self._desk.state.outlined = replace(mark, places=field.missed)
        # A cell may have been added while they were looked for.
        self._on_cells()

    def _task(self, looked: int) -> Task[list[Field]]:
        from napari_cytosynth.workflows.fields import FieldConfig, rank_fields

        state, project = self._desk.state, self._desk.project
        key = yield from embed(project, self._compute, state.embedder)
        config = FieldConfig(state.strategy, looked=looked, opener=self._opener)
        return (yield from rank_fields(project, key, head=self.head, config=config))

    def _open(self, field: Field) -> Listing:
        """Return the field's cells that still want a label, line by line."""
        index = self._desk.index
        ids = np.array([i for i in field.cells if i in index], np.int64)
        ids = ids[[not self._desk.code(i) for i in ids.tolist()]]
        boxes = index.table.boxes[index.table.rows(ids)]
        lines = np.floor(boxes[:, 1] / max(field.box.height / 5, 1))
        return Listing(ids[np.lexsort([boxes[:, 0], lines])])

    def _go(self, field: Field) -> None:
        self._visited.add((field.smear, field.box))
        self._desk.state.outlined = None
        self._desk.show_smear(field.smear)
        cells = self._open(field)
        self._searching.show(cells, f"This field {field.reason}.")
        self._desk.state.outlined = FieldMark(field.smear, field.box, field.missed)

    def _on_search(self) -> None:
        """Take the outline away with the list of its cells."""
        self._desk.state.outlined = None

    def _on_cells(self) -> None:
        """Take away the marks of places that became cells."""
        from napari_cytosynth.workflows.missed import uncovered

        field, table = self._desk.state.outlined, self._desk.index.table
        if field is None or not field.places:
            return
        rows = np.array([(p.x, p.y, p.width, p.height) for p in field.places])
        left = uncovered(
            rows.astype(np.float32), table.boxes[table.smears == field.smear]
        )
        self._desk.state.outlined = replace(field, places=left)


class FieldsPresenter:
    """Outlines the field on the canvas, and marks what was missed in it.

    Parameters
    ----------
    session : Session
        What holds.
    view : CanvasView
        What shows it.
    """

    def __init__(self, session: Session, view: CanvasView) -> None:
        self._session, self._view = session, view
        self._framed: Box | None = None
        for event in (session.events.outlined, session.events.smear):
            event.connect(self._show)
        self._show()

    def _show(self) -> None:
        state = self._session.state
        mark = state.outlined
        if mark is not None and mark.smear != state.smear:
            mark = None
        self._view.show_field(mark)
        if mark is not None and mark.box != self._framed:
            self._view.frame(mark.box)
        self._framed = None if mark is None else mark.box
