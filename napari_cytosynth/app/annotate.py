"""Binds the dock below to the session: queue, filter, sort, keys."""

from __future__ import annotations

from napari_cytosynth.app.cards import CellCards
from napari_cytosynth.app.details import AHEAD
from napari_cytosynth.app.keys import Keyboard
from napari_cytosynth.app.panels import Quality, Sort, Tab
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.views import AnnotateView
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.quality import words
from napari_cytosynth.core.registry import BY_DENSITY, names
from napari_cytosynth.core.rereading import comments


class AnnotatePresenter:
    """Queue and predicted cells; one key labels and moves on.

    Parameters
    ----------
    session : Session
        What holds.
    view : AnnotateView
        What shows it.

    Attributes
    ----------
    keyboard : Keyboard
        Does what keys mean; the canvas shares it.
    """

    def __init__(self, session: Session, view: AnnotateView) -> None:
        self._session, self._view = session, view
        self._cards = CellCards(session, session.state.listing, session.crops)
        self.keyboard = Keyboard(session, view.show_pending, self._ask_comment)
        self._show_all()
        self._listen_to_session()
        self._listen_to_view()

    def _listen_to_session(self) -> None:
        events = self._session.events
        events.listing.connect(self._show_cards)
        events.tasks.connect(self._explain)
        events.predictions.connect(self._show_cards)
        events.focus.connect(self._show_focus)
        events.touched.connect(self._on_touched)
        events.tab.connect(self._on_tab)
        events.filter.connect(self._view.show_filter)
        events.sort.connect(self._view.show_sort)
        events.quality.connect(self._view.show_quality)
        events.search.connect(self._view.show_search)
        events.strategy.connect(self._view.show_strategy)
        events.shares.connect(self._show_shares)
        events.blind.connect(self._on_blind)
        self._session.details.on_known = self._show_details

    def _listen_to_view(self) -> None:
        session, view = self._session, self._view
        view.keyPressed.connect(self._on_key_pressed)
        view.cellChosen.connect(self._on_cell_chosen)
        view.tabChosen.connect(self._on_tab_chosen)
        view.filterChosen.connect(session.set_filter)
        view.sortChosen.connect(self._on_sort_chosen)
        view.qualityChosen.connect(self._on_quality_chosen)
        view.fieldAsked.connect(session.fields.next)
        view.likeAsked.connect(self._on_like_asked)
        view.searchLeft.connect(session.searching.leave)
        view.strategyChosen.connect(session.set_strategy)
        view.blindToggled.connect(session.set_blind)
        view.commentGiven.connect(self._on_comment_given)

    def _show_all(self) -> None:
        taxonomy, state, view = (
            self._session.project.taxonomy,
            self._session.state,
            self._view,
        )
        classes = tuple((c.code, c.name) for c in taxonomy)
        view.show_choices(classes, (*names("strategies"), BY_DENSITY))
        view.show_tab(state.tab)
        view.show_filter(state.filter)
        view.show_sort(state.sort)
        view.show_quality(state.quality)
        view.show_search(state.search)
        view.show_strategy(state.strategy)
        self._show_shares()
        view.show_blind(state.blind)
        self._show_cards()

    def _show_shares(self) -> None:
        shares = self._session.state.shares
        self._view.show_shares("" if shares is None else str(shares))

    def _show_cards(self) -> None:
        listing = self._session.state.listing
        self._cards = CellCards(self._session, listing, self._session.crops)
        self._explain()
        self._view.show_cards(self._cards)
        self._show_focus()

    def _explain(self, *_: object) -> None:
        """Say why nothing is listed, where nothing is."""
        if not len(self._session.state.listing):
            self._view.show_nothing(self._session.lists.why_empty())

    def _show_focus(self) -> None:
        focus = self._session.state.focus
        row = None if focus is None else self._cards.row_of(focus)
        self._view.show_focus(row)
        self._show_details()
        if row is not None:
            listing = self._session.state.listing
            self._session.details.want(listing.ids[row : row + AHEAD])

    def _show_details(self) -> None:
        session, focus = self._session, self._session.state.focus
        lines: tuple[str, ...] = ()
        if focus is not None:
            guesses = self._cards.shows_guesses(focus)
            lines = session.details.lines(focus, guesses=guesses)
            if focus in session.index and (flaws := session.index.flaw(focus)):
                lines = (f"The picture is {words(flaws)}.", *lines)
        self._view.show_details(lines)

    def _on_touched(self, cell: int) -> None:
        row = self._cards.row_of(cell)
        if row is not None:
            self._view.show_card_changed(row)
        if cell == self._session.state.focus:
            self._show_details()

    def _on_tab(self, tab: Tab) -> None:
        # Two tabs may list the same cells, and show different things of them.
        self._view.show_tab(tab)
        self._show_cards()

    def _on_blind(self, hidden: bool) -> None:
        self._view.show_blind(hidden)
        self._show_cards()

    def _ask_comment(self) -> None:
        focus = self._session.state.focus
        if focus is not None:
            said = comments(self._session.project.journal, focus)
            self._view.ask_comment(said[-1] if said else "")

    def _on_key_pressed(self, key: str) -> None:
        self.keyboard.press(key)

    def _on_cell_chosen(self, row: int) -> None:
        ids = self._session.state.listing.ids
        if 0 <= row < len(ids):
            self._session.pick(CellId(int(ids[row])))

    def _on_like_asked(self, row: int) -> None:
        ids = self._session.state.listing.ids
        if 0 <= row < len(ids):
            self._session.searching.like_cell(CellId(int(ids[row])))

    def _on_tab_chosen(self, tab: str) -> None:
        self._session.set_tab(Tab(tab))

    def _on_sort_chosen(self, sort: str) -> None:
        self._session.set_sort(Sort(sort))

    def _on_quality_chosen(self, quality: str) -> None:
        self._session.set_quality(Quality(quality))

    def _on_comment_given(self, text: str) -> None:
        if text.strip():
            self._session.comment(text.strip())
