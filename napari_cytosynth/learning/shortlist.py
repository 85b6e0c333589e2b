"""Ranking a pool that is larger than memory: one pass, block by block.

Each block is read, scored and dropped; what is kept are the cells that any strategy
could want: those of most doubt, the likeliest of each class, and some drawn evenly. A
strategy then ranks these as if they were the pool.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.ranking import two_likeliest

LISTED = 20_000
"""Cells of a short list: half by doubt, a quarter by class, a quarter drawn evenly."""

_BLOCK = 16_384

Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """Some cells of a pool.

    Parameters
    ----------
    rows : intp[m]
        Their positions in the pool.
    vectors : float32[m, dim]
        Finite.
    """

    rows: Rows
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Shortlist:
    """What is left of a pool.

    Parameters
    ----------
    rows : intp[k]
        Positions in the pool, ascending.
    vectors : float32[k, dim]
        One a cell.
    probabilities : float32[k, classes] or None
        As the head says; None where there is none yet.
    """

    rows: Rows
    vectors: Vectors
    probabilities: Floats | None


def shortlist(
    blocks: Iterable[Block], head: Head, rng: np.random.Generator, *, size: int = LISTED
) -> Shortlist:
    """Read a pool once, and keep what strategies could want.

    Memory holds the list twice over and a block, whatever the pool's length.

    Parameters
    ----------
    blocks : iterable of Block
        The whole pool, no cell twice; one block at least, which may be empty.
    head : Head
        Scores them.
    rng : numpy.random.Generator
        Draws the even part.
    size : int
        Cells to keep, >= 4 a class; all of a smaller pool.
    """
    kept = _Kept(size, len(head.codes_))
    for block in blocks:
        chances = head.predict_proba(block.vectors)
        kept.add(block, chances, rng.random(len(block.rows), np.float32))
    return kept.listed()


def listed(
    vectors: Vectors, rows: Rows, head: Head | None, rng: np.random.Generator
) -> Shortlist:
    """Return the short list of some rows of a matrix that may lie on the disk.

    Parameters
    ----------
    vectors : float32[n, dim]
        Read block by block.
    rows : intp[m]
        The pool, ascending.
    head : Head or None
        None: cells are drawn evenly.
    rng : numpy.random.Generator
        Draws them.
    """
    if head is None:
        rows = np.sort(rng.permutation(rows)[:LISTED])
        return Shortlist(rows, vectors[rows], None)
    edges = range(0, max(len(rows), 1), _BLOCK)
    parts = (rows[at : at + _BLOCK] for at in edges)
    return shortlist((Block(part, vectors[part]) for part in parts), head, rng)


@dataclass(frozen=True, slots=True)
class _Part:
    """Some cells, and what each is worth: by doubt, by each class, by lot."""

    rows: Rows
    vectors: Vectors
    chances: Floats
    worth: Floats

    def take(self, index: Any) -> _Part:
        return _Part(
            self.rows[index],
            self.vectors[index],
            self.chances[index],
            self.worth[index],
        )


class _Kept:
    """Cells that may be on the list, and from which worth on others may join."""

    def __init__(self, size: int, classes: int) -> None:
        each = max(size // 4 // classes, 1)
        self._size = size
        self._places = [size // 2, *[each] * classes, size // 4]
        self._bars = np.full(len(self._places), -np.inf, np.float32)
        self._parts: list[_Part] = []

    def add(self, block: Block, chances: Floats, lots: Floats) -> None:
        """Take in the cells of a block that are worth it."""
        worth = np.column_stack([_doubt(chances), chances, lots])
        part = _Part(block.rows, block.vectors, chances, worth)
        self._parts.append(part.take((worth > self._bars).any(axis=1)))
        if sum(len(part.rows) for part in self._parts) > 1.5 * self._size:
            self._compact()

    def listed(self) -> Shortlist:
        """Return the list."""
        self._compact()
        whole = self._parts[0]
        whole = whole.take(np.argsort(whole.rows))
        return Shortlist(whole.rows, whole.vectors, whole.chances)

    def _compact(self) -> None:
        """Keep the best of each column, and remember how good one must be."""
        worth = np.concatenate([part.worth for part in self._parts])
        stays = np.zeros(len(worth), bool)
        for column, places in enumerate(self._places):
            values = worth[:, column]
            best = np.argpartition(-values, min(places, len(values)) - 1)[:places]
            stays[best] = True
            if len(values) >= places:
                self._bars[column] = values[best].min()
        edges = np.cumsum([len(part.rows) for part in self._parts])[:-1]
        masks = np.split(stays, edges)
        left = [p.take(m) for p, m in zip(self._parts, masks, strict=True)]
        self._parts = [
            _Part(
                np.concatenate([part.rows for part in left]),
                np.concatenate([part.vectors for part in left]),
                np.concatenate([part.chances for part in left]),
                worth[stays],
            )
        ]


def _doubt(chances: Floats) -> Floats:
    first, second = two_likeliest(chances)
    rows = np.arange(len(chances))
    gap = chances[rows, first] - chances[rows, second]
    doubt: Floats = np.where(first == second, 0, 1 - gap).astype(np.float32)
    return doubt
