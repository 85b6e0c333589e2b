"""Searches from the desk: more cells of a class, more cells like one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cytosynth.app.desk import Desk
from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.learner import embed
from napari_cytosynth.app.listing import Listing
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.workflows.search import Found

SEARCH = "search"
"""Key of the task that searches."""

_CARDS = 200


class Searching:
    """Lists what a search found in place of the queue, until the reader leaves it.

    A search for a class is made again after every round of learning, with the same
    draws: what was labelled since, as this class or as another, sharpens it.

    Parameters
    ----------
    desk : Desk
        Shows what was found.
    compute : Compute
        Embeds and draws.
    jobs : Jobs
        Runs the search.
    """

    def __init__(self, desk: Desk, compute: Compute, jobs: Jobs) -> None:
        self._desk, self._compute, self._jobs = desk, compute, jobs
        self._code = ""
        self._found: Found | None = None
        self._before: CellId | None = None

    def find_class(self, code: str) -> None:
        """Look for unlabelled cells of a class, and list them in the tab *Queue*."""
        self._start(self._search_class(code), code, code)

    def like_cell(self, cell: CellId | None = None) -> None:
        """Look for cells like one; by default like the focused one."""
        cell = self._desk.state.focus if cell is None else cell
        if cell is None:
            self._desk.state.fail("No cell is focused. Click the one to find more of.")
            return
        self._start(self._search_alike(cell), f"cell {cell}")

    def leave(self) -> bool:
        """Go back to the queue and to the cell that was focused; False: no search."""
        self._jobs.cancel(SEARCH)
        if not self._desk.state.search:
            return False
        before, self._before, self._code = self._before, None, ""
        self._desk.show_found(None, "")
        if before is not None:
            self._desk.return_to(before)
        return True

    def again(self) -> None:
        """Search for the same class once more, as more is known now."""
        if not self._code or not self._desk.state.search:
            return
        task = self._search_class(self._code, self._found)
        title = f"Looking for {self._code}"
        self._jobs.start(Order(SEARCH, title, task, self._sharpened, quiet=True))

    def _search_class(self, code: str, known: Found | None = None) -> Task[Found]:
        from napari_cytosynth.workflows.search import find_class

        state, made = self._desk.state, None if known is None else known.examples
        project = self._desk.project
        key = yield from embed(project, self._compute, state.embedder)
        compute = self._compute
        return (yield from find_class(project, compute, code, key, n=_CARDS, made=made))

    def _search_alike(self, cell: CellId) -> Task[Found]:
        from napari_cytosynth.workflows.search import find_alike

        project = self._desk.project
        key = yield from embed(project, self._compute, self._desk.state.embedder)
        yield Progress(0, 1, "comparing cells")
        return find_alike(project, cell, key, n=_CARDS)

    def _start(self, task: Task[Found], like: str, code: str = "") -> None:
        def done(found: Found) -> None:
            self._show(found)
            self._code, self._found = code, found

        self._jobs.start(Order(SEARCH, f"Looking for more like {like}", task, done))

    def show(self, found: Listing, title: str) -> None:
        """List cells from their top until :meth:`leave`; ``title`` says which."""
        if not self._desk.state.search:
            self._before = self._desk.state.focus
        self._code = ""
        self._desk.show_found(found, title)

    def _show(self, found: Found) -> None:
        """List what was found; say what was missing."""
        desk = self._desk
        if found.note:
            desk.state.say(f"No synthetic example was drawn. {found.note}")
        self.show(_listing(found), found.title(desk.project.taxonomy))

    def _sharpened(self, found: Found) -> None:
        if self._desk.state.search:
            self._found = found
            self._desk.take_found(_listing(found))


def _listing(found: Found) -> Listing:
    ids = found.query.ids
    return Listing(ids, dict(zip(ids.tolist(), found.query.reasons, strict=True)))
