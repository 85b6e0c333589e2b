"""Nearest neighbours by brute force, block by block, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.floating]

BLOCK = 1024
"""Queries compared at once, at most."""

PAIRS = 2**22
"""Pairs compared at once, at most: 32 MiB a matrix however many points there are."""


def blocks(n: int, width: int) -> Iterator[slice]:
    """Yield the rows of a matrix in pieces of at most :data:`PAIRS` elements.

    Parameters
    ----------
    n, width : int
        Rows and columns.
    """
    rows = max(min(BLOCK, PAIRS // max(width, 1)), 1)
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))


def squared_distances(first: Points, second: Points) -> npt.NDArray[np.float64]:
    """Return squared Euclidean distances of every pair.

    Parameters
    ----------
    first, second : float[n, dim], float[m, dim]
        Points.

    Returns
    -------
    float64[n, m]
        At least 0.
    """
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    squared: npt.NDArray[np.float64]
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :]
    squared -= 2 * a @ b.T
    np.maximum(squared, 0, out=squared)
    return squared


def nearest(
    queries: Points, points: Points, k: int, *, leave_out_self: bool = False
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return the ``k`` nearest points of each query.

    Parameters
    ----------
    queries, points : float[n, dim], float[m, dim]
        Points; the same array with ``leave_out_self``.
    k : int
        Neighbours, >= 1; fewer come back where there are fewer.
    leave_out_self : bool
        Skip point ``i`` for query ``i``.

    Returns
    -------
    distances : float64[n, min(k, available)]
        Euclidean, ascending.
    indices : intp[n, min(k, available)]
        Rows of ``points``.
    """
    parts = list(nearest_parts(queries, points, k, leave_out_self=leave_out_self))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def nearest_parts(
    queries: Points, points: Points, k: int, *, leave_out_self: bool = False
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]]:
    """Yield what :func:`nearest` returns for one block of queries after the other.

    At least one part comes, be it without a row.
    """
    k = max(min(k, len(points) - leave_out_self), 0)
    if not k or not len(queries):
        shape = len(queries), k
        yield np.zeros(shape), np.zeros(shape, np.intp)
        return
    for rows in blocks(len(queries), len(points)):
        first = rows.start if leave_out_self else None
        yield _nearest_block(queries[rows], points, k, first)


def _nearest_block(
    queries: Points, points: Points, k: int, first: int | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    squared = squared_distances(queries, points)
    if first is not None:
        rows = np.arange(len(queries))
        squared[rows, first + rows] = np.inf
    if k == 1:  # a partition takes thrice as long
        index = squared.argmin(axis=1)[:, None]
        return np.sqrt(np.take_along_axis(squared, index, axis=1)), index
    index = np.argpartition(squared, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(squared, index, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    index = np.take_along_axis(index, order, axis=1)
    return np.sqrt(np.take_along_axis(values, order, axis=1)), index
