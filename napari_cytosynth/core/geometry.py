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
