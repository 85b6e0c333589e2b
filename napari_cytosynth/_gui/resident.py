"""Keeps a small smear in memory, so that the canvas never waits for the disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.smear import SmearImage

RESIDENT_BYTES = 200_000_000
"""Smears up to this size are read whole, in the background."""


BLOCK = 512
"""Side of the squares that are kept of a level too large to be read whole."""

KEPT_SMEARS = 4
"""Smears whose pixels stay in memory."""

_AROUND = 0.6
"""Of a view, read ahead to each side of its middle."""

KEPT_BLOCKS = 64
"""Squares kept of a level: 50 MB."""

_Part = tuple[int, int, int, int]


class ResidentLevel:
    """A lazy level that answers from memory once it was read whole.

    Of a larger one the squares read last are kept, and those of a part that is about to
    be looked at can be read ahead, in another thread.

    Parameters
    ----------
    level : array-like
        uint8[y, x, 3], sliceable.
    """

    def __init__(self, level: Any) -> None:
        self._level = level
        self._whole: npt.NDArray[np.uint8] | None = None
        self._blocks: OrderedDict[tuple[int, int], npt.NDArray[np.uint8]]
        self._blocks, self._lock = OrderedDict(), threading.Lock()
        self.shape: tuple[int, ...] = tuple(level.shape)
        self.dtype = level.dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        whole = self._whole
        if whole is not None:
            return whole[key]
        part = _part_of(key, self.shape)
        return self._level[key] if part is None else self._joined(part)

    def read_ahead(self, part: _Part) -> None:
        """Keep what lies within y0, y1, x0, x1; for any thread. What fails is left."""
        height, width = self.shape[:2]
        y0, y1, x0, x1 = part
        wanted = max(0, y0), min(y1, height), max(0, x0), min(x1, width)
        if self._whole is None and _is_small(wanted):
            try:
                self._joined(wanted)
            except (OSError, ValueError, RuntimeError):
                return

    def _joined(self, part: _Part) -> npt.NDArray[np.uint8]:
        """Return a part, put together of squares; only those missing are read."""
        y0, y1, x0, x1 = part
        out = np.empty((y1 - y0, x1 - x0, *self.shape[2:]), self.dtype)
        for row in range(y0 // BLOCK, -(-y1 // BLOCK)):
            for column in range(x0 // BLOCK, -(-x1 // BLOCK)):
                top, left = row * BLOCK, column * BLOCK
                block = self._block(row, column)
                low, high = max(y0, top), min(y1, top + block.shape[0])
                first, last = max(x0, left), min(x1, left + block.shape[1])
                held = block[low - top : high - top, first - left : last - left]
                out[low - y0 : high - y0, first - x0 : last - x0] = held
        return out

    def _block(self, row: int, column: int) -> npt.NDArray[np.uint8]:
        with self._lock:
            kept = self._blocks.get((row, column))
            if kept is not None:
                self._blocks.move_to_end((row, column))
                return kept
        top, left = row * BLOCK, column * BLOCK
        read = np.asarray(self._level[top : top + BLOCK, left : left + BLOCK])
        with self._lock:
            self._blocks[row, column] = read
            while len(self._blocks) > KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return read

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        whole = np.asarray(self[:])
        return whole if dtype is None else whole.astype(dtype)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def is_resident(self) -> bool:
        """True once it answers from memory."""
        return self._whole is not None

    def read_whole(self) -> None:
        """Read the level into memory."""
        if self._whole is None:
            self._whole = np.ascontiguousarray(self._level[:])


def _part_of(key: Any, shape: tuple[int, ...]) -> _Part | None:
    """Return y0, y1, x0, x1 of a key that asks for a small rectangle; else None."""
    plain = isinstance(key, tuple) and len(key) in (2, 3)
    if not plain or not all(isinstance(k, slice) for k in key):
        return None
    spans = [k.indices(n) for k, n in zip(key, shape, strict=False)]
    if any(step != 1 for _, _, step in spans):
        return None
    if len(spans) == 3 and spans[2][:2] != (0, shape[2]):
        return None
    part = (*spans[0][:2], *spans[1][:2])
    return part if _is_small(part) else None


def _is_small(part: _Part) -> bool:
    """Tell whether a part is worth keeping: some, and at most a quarter of what is."""
    y0, y1, x0, x1 = part
    area = (y1 - y0) * (x1 - x0)
    return y1 > y0 and x1 > x0 and area <= KEPT_BLOCKS // 4 * BLOCK**2


def read_ahead(level: ResidentLevel, part: _Part) -> None:
    """Read a part of a level in another thread."""
    if not level.is_resident:
        threading.Thread(
            target=level.read_ahead,
            args=(part,),
            name="cytosynth-ahead",
            daemon=True,
        ).start()


def resident_levels(levels: Sequence[Any]) -> list[ResidentLevel]:
    """Wrap the levels of a smear, and begin to read a small one whole.

    A read that fails leaves the level lazy: the canvas meets the error, and tells it.
    """
    wrapped = [ResidentLevel(level) for level in levels]
    if sum(level.size for level in wrapped) <= RESIDENT_BYTES:
        threading.Thread(
            target=_read, args=(wrapped,), name="cytosynth-resident", daemon=True
        ).start()
    return wrapped


class KeptPixels:
    """The levels of the smears shown last, with what of them is in memory."""

    def __init__(self) -> None:
        self._levels: OrderedDict[str, list[ResidentLevel]] = OrderedDict()

    def of(self, image: SmearImage) -> list[ResidentLevel]:
        """Return the levels of a smear; they are kept while few others come."""
        key = image.smear.fingerprint
        if key not in self._levels:
            self._levels[key] = resident_levels(image.levels)
        while len(self._levels) > KEPT_SMEARS:
            self._levels.popitem(last=False)
        return self._levels[key]

    def read_ahead(
        self,
        image: SmearImage,
        number: int,
        middle: tuple[float, float],
        span: tuple[float, ...],
    ) -> None:
        """Read what will be in view around ``middle``: x, y; width, height of a view.

        Level-0 pixels; ``number`` is the level that is shown.
        """
        levels = self._levels.get(image.smear.fingerprint, [])
        if number < len(levels):
            share = levels[number].shape[0] / levels[0].shape[0]
            right, down = (share * m for m in middle)
            wide, tall = (share * _AROUND * s for s in span)
            part = down - tall, down + tall, right - wide, right + wide
            top, bottom, first, last = map(int, part)
            read_ahead(levels[number], (top, bottom, first, last))


def _read(levels: list[ResidentLevel]) -> None:
    for level in reversed(levels):
        try:
            level.read_whole()
        except (OSError, ValueError, RuntimeError):
            return
