"""The open picture: lazy levels, finest first, and reads with white outside."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import error as ZlibError

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.smear import NO_COLOUR, Smear

logger = logging.getLogger(__name__)

RGB = npt.NDArray[np.uint8]
Fetch = Callable[[int, int, int, int], RGB]
"""``fetch(y0, y1, x0, x1) -> uint8[y1 - y0, x1 - x0, 3]``, all inside the level."""

COARSEST = 1024
"""Levels are added until the longer side is no more than this, if they can be."""

_CACHED_PIXELS = 4_000_000
_STRIP_PIXELS = 16_000_000
_WHITE = 255

DECODE_ERRORS = (OSError, ValueError, RuntimeError, EOFError, ZlibError, KeyError)
"""What decoders raise on damaged bytes."""


@contextmanager
def decoding(uri: str) -> Iterator[None]:
    """Turn a decoder's error into one that names the file."""
    try:
        yield
    except InputError:
        raise
    except DECODE_ERRORS as error:
        raise InputError(
            f"'{uri}' could not be decoded: {error}. The file is truncated or damaged; "
            "copy it again from its source."
        ) from error


class LazyLevel:
    """One level of a pyramid: an array uint8[y, x, 3] that is read when sliced.

    Parameters
    ----------
    shape : tuple of (height, width)
        Size in pixels of this level.
    fetch : callable
        ``fetch(y0, y1, x0, x1) -> uint8[y1 - y0, x1 - x0, 3]``.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, shape: tuple[int, int], fetch: Fetch) -> None:
        self.shape = (*shape, 3)
        self._fetch = fetch
        self.keeper: object = None

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes that the whole level would take."""
        return self.size

    def __len__(self) -> int:
        return self.shape[0]

    def fetch(self, y0: int, y1: int, x0: int, x1: int) -> RGB:
        """Return uint8[y1 - y0, x1 - x0, 3]; the window lies inside the level."""
        return self._fetch(y0, y1, x0, x1)

    def __getitem__(self, key: Any) -> Any:
        rows, columns, rest = _split_key(key)
        y0, y1, row_key = _window(rows, self.shape[0])
        x0, x1, column_key = _window(columns, self.shape[1])
        block = self.fetch(y0, y1, x0, x1)
        block = block[row_key]
        return block[(slice(None),) * (block.ndim - 2) + (column_key, *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        whole = self.fetch(0, self.shape[0], 0, self.shape[1])
        return whole if dtype is None else whole.astype(dtype)


@dataclass(frozen=True)
class LevelPlan:
    """A level together with its scale.

    Parameters
    ----------
    level : LazyLevel
        The pixels.
    downsample : float
        Level-0 pixels a pixel of this level, >= 1.
    """

    level: LazyLevel
    downsample: float


class PyramidImage:
    """An open smear over lazy levels; implements ``core.smear.SmearImage``.

    Parameters
    ----------
    smear : Smear
        The record.
    plans : sequence of LevelPlan
        Finest first. Coarser levels are added, computed when read.
    notes : sequence of str
        Conversions made; each is logged, once a file.
    release : callable
        Closes the file.
    """

    def __init__(
        self,
        smear: Smear,
        plans: Sequence[LevelPlan],
        notes: Sequence[str] = (),
        release: Callable[[], object] = bool,
    ) -> None:
        self.smear = smear
        plans = with_coarser_levels(plans)
        self.levels: Sequence[LazyLevel] = tuple(p.level for p in plans)
        self.downsamples: Sequence[float] = tuple(p.downsample for p in plans)
        self.notes: Sequence[str] = tuple(notes)
        # The file closes when nobody holds the picture or one of its levels any more.
        for level in self.levels:
            level.keeper = self
        self._release = weakref.finalize(self, release)
        for note in notes:
            _log_once(smear.uri, smear.fingerprint, note)

    def read(self, x: int, y: int, width: int, height: int, level: int = 0) -> RGB:
        """Return uint8[height, width, 3]; white outside. (x, y) in level pixels."""
        return read_window(self.levels[level], (x, y), (width, height))

    def close(self) -> None:
        """Release the file. Idempotent."""
        self._release()


def read_window(level: Any, corner: tuple[int, int], size: tuple[int, int]) -> RGB:
    """Return a window of a level, white where it leaves the picture.

    Parameters
    ----------
    level : array-like
        uint8[y, x, 3], sliceable.
    corner, size : tuple of 2 ints
        x and y of the first pixel, width and height; pixels of this level.
    """
    (x, y), (width, height) = corner, size
    out = np.full((height, width, 3), _WHITE, np.uint8)
    y0, y1 = max(y, 0), min(y + height, level.shape[0])
    x0, x1 = max(x, 0), min(x + width, level.shape[1])
    if y0 < y1 and x0 < x1:
        out[y0 - y : y1 - y, x0 - x : x1 - x] = level[y0:y1, x0:x1]
    return out


@lru_cache(maxsize=4096)
def _log_once(uri: str, fingerprint: str, note: str) -> None:
    """Log a note; silent for the same one, for a picture is opened many times."""
    del fingerprint  # tells apart what stood under that name at different times
    level = logging.WARNING if note == NO_COLOUR else logging.INFO
    logger.log(level, "%s: %s", uri, note)


def array_level(pixels: RGB) -> LazyLevel:
    """Return a level over pixels that are in memory: uint8[y, x, 3]."""
    height, width = pixels.shape[:2]
    return LazyLevel((height, width), lambda y0, y1, x0, x1: pixels[y0:y1, x0:x1])


def with_coarser_levels(plans: Sequence[LevelPlan]) -> list[LevelPlan]:
    """Add halved levels, computed when read, until the last is small, or a line."""
    plans = list(plans)
    while _may_be_halved(plans[-1].level):
        plans.append(_halved(plans[-1]))
    return plans


def _may_be_halved(level: LazyLevel) -> bool:
    return max(level.shape[:2]) > COARSEST and min(level.shape[:2]) > 1


def _halved(plan: LevelPlan) -> LevelPlan:
    source = plan.level
    height, width = (n // 2 for n in source.shape[:2])

    def fetch(y0: int, y1: int, x0: int, x1: int) -> RGB:
        out = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
        step = max(_STRIP_PIXELS // (4 * max(x1 - x0, 1)), 1)
        for top in range(y0, y1, step):
            bottom = min(top + step, y1)
            block = source.fetch(2 * top, 2 * bottom, 2 * x0, 2 * x1)
            out[top - y0 : bottom - y0] = _mean_of_four(block)
        return out

    small = height * width <= _CACHED_PIXELS
    level = LazyLevel(
        (height, width), _cached(fetch, height, width) if small else fetch
    )
    return LevelPlan(level, 2 * plan.downsample)


def _mean_of_four(block: RGB) -> RGB:
    rows = block[0::2].astype(np.uint16) + block[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)


def _cached(fetch: Fetch, height: int, width: int) -> Fetch:
    """Compute a small level once: the viewer's thumbnail and calibration reread it."""
    kept: list[RGB] = []

    def fetch_cached(y0: int, y1: int, x0: int, x1: int) -> RGB:
        if not kept:
            kept.append(fetch(0, height, 0, width))
        return kept[0][y0:y1, x0:x1]

    return fetch_cached


def _split_key(key: Any) -> tuple[Any, Any, tuple[Any, ...]]:
    parts = key if isinstance(key, tuple) else (key,)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        middle = (slice(None),) * (3 - (len(parts) - 1))
        parts = parts[:at] + middle + parts[at + 1 :]
    parts = parts + (slice(None),) * (3 - len(parts))
    return parts[0], parts[1], parts[2:]


def _window(key: Any, size: int) -> tuple[int, int, Any]:
    """Return the span to fetch, and what to index it with."""
    if isinstance(key, slice):
        start, stop, step = key.indices(size)
        if step < 0:
            raise InputError(
                f"A smear was sliced with step {step}. Levels read forwards only; "
                "reverse the result instead."
            )
        return start, max(start, stop), slice(None, None, step)
    index = int(key)
    index = index + size if index < 0 else index
    if not 0 <= index < size:
        raise IndexError(f"Index {key} lies outside an axis of {size} pixels.")
    return index, index + 1, 0
