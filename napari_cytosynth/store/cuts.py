"""Pictures of cells cut anew: by another box, or by another pixel size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

_EVENT_BITS = 31


@dataclass(frozen=True, slots=True)
class Cut:
    """Crops of cells cut by another pixel size than their first ones.

    Parameters
    ----------
    mpp : float
        Micrometres a pixel by which they were cut.
    crop : int
        Row of the first crop in the crop array; the others follow.
    cells : int64[n]
        Whose crops they are.
    boxes : int64[n]
        Event that gave the box which was cut; 0 for the box that the cell came with.
    """

    mpp: float
    crop: int
    cells: Ids
    boxes: Ids

    def __len__(self) -> int:
        return len(self.cells)


class Cuts:
    """Finds the crop of a cell, a box of it and a pixel size.

    Parameters
    ----------
    cuts : iterable of Cut
        Those that were read.
    """

    def __init__(self, cuts: Iterable[Cut] = ()) -> None:
        self._by_scale: dict[float, list[Cut]] = {}
        self._sorted: dict[float, tuple[Ids, Ids]] = {}
        for cut in cuts:
            self.add(cut)

    def __bool__(self) -> bool:
        return bool(self._by_scale)

    def add(self, cut: Cut) -> None:
        """Take in more."""
        self._by_scale.setdefault(cut.mpp, []).append(cut)
        self._sorted.pop(cut.mpp, None)

    def rows(self, mpp: float, cells: Ids, boxes: Ids) -> Ids:
        """Return int64[n]: the row of each crop, -1 where it was not cut.

        Parameters
        ----------
        mpp : float
            Micrometres a pixel.
        cells, boxes : int64[n]
            As in :class:`Cut`.
        """
        if mpp not in self._by_scale:
            return np.full(len(cells), -1, np.int64)
        keys, rows = self._table(mpp)
        wanted = _keys(cells, boxes)
        # The newest of several stands last.
        at = np.maximum(np.searchsorted(keys, wanted, side="right") - 1, 0)
        return np.where(keys[at] == wanted, rows[at], -1)

    def _table(self, mpp: float) -> tuple[Ids, Ids]:
        if mpp not in self._sorted:
            cuts = self._by_scale[mpp]
            keys = np.concatenate([_keys(cut.cells, cut.boxes) for cut in cuts])
            rows = np.concatenate([cut.crop + np.arange(len(cut)) for cut in cuts])
            order = np.argsort(keys, kind="stable")
            self._sorted[mpp] = keys[order], rows[order]
        return self._sorted[mpp]


def _keys(cells: Ids, boxes: Ids) -> Ids:
    return np.asarray((cells << _EVENT_BITS) | boxes, np.int64)
