"""Which cells the grid holds, and which comes next. Pure functions.

Intent (tab, filter, sort) and data (ranking, labels, guesses) resolve to a listing; the
desk compares it with the one shown and tells the view only of a change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.cellindex import NONE, CellIndex, Rows
from napari_cytosynth.app.listing import Listing
from napari_cytosynth.app.panels import (
    DOUBTED,
    FAULTY,
    NAMED,
    OPINION,
    Quality,
    Sort,
    Tab,
)
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.splits import AUDIT_EVERY, hash_share

Ids = npt.NDArray[np.int64]
_NO_IDS: Ids = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user chose to see.

    Parameters
    ----------
    tab : Tab
        The tab in front.
    filter : str
        Class code, or one of :data:`~napari_cytosynth.app.panels.NAMED`; empty: all.
    sort : Sort
        Order.
    blind : bool
        True: nothing may be chosen or ordered by predictions.
    quality : Quality
        What becomes of flagged cells.
    search : bool
        True: what a search found stands in the place of the queue.
    """

    tab: Tab
    filter: str = ""
    sort: Sort = Sort.WORTH
    blind: bool = False
    quality: Quality = Quality.LAST
    search: bool = False

    @property
    def audits(self) -> bool:
        """True for lists that deal audit cards: the queue, filtered and sorted too."""
        queue = self.tab is Tab.QUEUE and not self.search
        return queue and self.filter not in NAMED

    @property
    def deals_repeats(self) -> bool:
        """True where the reader's own labels are asked again, as if they had none."""
        return self.audits and self.is_plain

    @property
    def is_plain(self) -> bool:
        """True for the queue as it was ranked, or for what was found as it was."""
        plain = not self.filter and self.sort is Sort.WORTH
        return self.tab is Tab.QUEUE and plain and self.quality is Quality.LAST


@dataclass(frozen=True, slots=True)
class Ranking:
    """The queue as the strategy ranked it.

    Parameters
    ----------
    listing : Listing
        All cards, audit cards among them.
    draws : int64[n]
        The audit cards, in the order of their draw.
    late : int64[m]
        Flagged cells that it put at its end.
    repeats : int64[r]
        Cards that the reader labelled before, dealt as if he had not.
    """

    listing: Listing = field(default_factory=Listing)
    draws: Ids = field(default_factory=lambda: _NO_IDS)
    late: Ids = field(default_factory=lambda: _NO_IDS)
    repeats: Ids = field(default_factory=lambda: _NO_IDS)


def resolve(
    ranking: Ranking, index: CellIndex, choice: Choice, named: Listing | None = None
) -> Listing:
    """Return what the grid shows.

    No filter and no order may choose among audit cards, or the figures would rest on
    what the model made of them. So a queue that is filtered or ordered deals the same
    ones in the same order, one in ten. *Predicted* shows what the model makes of cells,
    and leaves the audit cards at hand out. Where flagged cells are hidden, those stay
    that the ranking dealt so that flagged audit cards are not alone.

    Parameters
    ----------
    ranking : Ranking
        The queue.
    index : CellIndex
        Labels and guesses.
    choice : Choice
        Tab, filter, sort.
    named : Listing, optional
        What a filter of :data:`~napari_cytosynth.app.panels.NAMED` lists, and why.
    """
    table, reasons = index.table, ranking.listing.reasons
    draws = ranking.draws[np.isin(ranking.draws, table.ids)]
    if choice.filter in NAMED:
        listed = named or Listing()
        rows = table.rows(listed.ids[np.isin(listed.ids, table.ids)])
        reasons = {**reasons, **listed.reasons}
    elif choice.tab is Tab.PREDICTED:
        rows = _predicted(index, choice)
    elif choice.quality.wanted:
        open_ = np.flatnonzero(index.labels == NONE)
        rows = _sorted_out(open_[~np.isin(table.ids[open_], draws)], index, choice)
    else:
        ids = ranking.listing.ids[np.isin(ranking.listing.ids, table.ids)]
        if choice.is_plain:
            return Listing(ids, reasons)
        # By class, a repeat would tell the label that it hides.
        ids = ids[~np.isin(ids, ranking.repeats)]
        if choice.quality is Quality.HIDDEN:
            ids = ids[~np.isin(ids, ranking.late)]
        rows = table.rows(ids[~np.isin(ids, draws)])
    if choice.filter and choice.filter not in NAMED:
        rows = rows[index.of_class(rows, choice.filter, guessed=not choice.blind)]
    cards = table.ids[_flagged_last(_ordered(rows, index, choice), index, choice)]
    if choice.audits:
        return Listing(_with_draws(cards, draws), reasons)
    if choice.tab is Tab.PREDICTED:
        cards = cards[~np.isin(cards, draws)]
    return Listing(cards, reasons)


def _with_draws(cards: Ids, draws: Ids) -> Ids:
    """Put an audit card among every nine others, where a hash of its id says."""
    others = AUDIT_EVERY - 1
    draws = draws[: -(-len(cards) // others)]
    within = [int(hash_share(str(i), "place") * AUDIT_EVERY) for i in draws.tolist()]
    places = np.arange(len(draws)) * others + np.array(within, np.intp)
    return np.insert(cards, np.minimum(places, len(cards)), draws)


def _sorted_out(rows: Rows, index: CellIndex, choice: Choice) -> Rows:
    """Leave out the rows of flagged cells, or all others."""
    wanted = choice.quality.wanted
    if wanted:
        return rows[(index.flaws[rows] & np.uint8(wanted)) > 0]
    hidden = choice.quality is Quality.HIDDEN
    return rows[index.flaws[rows] == 0] if hidden else rows


def _predicted(index: CellIndex, choice: Choice) -> Rows:
    if choice.blind:
        return np.zeros(0, np.intp)
    rows = np.flatnonzero((index.guesses != NONE) & (index.labels == NONE))
    return _sorted_out(rows, index, choice)


def _ordered(rows: Rows, index: CellIndex, choice: Choice) -> Rows:
    if choice.sort is Sort.SMEAR:
        return rows[np.argsort(index.table.smears[rows], kind="stable")]
    if choice.sort is Sort.SURE and not choice.blind:
        return rows[np.argsort(-index.confidence[rows], kind="stable")]
    if choice.tab is Tab.PREDICTED:
        return rows[np.argsort(index.confidence[rows], kind="stable")]
    return rows


def _flagged_last(rows: Rows, index: CellIndex, choice: Choice) -> Rows:
    """Put flagged cells behind sound ones where predictions are listed.

    The queue is ranked so, but for those that keep flagged audit cards company.
    """
    if choice.audits or choice.quality is not Quality.LAST:
        return rows
    return rows[np.argsort(index.flaws[rows] > 0, kind="stable")]


def why_empty(index: CellIndex, choice: Choice, *, busy: bool = False) -> str:
    """Say why a list holds no cell, and the way out.

    Parameters
    ----------
    index : CellIndex
        Labels and guesses.
    choice : Choice
        What the user chose to see.
    busy : bool
        True while the model learns or ranks: what it will list is not known yet.
    """
    if not len(index):
        return (
            "No cells here yet.\nDrag a smear into the window (PNG, JPEG, TIFF, "
            "OME-Zarr), or press Add smears\u2026"
        )
    if choice.search and not choice.filter:
        return "Nothing here is left without a label.\nPress Escape for the queue."
    if choice.filter == FAULTY:
        return "No box waits to be mended.\nChoose another class."
    if choice.filter == DOUBTED:
        return _NO_DOUBT_BLIND if choice.blind else _NO_DOUBT
    predicted = choice.tab is Tab.PREDICTED
    if predicted and choice.blind:
        return "Predictions are hidden.\nUncheck Hide predictions to see them."
    if busy and choice.filter != OPINION and (index.labels == NONE).any():
        return "The model is learning and ranking.\nThe cells come by themselves."
    if predicted and not (index.guesses != NONE).any():
        return "No model yet.\nLabel cells of two classes or more in the Queue first."
    if choice.quality.wanted:
        flaw = choice.quality.removesuffix(" only").removesuffix(" cells")
        return f"None of the unlabelled cells here is {flaw}.\nShow the others again."
    if choice.filter == OPINION:
        return "Nobody asks for a second opinion.\nChoose another class."
    if choice.filter:
        return f"No cell here is {choice.filter}.\nChoose another class or tab."
    if (index.labels == NONE).any():
        why = (
            "flagged and hidden"
            if choice.quality is Quality.HIDDEN
            else "kept to measure on"
        )
        return f"Nothing here waits for a label.\nCells without one are {why}."
    return "Every cell here has its label.\nAdd smears, or look at another tab."


_NO_DOUBT = (
    "The model doubts no label.\nLabels are read against each other from five cells a "
    "class on. Choose another class."
)
_NO_DOUBT_BLIND = (
    "Predictions are hidden, and with them what the model doubts.\nUncheck Hide "
    "predictions to see it."
)


def next_open(
    listing: Listing, wants: Callable[[CellId], bool], after: CellId | None
) -> CellId | None:
    """Return the next cell that still wants a reader, or None; goes round the end.

    Parameters
    ----------
    listing : Listing
        What the grid shows.
    wants : callable
        Tells whether a cell does.
    after : CellId or None
        Where to begin; None: at the top.
    """
    row = listing.row_of(after) if after is not None else None
    for number in np.roll(listing.ids, 0 if row is None else -row - 1):
        cell = CellId(int(number))
        if cell != after and wants(cell):
            return cell
    return None
