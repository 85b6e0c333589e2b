"""How deep cells lie in one another.

A detector parts cells that touch, and cells that overlap, along a line: their outlines
meet and do not cross. What tells them apart is the rest of the outline: a circle
through what is free of others shows how far the cell goes on under its neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.measure import points_in_poly

GAP_UM = 0.3
"""Outlines nearer than this meet, micrometres."""

_POINTS = 64  # on the outline of a cell, evenly spaced
_FREE = 20  # of them, from which a circle is fitted to those that are free

Outline = npt.NDArray[np.float32]
_Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Circle:
    """The circle that a cell would be if nothing lay on it."""

    centre: _Points
    radius: float

    @classmethod
    def through(cls, points: _Points, met: npt.NDArray[np.bool_]) -> _Circle:
        """Fit the points of an outline that no other cell meets."""
        free = points[~met]
        if len(free) < _FREE:
            centre = points.mean(axis=0)
            away = ((points - centre) ** 2).sum(axis=1).mean()
            return cls(centre, float(np.sqrt(away)))
        # Least squares on x^2 + y^2 = 2ax + 2by + c: Kasa 1976, IEEE Trans Instrum
        # Meas 25:8.
        sides = np.column_stack([2 * free, np.ones(len(free))])
        (a, b, c), *_ = np.linalg.lstsq(sides, (free**2).sum(axis=1), rcond=None)
        square = max(float(c + a * a + b * b), 0.0)
        return cls(np.array([a, b]), square**0.5)

    def depth(self, other: _Circle) -> float:
        """Return how deep they lie in one another, as a share of the smaller one."""
        apart = float(np.hypot(*(self.centre - other.centre)))
        smaller = 2 * min(self.radius, other.radius)
        deep = self.radius + other.radius - apart
        return float(np.clip(deep / smaller, 0, 1)) if smaller > 0 else 0.0


def overlap_depths(outlines: Sequence[Outline], gap: float) -> npt.NDArray[np.float32]:
    """Return how deep each cell lies in the one that it shares most with.

    Parameters
    ----------
    outlines : sequence of float32[k, 2]
        Polygons x, y of all cells of a piece of smear.
    gap : float
        Distance up to which outlines meet; in the same unit.

    Returns
    -------
    float32[n]
        Share of the smaller cell's diameter, 0..1; 0 where nothing meets it, and for
        outlines of fewer than three corners.
    """
    corners = [np.asarray(outline, np.float64) for outline in outlines]
    pairs = [_met(corners, i, near, gap) for i, near in _near(corners, gap)]
    meeting = {i for met in pairs for i in met} | {i for i, m in enumerate(pairs) if m}
    nothing = np.zeros(_POINTS, bool)
    circles = {
        i: _Circle.through(
            _evenly(corners[i]), np.any([nothing, *pairs[i].values()], axis=0)
        )
        for i in meeting
    }
    depths = np.zeros(len(corners), np.float32)
    for i, met in enumerate(pairs):
        for j in met:
            # A small cell may lie in a large one between two of its points.
            deep = circles[i].depth(circles[j])
            depths[i], depths[j] = max(depths[i], deep), max(depths[j], deep)
    return depths


def _near(corners: list[_Points], gap: float) -> list[tuple[int, list[int]]]:
    """Return each cell with those whose boxes come near its own."""
    solid = np.array([len(c) >= 3 for c in corners], bool)
    low = np.array([c.min(axis=0) if len(c) else (np.inf,) * 2 for c in corners])
    high = np.array([c.max(axis=0) if len(c) else (-np.inf,) * 2 for c in corners])
    found = []
    for i in range(len(corners)):
        close = (low <= high[i] + gap).all(axis=1) & (high >= low[i] - gap).all(axis=1)
        close &= solid & solid[i]
        close[i] = False
        found.append((i, np.flatnonzero(close).tolist()))
    return found


def _met(
    corners: list[_Points], i: int, near: list[int], gap: float
) -> dict[int, npt.NDArray[np.bool_]]:
    """Return, for each cell that meets this one, at which of its points it does."""
    if not near:
        return {}
    points = _evenly(corners[i])
    found = {}
    for j in near:
        met = points_in_poly(points, corners[j])
        met |= _away(points, corners[j]) <= gap
        if met.any():
            found[j] = np.asarray(met, bool)
    return found


def _evenly(corners: _Points) -> _Points:
    """Return points along a closed polygon, evenly spaced."""
    closed = np.concatenate([corners, corners[:1]])
    walked = np.append(0.0, np.cumsum(np.hypot(*np.diff(closed, axis=0).T)))
    at = np.linspace(0, walked[-1], _POINTS, endpoint=False)
    return np.stack([np.interp(at, walked, closed[:, axis]) for axis in (0, 1)], axis=1)


def _away(points: _Points, corners: _Points) -> npt.NDArray[np.float64]:
    """Return the distance of each point from the nearest side of a polygon."""
    way = np.roll(corners, -1, axis=0) - corners
    off = points[:, None] - corners
    length = np.maximum((way**2).sum(axis=1), 1e-12)
    along = np.clip((off * way).sum(axis=2) / length, 0, 1)
    gaps: npt.NDArray[np.float64] = np.linalg.norm(
        off - along[..., None] * way, axis=2
    ).min(axis=1)
    return gaps
