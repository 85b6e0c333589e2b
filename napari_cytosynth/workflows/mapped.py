"""A matrix in a file of our own, of which little lies in memory at a time."""

from __future__ import annotations

import mmap
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Vectors

_BLOCK = 4096
"""Rows passed over before their pages are let go."""

_LEAST = 64

_LET_GO = getattr(mmap, "MADV_DONTNEED", None)  # Windows has no such advice


class Mapped(np.memmap[Any, np.dtype[np.float32]]):
    """A matrix mapped from a file: what is read is copied, and its pages are let go.

    A plain map counts every page that was ever looked at as this process's own, up to
    the whole file. The system may still keep the file in its own cache.
    """

    @classmethod
    def empty(cls, n: int, dim: int) -> Mapped:
        """Return room for float32[n, dim]; the file is gone when the matrix is."""
        with TemporaryFile() as file:
            return cls(file, np.float32, "w+", shape=(n, dim))

    def __getitem__(self, key: Any) -> Any:
        """Return a copy of what is asked for, some thousand rows at a time."""
        rows, *columns = key if isinstance(key, tuple) else (key,)
        if self.ndim != 2 or isinstance(rows, int | np.integer):
            return np.array(self.view(np.ndarray)[key])
        index = np.arange(len(self))[rows]
        bare = self.view(np.ndarray)
        width = np.empty(self.shape[1], bool)[tuple(columns)].shape
        out = np.empty((len(index), *width), np.float32)
        step = _step(index)
        for at in range(0, len(index), step):
            out[at : at + step] = bare[(index[at : at + step], *columns)]
            self._let_go()
        return out

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write, and let go of the pages: they reach the file in their own time."""
        # Through a subclass numpy would write into what __getitem__ copied.
        self.view(np.ndarray)[key] = value
        self._let_go()

    def _let_go(self) -> None:
        held = getattr(self, "_mmap", None)
        if held is not None and _LET_GO is not None:
            held.madvise(_LET_GO)


def _step(index: npt.NDArray[np.intp]) -> int:
    """Return how many rows to read in a go: few far ones, each maps those around."""
    if not len(index):
        return _BLOCK
    span = int(index.max() - index.min()) + 1
    return int(np.clip(_BLOCK * len(index) / span, _LEAST, _BLOCK))


def room_for(n: int, dim: int, most: int) -> Vectors:
    """Return room for float32[n, dim]: in memory up to ``most`` bytes, else mapped."""
    if 4 * n * dim <= most:
        return np.empty((n, dim), np.float32)
    return Mapped.empty(n, dim)
