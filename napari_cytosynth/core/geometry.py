"""Boxes and outlines in the project's one coordinate system.

Level-0 pixels, x before y, corner-based floats: the first pixel spans 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle.

    Parameters
    ----------
    x, y : float
        Left and top edge, level-0 pixels, corner-based.
    width, height : float
        Size in level-0 pixels, >= 0.
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as (x, y)."""
        return self.x + self.width / 2, self.y + self.height / 2

    def contains(self, x: float, y: float) -> bool:
        """Tell whether a point lies in the box, or on its border."""
        inside_x = self.x <= x <= self.x + self.width
        return inside_x and self.y <= y <= self.y + self.height

    def moved(self, dx: float, dy: float) -> Box:
        """Return the same box shifted by (dx, dy)."""
        return Box(self.x + dx, self.y + dy, self.width, self.height)


def box_iou(first: Floats, second: Floats) -> npt.NDArray[np.float64]:
    """Return the intersection over union of every pair of boxes.

    Parameters
    ----------
    first, second : float[n, 4], float[m, 4]
        Boxes as x, y, width, height.

    Returns
    -------
    float64[n, m]
        In 0..1; 0 where both boxes are empty.
    """
    a = np.asarray(first, dtype=np.float64).reshape(-1, 4)[:, None, :]
    b = np.asarray(second, dtype=np.float64).reshape(-1, 4)[None, :, :]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - shared
    iou: npt.NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=iou, where=union > 0)
    return iou


def halves(
    outline: Floats, first: tuple[float, float], second: tuple[float, float]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """Part a polygon along the line midway between two points.

    Clipped by one half-plane a side: Sutherland, Hodgman (1974), CACM 17(1). A polygon
    that is not convex may keep a seam along the line.

    Parameters
    ----------
    outline : float[k, 2]
        Corners x, y.
    first, second : (x, y)
        Each half is what lies nearer to one of them.

    Returns
    -------
    float32[i, 2], float32[j, 2], or None
        The half around ``first``, and that around ``second``; None where the points
        are the same or all of the polygon lies nearer to one of them.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    way = b - a
    if not way.any() or len(outline) < 3:
        return None
    corners = np.asarray(outline, np.float64)
    side = (corners - (a + b) / 2) @ way
    near, far = _clipped(corners, side), _clipped(corners, -side)
    if len(near) < 3 or len(far) < 3:
        return None
    return near, far


def _clipped(
    corners: npt.NDArray[np.float64], side: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return the part of a polygon where ``side`` is not above 0."""
    kept = []
    for i in range(len(corners)):
        j = (i + 1) % len(corners)
        if side[i] <= 0:
            kept.append(corners[i])
        if (side[i] <= 0) != (side[j] <= 0):
            share = side[i] / (side[i] - side[j])
            kept.append(corners[i] + share * (corners[j] - corners[i]))
    return np.array(kept, np.float32).reshape(-1, 2)
