"""Which cells the grid holds, and which comes next. Pure functions.

Intent (tab, filter, sort) and data (ranking, labels, guesses) resolve to a listing; the
desk compares it with the one shown and tells the view only of a change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.cellindex import NONE, CellIndex, Rows
from napari_cytosynth.app.listing import Listing
from napari_cytosynth.app.panels import OPINION, Sort, Tab
from napari_cytosynth.core.ids import CellId

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
        Class code, or :data:`~napari_cytosynth.app.panels.OPINION`; empty: all.
    sort : Sort
        Order.
    blind : bool
        True: nothing may be chosen or ordered by predictions.
    """

    tab: Tab
    filter: str = ""
    sort: Sort = Sort.WORTH
    blind: bool = False

    @property
    def is_queue(self) -> bool:
        """True for the queue as it was ranked: the only list that audits."""
        plain = not self.filter and self.sort is Sort.WORTH
        return plain and self.tab is Tab.QUEUE


def resolve(
    ranking: Listing,
    index: CellIndex,
    choice: Choice,
    held_out: Ids = _NO_IDS,
    awaiting: Ids = _NO_IDS,
) -> Listing:
    """Return what the grid shows.

    Parameters
    ----------
    ranking : Listing
        The queue as the strategy ranked it.
    index : CellIndex
        Labels and guesses.
    choice : Choice
        Tab, filter, sort.
    held_out : int64[n]
        Cells that only measure. A label on one that was looked for is lost to the
        figures, so a queue that was filtered or ordered deals none. *Predicted* is for
        looking, and shows all cells alike.
    awaiting : int64[n]
        Cells on which another reader is asked for, labelled or not.
    """
    if choice.filter == OPINION:
        rows = index.table.rows(awaiting[np.isin(awaiting, index.table.ids)])
        return Listing(index.table.ids[_ordered(rows, index, choice)], ranking.reasons)
    if choice.tab is Tab.PREDICTED:
        rows = _predicted(index, choice)
    else:
        ids = ranking.ids[np.isin(ranking.ids, index.table.ids)]
        if not choice.is_queue:
            ids = ids[~np.isin(ids, held_out)]
        rows = index.table.rows(ids)
    if choice.filter:
        rows = rows[index.of_class(rows, choice.filter, guessed=not choice.blind)]
    return Listing(index.table.ids[_ordered(rows, index, choice)], ranking.reasons)


def _predicted(index: CellIndex, choice: Choice) -> Rows:
    if choice.blind:
        return np.zeros(0, np.intp)
    return np.flatnonzero((index.guesses != NONE) & (index.labels == NONE))


def _ordered(rows: Rows, index: CellIndex, choice: Choice) -> Rows:
    if choice.sort is Sort.SMEAR:
        return rows[np.argsort(index.table.smears[rows], kind="stable")]
    if choice.sort is Sort.SURE and not choice.blind:
        return rows[np.argsort(-index.confidence[rows], kind="stable")]
    if choice.tab is Tab.PREDICTED:
        return rows[np.argsort(index.confidence[rows], kind="stable")]
    return rows


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
