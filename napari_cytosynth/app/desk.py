"""What lies before the reader: the grid, the focused cell, the smear, the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cytosynth.app.cellindex import CellIndex
from napari_cytosynth.app.dealt import Dealt
from napari_cytosynth.app.listing import Listing, refreshed
from napari_cytosynth.app.lists import Lists
from napari_cytosynth.app.navigate import Ranking, next_open
from napari_cytosynth.app.panels import DOUBTED, FAULTY, OPINION, Quality, Sort, Tab
from napari_cytosynth.app.state import SessionEvents, SessionState
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.rereading import fault, wants_second_opinion

if TYPE_CHECKING:
    from napari_cytosynth.workflows.suggest import Suggestion


class Desk:
    """State and navigation; nothing here is written to the project.

    Parameters
    ----------
    project : Project
        Read only here.
    state : SessionState
        The fields.

    Attributes
    ----------
    index : CellIndex
        All cells as arrays.
    lists : Lists
        What the grid may list.
    dealt : Dealt
        Which of its cards are dealt as if they had no label.
    """

    def __init__(self, project: Project, state: SessionState) -> None:
        self.project, self.state = project, state
        self.index = CellIndex(project.taxonomy)
        self.lists = Lists(project, state, self.index)
        self.dealt = Dealt(project, self.lists)
        self._lingers: SmearId | None = None

    @property
    def ranking(self) -> Ranking:
        """The queue as the strategy ranked it last."""
        return self.lists.ranking

    @property
    def events(self) -> SessionEvents:
        """One event a field; see :class:`SessionEvents`."""
        return self.state.events

    def focus_cell(self, cell: CellId | None) -> None:
        """Bring a cell, and its smear, before the reader.

        A cell that the grid does not hold is put in before the one focused till now,
        which thus comes next. It counts as chosen, unless the queue dealt it before.
        """
        if cell is None:
            self.state.focus = None
            return
        if cell not in self.index:
            return
        self._lingers = None
        listing = self.state.listing
        if listing.row_of(cell) is None:
            now = self.state.focus
            row = listing.row_of(now) if now is not None else None
            listing = listing.with_cell(cell, row or 0)
        smear = self.index.table.smear_of(cell)
        self.state.set({"listing": listing, "smear": smear, "focus": cell})

    def deal(self, cell: CellId) -> None:
        """Bring the next card of the grid before the reader, as the queue dealt it."""
        self.dealt.note(cell)
        self.focus_cell(cell)

    def pick(self, cell: CellId) -> None:
        """Bring a card before the reader that he picked out of the grid.

        Only the one that was next counts as dealt: who picks, picks by looks.
        """
        if cell == self.upcoming():
            self.deal(cell)
        else:
            self.focus_cell(cell)

    def code(self, cell: CellId) -> str:
        """Return the code of the label that is shown of a cell; empty: none.

        A held-out cell that the reader labelled before it was drawn is dealt again as
        if it had none; so are a few cells of the queue, to see whether he agrees with
        himself.
        """
        code = self.index.label(cell)
        return "" if code and self.dealt.hides(cell) else code

    def show_smear(self, smear: SmearId) -> None:
        """Put a smear on the canvas; the focus stays."""
        self.state.smear = smear

    def linger(self, smear: SmearId) -> None:
        """Stay on a smear whose cells go: the focus waits for those that come."""
        if self.state.smear == smear:
            self._lingers = smear

    def next(self) -> None:
        """Focus the next card, labelled or not."""
        self._step(1)

    def previous(self) -> None:
        """Focus the card before."""
        self._step(-1)

    def move(self, rows: int) -> None:
        """Focus the card that many rows further; stops at the ends."""
        self._step(rows)

    def _step(self, by: int) -> None:
        listing, focus = self.state.listing, self.state.focus
        if not len(listing):
            return
        row = listing.row_of(focus) if focus is not None else None
        target = 0 if row is None else min(max(row + by, 0), len(listing) - 1)
        cell = CellId(int(listing.ids[target]))
        if row is None or abs(by) == 1:
            self.deal(cell)
        else:
            self.pick(cell)

    def advance(self) -> None:
        """Focus the next cell of the grid that still wants a label."""
        cell = self.upcoming()
        if cell is not None:
            self.deal(cell)
        else:
            self.state.say("No further cell of this list wants a label.")

    def upcoming(self) -> CellId | None:
        """Return the cell that :meth:`advance` would focus."""
        return next_open(self.state.listing, self._wants, self.state.focus)

    def _wants(self, cell: CellId) -> bool:
        """Tell whether a cell of the grid still waits for this reader."""
        if cell not in self.index:
            return False
        journal = self.project.journal
        if self.state.filter == OPINION:
            return wants_second_opinion(journal, cell)
        if self.state.filter == FAULTY:
            return bool(fault(journal, cell))
        if self.state.filter == DOUBTED:
            return self.lists.is_doubted(cell) and not journal.skipped(cell)
        return not self.code(cell) and not journal.skipped(cell)

    def set_tab(self, tab: Tab) -> None:
        """Bring a tab forward."""
        self.state.tab = tab
        if tab in (Tab.QUEUE, Tab.PREDICTED):
            self._relist()

    def set_filter(self, code: str) -> None:
        """Limit the grid to a class, or to second opinions wanted; empty: all."""
        self.state.filter = code
        self._relist()

    def set_sort(self, sort: Sort) -> None:
        """Order the grid."""
        self.state.sort = sort
        self._relist()

    def set_quality(self, quality: Quality) -> None:
        """Show flagged cells last, not at all, or alone."""
        self.state.quality = quality
        self._relist()

    def set_blind(self, hidden: bool) -> None:
        """Hide predictions, and everything that tells them."""
        self.state.blind = hidden
        self._relist()

    def show_found(self, found: Listing | None, title: str) -> None:
        """List what a search found in the queue's place; None: the queue again."""
        self.lists.found = found
        self.state.set({"search": title, "tab": Tab.QUEUE})
        self.state.focus = None
        self._relist()

    def take_found(self, found: Listing) -> None:
        """Take in that a search found more; the card under the user's eye stays."""
        self.lists.found = found
        self._refresh()

    def return_to(self, cell: CellId) -> None:
        """Bring the cell back on which the reader left the queue, if it waits still."""
        if self._wants(cell):
            self.focus_cell(cell)

    def take_doubts(self) -> None:
        """List the labels doubted now, where the reader works through them."""
        if self.state.filter == DOUBTED:
            self._refresh()

    def _relist(self) -> None:
        """List anew, as the user asked for another list."""
        self._lingers = None
        listing, focus = self.lists.resolved(), self.state.focus
        if self.lists.choice().audits and focus is not None:
            # In its place of the new list it would leave the cards above it behind.
            listing = listing.led_by(focus)
        self.state.listing = listing
        if focus is None or listing.row_of(focus) is None:
            # Or a key would label a cell that the list does not show.
            self._focus_first()

    def _refresh(self) -> None:
        """List anew behind the reader's back: the focused card stays where it is."""
        old, focus = self.state.listing, self.state.focus
        self.state.listing = refreshed(old, self.lists.resolved(), focus)
        if self.state.focus is None:
            self._focus_first()

    def _focus_first(self) -> None:
        if self._lingers is not None:
            self._focus_lingering(self._lingers)
            return
        cell = self.upcoming()
        if cell is not None:
            self.deal(cell)

    def _focus_lingering(self, smear: SmearId) -> None:
        table = self.index.table
        here = table.ids[table.smears == smear]
        listed = self.state.listing.ids
        for number in (*listed[np.isin(listed, here)], *here[:1]):
            self.focus_cell(CellId(int(number)))
            return

    def rank(self, suggestion: Suggestion) -> None:
        """Take in a new ranking; it never moves the card under the user's eye."""
        query = suggestion.query
        ids = [int(i) for i in query.ids]
        reasons = {i: why for i, why in zip(ids, query.reasons, strict=True) if why}
        listing = Listing(query.ids, reasons)
        late, repeats = suggestion.late, suggestion.repeats
        self.lists.ranking = Ranking(listing, suggestion.draws, late, repeats)
        self.dealt.take_ranking()
        self._refresh()
