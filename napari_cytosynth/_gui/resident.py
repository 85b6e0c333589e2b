"""Keeps a small smear in memory, so that the canvas never waits for the disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

RESIDENT_BYTES = 200_000_000
"""Smears up to this size are read whole, in the background."""


class ResidentLevel:
    """A lazy level that answers from memory once it was read whole.

    Parameters
    ----------
    level : array-like
        uint8[y, x, 3], sliceable.
    """

    def __init__(self, level: Any) -> None:
        self._level = level
        self._whole: npt.NDArray[np.uint8] | None = None
        self.shape: tuple[int, ...] = tuple(level.shape)
        self.dtype = level.dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        whole = self._whole
        return self._level[key] if whole is None else whole[key]

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


def _read(levels: list[ResidentLevel]) -> None:
    for level in reversed(levels):
        try:
            level.read_whole()
        except (OSError, ValueError, RuntimeError):
            return
