"""How much of a cell's outline lies on other cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from skimage.measure import points_in_poly

GAP_UM = 0.3
"""Outlines nearer than this touch, micrometres."""

_POINTS = 64  # on the outline of a cell, evenly spaced

Outline = npt.NDArray[np.float32]
_Points = npt.NDArray[np.float64]


def covered(outline: Outline, others: Sequence[Outline], gap: float) -> float:
    """Return the share of an outline that lies on other cells or touches them.

    Parameters
    ----------
    outline : float32[k, 2]
        Polygon x, y.
    others : sequence of float32[k, 2]
        Polygons of the cells around it.
    gap : float
        Distance up to which outlines touch; in the same unit.

    Returns
    -------
    float
        0..1; 0 where nothing is near.
    """
    if len(outline) < 3 or not others:
        return 0.0
    points = _evenly(np.asarray(outline, np.float64))
    met = np.zeros(len(points), bool)
    for other in others:
        if len(other) >= 3:
            corners = np.asarray(other, np.float64)
            met |= points_in_poly(points, corners)
            met |= _away(points, corners) <= gap
    return float(met.mean())


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
