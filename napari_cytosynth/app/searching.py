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

SEARCH, DRAW = "search", "search-draw"
"""Keys of the tasks that search, and that draw examples for a search."""

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
        self._code = self._drawing = ""
        self._found: Found | None = None
        self._before: CellId | None = None

    def find_class(self, code: str) -> None:
        """Look for unlabelled cells of a class, and list them in the tab *Queue*.

        What the examples at hand find comes at once; vectors are drawn behind it, which
        takes a backend some seconds, and sharpen the list.
        """
        self._start(self._at_hand(code), code, code)

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
        self._jobs.cancel(DRAW)
        self._drawing = ""
        if not self._desk.state.search:
            return False
        before, self._before, self._code = self._before, None, ""
        self._desk.show_found(None, "")
        if before is not None:
            self._desk.return_to(before)
        return True

    def again(self) -> None:
        """Search for the same class once more, as more is known now.

        Not while something else is looked for, which it would supersede.
        """
        code, key = self._code, SEARCH if self._found is not None else DRAW
        if not code or not self._desk.state.search or self._jobs.is_running(SEARCH):
            return
        # What draws is not begun anew by every label, or it would never end.
        if key == DRAW and code == self._drawing:
            return
        task, title = self._search_class(code, self._found), f"Looking for {code}"
        if key == DRAW:
            self._drawing = code
        end = self._drawn if key == DRAW else None
        self._jobs.start(
            Order(key, title, task, self._sharpened, on_end=end, quiet=True)
        )

    def _drawn(self) -> None:
        self._drawing = ""

    def _search_class(self, code: str, known: Found | None = None) -> Task[Found]:
        from napari_cytosynth.workflows.search import find_class

        state, made = self._desk.state, None if known is None else known.examples
        project = self._desk.project
        key = yield from embed(project, self._compute, state.embedder)
        compute = self._compute
        return (yield from find_class(project, compute, code, key, n=_CARDS, made=made))

    def _at_hand(self, code: str) -> Task[Found]:
        """Search by what is kept, where a real cell of the class has its label."""
        from napari_cytosynth.workflows.examples import synthetic_examples
        from napari_cytosynth.workflows.search import find_class

        project, made = self._desk.project, None
        key = yield from embed(project, self._compute, self._desk.state.embedder)
        if self._desk.index.first_labelled(code) is not None:
            dim = project.embeddings(key, project.cells().ids[:1]).shape[1]
            made = synthetic_examples(project, key, dim)
        return (
            yield from find_class(
                project, self._compute, code, key, n=_CARDS, made=made
            )
        )

    def _search_alike(self, cell: CellId) -> Task[Found]:
        from napari_cytosynth.workflows.search import find_alike

        project = self._desk.project
        key = yield from embed(project, self._compute, self._desk.state.embedder)
        yield Progress(0, 1, "comparing cells")
        return find_alike(project, cell, key, n=_CARDS)

    def _start(self, task: Task[Found], like: str, code: str = "") -> None:
        def done(found: Found) -> None:
            self._show(found)
            self._code, self._found = code, None
            self.again()

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
        desk = self._desk
        if not desk.state.search or found.like != self._code:
            return
        if found.note and self._found is None:
            desk.state.say(f"No synthetic example was drawn. {found.note}")
        self._found = found
        desk.take_found(_listing(found))
        desk.state.search = found.title(desk.project.taxonomy)


def _listing(found: Found) -> Listing:
    ids = found.query.ids
    return Listing(ids, dict(zip(ids.tolist(), found.query.reasons, strict=True)))
