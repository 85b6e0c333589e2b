"""Ranking a pool that is larger than memory: by a list of its cells.

Every cell is scored; the list keeps those that any strategy could want: those of most
doubt, the likeliest of each class, and some drawn evenly. Their vectors alone are read
for it. A strategy then ranks these as if they were the pool.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.learning.ranking import two_likeliest

LISTED = 20_000
"""Cells of a short list: half by doubt, a quarter by class, a quarter drawn evenly."""

_BLOCK = 16_384

Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]


def shortlist(
    rows: Rows,
    probabilities: Floats | None,
    rng: np.random.Generator,
    *,
    size: int = LISTED,
) -> Rows:
    """Return those of some rows that strategies could want, ascending.

    Parameters
    ----------
    rows : intp[m]
        The pool: rows of ``probabilities``, ascending.
    probabilities : float32[n, classes] or None
        As the head says, finite in these rows. Without a head all are drawn evenly.
    rng : numpy.random.Generator
        Draws the even part.
    size : int
        Cells to keep at most, >= 4 a class; all of a smaller pool.
    """
    if len(rows) <= size:
        return rows
    if probabilities is None:
        return np.sort(rng.permutation(rows)[:size])
    each = max(size // 4 // probabilities.shape[1], 1)
    stays = np.zeros(len(rows), bool)
    stays[_best(_doubt(probabilities, rows), size // 2)] = True
    for column in range(probabilities.shape[1]):
        stays[_best(probabilities[rows, column], each)] = True
    stays[_best(rng.random(len(rows), np.float32), size // 4)] = True
    return rows[stays]


def _best(worth: Floats, places: int) -> Rows:
    return np.argpartition(-worth, places - 1)[:places]


def _doubt(probabilities: Floats, rows: Rows) -> Floats:
    """Return float32[m]: 1 less the gap of the two likeliest classes; 0 for one."""
    doubt = np.zeros(len(rows), np.float32)
    for at in range(0, len(rows), _BLOCK):
        chances = probabilities[rows[at : at + _BLOCK]]
        first, second = two_likeliest(chances)
        own = np.arange(len(chances))
        gap = chances[own, first] - chances[own, second]
        doubt[at : at + _BLOCK] = np.where(first == second, 0, 1 - gap)
    return doubt
