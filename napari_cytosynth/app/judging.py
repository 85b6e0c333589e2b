"""The synthetic cells before the reader, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Callable

from napari_cytosynth.app.jobs import Jobs
from napari_cytosynth.app.panels import NAMED
from napari_cytosynth.app.shelf import Shelf
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import CytoSynthError
from napari_cytosynth.core.ids import SyntheticId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.workflows.review import judge


class Judging:
    """Goes through synthetic cells and accepts or rejects them.

    Parameters
    ----------
    project : Project
        Takes the verdicts.
    shelf : Shelf
        The synthetic cells.
    jobs : Jobs
        Tells of failures.
    state : SessionState
        Told what is listed, and which cell is under review.

    Attributes
    ----------
    on_judged : callable
        Told when a verdict was given, undone or redone.
    """

    def __init__(
        self, project: Project, shelf: Shelf, jobs: Jobs, state: SessionState
    ) -> None:
        self._project, self._shelf = project, shelf
        self._jobs, self._state = jobs, state
        self.on_judged: Callable[[], None] = lambda: None

    def relist(self) -> None:
        """Show the synthetic cells of the class chosen; the one under review stays."""
        wanted = self._state.filter
        code = "" if wanted in NAMED else wanted
        self._state.sieves = self._shelf.sieves(code)
        if self._state.sieve not in {key for key, _, _ in self._state.sieves}:
            self._state.sieve = ""
        ids = self._shelf.ids(code, self._state.sieve)
        self._state.synthetic = ids
        if self._state.review not in ids:
            # Of what is looked at afterwards nothing waits: it begins with the first.
            first = ids[0] if ids and self._state.sieve else None
            self._state.review = self._next_open(ids) or first

    def sift(self, sieve: str) -> None:
        """Show those that a sieve lets through; see ``Shelf.sieves``."""
        self._state.sieve = sieve
        self.relist()

    def focus(self, number: SyntheticId | None) -> None:
        """Bring a synthetic cell before the reader."""
        self._state.review = number

    def move(self, rows: int) -> None:
        """Go that many cells further; stops at the ends."""
        ids, now = self._state.synthetic, self._state.review
        if ids:
            row = ids.index(now) + rows if now in ids else 0
            self._state.review = ids[min(max(row, 0), len(ids) - 1)]

    def judge(self, accept: bool) -> bool:
        """Accept or reject the cell under review, and go to the next that waits.

        False, said by ``failed``, if there is none, nobody reads, or the project
        refuses.
        """
        number = self._state.review
        if number is None:
            self._state.fail("No synthetic cell is under review. Click one first.")
            return False
        if not self._state.annotator:
            self._state.fail("A verdict needs a name. Give yours first.")
            return False
        author = self._state.author()
        try:
            judge(self._project, self._shelf[number], accept, author)
        except (CytoSynthError, OSError) as error:
            self._jobs.tell("Keeping the verdict", error)
            return False
        self._take(number)
        self._state.review = self._next_open(self._state.synthetic) or number
        return True

    def restore(self, number: SyntheticId) -> None:
        """Take in what the journal now says of a cell, and go back to it."""
        if number in self._shelf:
            self._take(number)
            self._state.review = number

    def _take(self, number: SyntheticId) -> None:
        verdict = self._project.journal.verdict(number)
        status = {None: Status.PROPOSED, True: Status.ACCEPTED, False: Status.REJECTED}
        self._shelf.set_status(number, status[verdict])
        self._state.events.judged.emit(int(number))
        self.on_judged()

    def _next_open(self, ids: tuple[SyntheticId, ...]) -> SyntheticId | None:
        now, waits = self._state.review, Status.PROPOSED
        start = ids.index(now) + 1 if now in ids else 0
        waiting = (
            i for i in ids[start:] + ids[:start] if self._shelf[i].status is waits
        )
        return next(waiting, None)
