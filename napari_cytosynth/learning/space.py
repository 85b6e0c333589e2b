"""A small space to measure distances in: the pool's main axes, each of equal weight.

Strategies that compare cells with each other would otherwise spend their time on
hundreds of columns that say the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Vectors
from napari_cytosynth.metrics.neighbours import nearest

AXES = 32
"""Principal axes kept at most, unless more are asked for."""

_SAMPLE = 4000
_BLOCK = 16384


@dataclass(frozen=True, slots=True)
class PoolSpace:
    """A linear map from embedding vectors to the pool's main axes.

    Parameters
    ----------
    centre : float32[dim]
        Mean of the pool.
    axes : float32[dim, k]
        Columns: standardise, then project.
    """

    centre: npt.NDArray[np.float32]
    axes: npt.NDArray[np.float32]

    @classmethod
    def of(cls, candidates: Candidates, axes: int = AXES) -> PoolSpace:
        """Find so many axes from the pool, or from an even sample of a large one.

        Cells are taken in the order of their ids, so that the order of the pool does
        not matter.
        """
        rows = in_order(candidates)
        rows = rows[:: max(1, len(rows) // _SAMPLE)]
        return cls.fit(candidates.vectors[rows], axes)

    @classmethod
    def fit(cls, vectors: Vectors, axes: int = AXES) -> PoolSpace:
        """Find the axes from float32[n, dim]; one axis of zeros where n is 0."""
        sample = vectors.astype(np.float64)
        if not len(sample):
            dim = vectors.shape[1]
            return cls(np.zeros(dim, np.float32), np.zeros((dim, 1), np.float32))
        centre, spread = sample.mean(axis=0), spread_of(sample)
        standard = (sample - centre) / spread
        _, vectors = np.linalg.eigh(standard.T @ standard)
        main = vectors[:, ::-1][:, :axes] / spread[:, None]
        return cls(centre.astype(np.float32), main.astype(np.float32))

    def apply(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """Return float32[n, k]; block by block, so that no full copy is made."""
        out = np.empty((len(vectors), self.axes.shape[1]), np.float32)
        for at in range(0, len(vectors), _BLOCK):
            out[at : at + _BLOCK] = (
                vectors[at : at + _BLOCK] - self.centre
            ) @ self.axes
        return out


def spread_of(
    vectors: npt.NDArray[np.floating],
) -> npt.NDArray[np.floating]:
    """Return the spread of each column, infinite where it is constant: no weight."""
    spread: npt.NDArray[np.floating] = vectors.std(axis=0)
    spread[spread < 1e-6 * (1 + np.abs(vectors.mean(axis=0)))] = np.inf
    return spread


def in_order(candidates: Candidates) -> npt.NDArray[np.intp]:
    """Return the positions of the pool's cells by ascending id."""
    ids = candidates.ids
    if len(ids) < 2 or bool((np.diff(ids) > 0).all()):
        return np.arange(len(ids))
    return np.argsort(ids, kind="stable")


def likeness_to(candidates: Candidates, examples: Vectors) -> npt.NDArray[np.float32]:
    """Return float32[pool]: the likeness of each cell to the likest example, -1..1.

    It is the cosine between vectors whose columns were centred and scaled over the
    pool: what all cells share says nothing.

    Parameters
    ----------
    candidates : Candidates
        The pool. A cell without a vector has no likeness: NaN.
    examples : float32[m, dim]
        At least one.
    """
    rows = in_order(candidates)
    sample = candidates.vectors[rows[:: max(1, len(rows) // _SAMPLE)]]
    sample = sample[np.isfinite(sample).all(axis=1)]
    out = np.zeros(len(candidates.ids), np.float32)
    if not len(sample):
        return out
    centre, unit = sample.mean(axis=0), spread_of(sample)
    own = _directions((examples - centre) / unit)
    for at in range(0, len(out), _BLOCK):
        part = _directions((candidates.vectors[at : at + _BLOCK] - centre) / unit)
        out[at : at + _BLOCK] = (part @ own.T).max(axis=1)
    return out


def _directions(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: npt.NDArray[np.floating] = rows / np.where(length > 0, length, 1)
    return scaled


def farthest_first(
    points: npt.NDArray[np.float32],
    n: int,
    *,
    worth: npt.NDArray[np.floating],
    known: npt.NDArray[np.float32] | None = None,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Choose points one by one: worth something, and far from all chosen before.

    Parameters
    ----------
    points : float32[m, k]
        Where they lie.
    n : int
        How many, at most ``m``.
    worth : float[m]
        At least 0; multiplied by the squared distance to the nearest chosen point, at
        most that of the farthest point from the middle.
    known : float32[l, k], optional
        Points that count as chosen from the start. Without any, the worthiest is first.

    Returns
    -------
    chosen : intp[n]
        Positions.
    gains : float64[n]
        What each brought when it was chosen: falls along the list.
    """
    if not n:
        return np.zeros(0, np.intp), np.zeros(0)
    spread = ((points - points.mean(axis=0)) ** 2).sum(axis=1).max()
    distance = np.full(len(points), spread, np.float64)
    if known is not None and len(known):
        # All at once: one by one, labels take seven times as long.
        distance = np.minimum(distance, nearest(points, known, 1)[0][:, 0] ** 2)
    chosen = np.empty(n, np.intp)
    gains = np.empty(n, np.float64)
    for i in range(n):
        gain = worth * distance
        gain[chosen[:i]] = -1.0
        chosen[i] = best = int(gain.argmax())
        gains[i] = gain[best]
        distance = np.minimum(distance, ((points - points[best]) ** 2).sum(axis=1))
    return chosen, np.minimum.accumulate(gains)
