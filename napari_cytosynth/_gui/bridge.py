"""The one place where project coordinates become napari's, and back.

The project speaks level-0 pixels, x before y, corner-based: the first pixel spans 0..1.
napari speaks y before x, puts the *centre* of the first pixel at the origin, and our
layers are scaled in micrometres. So ``world = (pixel[y, x] - 0.5) * mpp``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import Box

UNITS = ("um", "um")
"""Units of every layer of ours."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bridge:
    """Converts between one smear's pixels and napari's world.

    Parameters
    ----------
    mpp : float
        Micrometres a level-0 pixel, > 0.

    Raises
    ------
    InputError
        If ``mpp`` is not a positive number.
    """

    mpp: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.mpp) or self.mpp <= 0:
            raise InputError(
                f"A smear has {self.mpp} micrometres a pixel. The pixel size must be "
                "positive; give it when the smear is added."
            )

    @property
    def scale(self) -> tuple[float, float]:
        """Layer scale of a level-0 picture, micrometres, y-x."""
        return self.mpp, self.mpp

    def to_world(self, points: npt.ArrayLike) -> Points:
        """Turn float[n, 2] x-y pixels into float64[n, 2] y-x micrometres."""
        pixels = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        return (pixels[:, ::-1] - 0.5) * self.mpp

    def to_pixels(self, world: npt.ArrayLike) -> Points:
        """Turn float[n, 2] y-x micrometres into float64[n, 2] x-y pixels."""
        places = np.asarray(world, dtype=np.float64).reshape(-1, 2)
        return places[:, ::-1] / self.mpp + 0.5

    def centres(self, boxes: npt.ArrayLike) -> Points:
        """Turn boxes float[n, 4] (x, y, width, height) into world centres."""
        rows = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        return self.to_world(rows[:, :2] + rows[:, 2:] / 2)

    def rectangle(self, box: Box) -> Points:
        """Return the four world corners float64[4, 2] of a box, y-x, clockwise."""
        right, bottom = box.x + box.width, box.y + box.height
        corners = [(box.x, box.y), (right, box.y), (right, bottom), (box.x, bottom)]
        return self.to_world(corners)

    def box(self, corners: npt.ArrayLike) -> Box:
        """Return the box that four world corners span; undoes :meth:`rectangle`."""
        pixels = self.to_pixels(corners)
        (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
        return Box(float(left), float(top), float(right - left), float(bottom - top))

    def length(self, pixels: float) -> float:
        """Turn a length in level-0 pixels into micrometres."""
        return pixels * self.mpp

    def view_box(self, centre: tuple[float, float], span: tuple[float, float]) -> Box:
        """Return the pixels that a view shows.

        Parameters
        ----------
        centre : tuple of 2 floats
            World place y-x in the middle of the canvas.
        span : tuple of 2 floats
            Height and width of the canvas in micrometres.
        """
        half = np.asarray(span, dtype=np.float64) / 2
        middle = np.asarray(centre, dtype=np.float64)
        return self.box(np.stack([middle - half, middle + half]))
