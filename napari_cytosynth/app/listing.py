"""Which cells the grid shows, in which order. Pure functions, no state.

A fresh ranking never moves the card under the user's eye: what stands up to the focused
card stays in its row, and only what comes after it is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.ids import CellId

KEPT_BEHIND = 100
"""Cards before the focused one that stay in the grid, so that one can look back."""


def _no_ids() -> npt.NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Listing:
    """Cells in order, with the reason for each.

    Parameters
    ----------
    ids : int64[n]
        Cell ids, each once.
    reasons : mapping of cell id to str
        Why the ranking chose it; cells that it did not choose are absent.
    """

    ids: npt.NDArray[np.int64] = field(default_factory=_no_ids)
    reasons: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Listing)
            and np.array_equal(self.ids, other.ids)
            and self.reasons == other.reasons
        )

    __hash__ = None  # type: ignore[assignment]

    def row_of(self, cell: int) -> int | None:
        """Return the row of a cell, or None."""
        rows = np.flatnonzero(self.ids == cell)
        return int(rows[0]) if len(rows) else None

    def with_cell(self, cell: CellId, row: int) -> Listing:
        """Return the listing with ``cell`` put in at ``row``."""
        if self.row_of(cell) is not None:
            return self
        return Listing(np.insert(self.ids, row, cell), self.reasons)

    def led_by(self, cell: CellId) -> Listing:
        """Return the listing with ``cell`` at its top, if it holds it."""
        if self.row_of(cell) is None:
            return self
        return self.without(cell).with_cell(cell, 0)

    def without(self, cell: CellId) -> Listing:
        """Return the listing without ``cell``."""
        return Listing(self.ids[self.ids != cell], self.reasons)


def refreshed(old: Listing, fresh: Listing, focus: CellId | None) -> Listing:
    """Return ``fresh`` with the focused card left where it stands in ``old``.

    Parameters
    ----------
    old : Listing
        What the grid shows now.
    fresh : Listing
        The new ranking.
    focus : CellId or None
        The cell under the user's eye.
    """
    row = old.row_of(focus) if focus is not None else None
    if row is None:
        return fresh
    behind = old.ids[: row + 1]
    ahead = fresh.ids[~np.isin(fresh.ids, behind)]
    reasons = {
        int(i): old.reasons[int(i)]
        for i in behind[-KEPT_BEHIND:]
        if int(i) in old.reasons
    }
    return Listing(np.concatenate([behind, ahead]), {**fresh.reasons, **reasons})
