"""Which picture of each cell holds now, and which vectors are of it.

A cell comes with a crop. Another box, or another pixel size of its smear, cuts another;
older ones stay, so that undo has them at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.journal import Event, Journal
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.store.backend import Backend
from napari_cytosynth.store.columns import Columns
from napari_cytosynth.store.cuts import Cut, Cuts, Ids

_VECTORS = ("", " of boxes changed", " of pixel sizes changed")
"""Ends the key of vectors: of first pictures, by cell; of pictures of another box, by
the event that gave it; of pictures by another pixel size, by their row."""

_FIRST, _BOXED, _SCALED = range(3)


@dataclass(frozen=True, slots=True)
class Shown:
    """The picture of each of some cells.

    Parameters
    ----------
    rows : int64[n]
        Row in the crop array.
    kinds : int64[n]
        Index into the kinds of pictures: first, by another box, by another pixel size.
    keys : int64[n]
        Under which its vector lies: cell, event or row.
    """

    rows: Ids
    kinds: Ids
    keys: Ids


class Pictures:
    """Pictures of the cells of a project. The live project holds its lock around it.

    Parameters
    ----------
    columns : Columns
        All cells.
    journal : Journal
        Box changes.
    scale : callable
        Returns the micrometres a pixel of a smear; None before it was measured.
    cuts : iterable of Cut
        Crops by other pixel sizes that were read.
    """

    def __init__(
        self,
        columns: Columns,
        journal: Journal,
        scale: Callable[[int], float | None],
        cuts: Iterable[Cut],
    ) -> None:
        self._columns, self._journal, self._scale = columns, journal, scale
        self._cuts = Cuts(cuts)

    def add(self, cut: Cut) -> None:
        """Take in crops that were cut anew."""
        self._cuts.add(cut)

    def shown(self, cells: npt.ArrayLike) -> Shown:
        """Return the pictures that hold; raises InputError for an unknown cell."""
        ids, rows = self._columns.check(cells), self._columns.crop_rows(cells)
        kinds, keys, rows = np.zeros(len(ids), np.int64), ids.copy(), rows.copy()
        changed = self._journal.boxes.recut()
        for i in _among(ids, changed):
            event = changed[int(ids[i])]
            rows[i], kinds[i], keys[i] = event.data["crop"], _BOXED, event.id
        if self._cuts:
            cut = self._cut_anew(ids)
            where = cut >= 0
            rows[where], keys[where], kinds[where] = cut[where], cut[where], _SCALED
        return Shown(rows, kinds, keys)

    def changed(self, cells: npt.ArrayLike) -> Ids:
        """Return int64[n]: the row of each picture cut anew, 0 for a first one."""
        ids = self._columns.check(cells)
        rows: Ids = np.zeros(len(ids), np.int64)
        if self._cuts or self._journal.boxes.recut():
            shown = self.shown(ids)
            anew = shown.kinds != _FIRST
            rows[anew] = shown.rows[anew]
        return rows

    def stale(self, smear: int) -> Ids:
        """Return the standing cells whose picture was cut by another pixel size."""
        table, mpp = self._columns.standing(self._journal), self._scale(smear)
        ids: Ids = table.ids[table.smears == smear]
        if mpp is None or not len(ids):
            return np.zeros(0, np.int64)
        cut = self._columns.scales(ids)
        if self._journal.smears.scale(smear) is None:
            # Nobody knows by what these were cut, and nobody said that it was wrong.
            cut[np.isnan(cut)] = mpp
        changed = self._journal.boxes.recut()
        for i in _among(ids, changed):
            cut[i] = changed[int(ids[i])].data.get("mpp") or cut[i]
        anew = self._cuts.rows(mpp, ids, self.boxes_of(ids))
        return np.asarray(ids[(cut != mpp) & (anew < 0)], np.int64)

    def boxes_of(self, ids: Ids) -> Ids:
        """Return int64[n]: the event that gave each cell its box; 0 for the first."""
        changed = self._journal.boxes.changes()
        events = np.zeros(len(ids), np.int64)
        for i in _among(ids, changed):
            events[i] = changed[int(ids[i])].id
        return events

    def _cut_anew(self, ids: Ids) -> Ids:
        """Return the row of each cell's crop by its smear's pixel size, else -1."""
        rows = np.full(len(ids), -1, np.int64)
        smears, boxes = self._columns.smears_of(ids), self.boxes_of(ids)
        for smear in np.unique(smears).tolist():
            mpp, of = self._scale(smear), smears == smear
            if mpp is not None:
                rows[of] = self._cuts.rows(mpp, ids[of], boxes[of])
        return rows


def put_vectors(
    backend: Backend, embedder: str, shown: Shown, vectors: Vectors
) -> None:
    """Keep the vectors of these pictures."""
    for kind, ending in enumerate(_VECTORS):
        of = shown.kinds == kind
        if of.any():
            backend.put_vectors(embedder + ending, shown.keys[of], vectors[of])


def read_vectors(backend: Backend, embedder: str, shown: Shown) -> Vectors:
    """Return float32[n, dim]; NaN for pictures without a vector."""
    found = backend.vectors(embedder, shown.keys)
    for kind, ending in enumerate(_VECTORS):
        of = shown.kinds == kind
        if kind == _FIRST or not of.any():
            continue
        anew = backend.vectors(embedder + ending, shown.keys[of])
        if anew.shape[1] and not found.shape[1]:
            found = np.full((len(of), anew.shape[1]), np.nan, np.float32)
        found[of] = anew if anew.shape[1] else np.nan
    return found


def _among(ids: Ids, changed: dict[int, Event]) -> npt.NDArray[np.intp]:
    """Return the positions of the cells that an event changed."""
    if not changed:
        return np.zeros(0, np.intp)
    return np.flatnonzero(np.isin(ids, np.fromiter(changed, np.int64)))
