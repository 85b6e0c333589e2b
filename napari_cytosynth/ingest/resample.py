"""Area averaging onto a grid that is fixed to the picture, in whole numbers.

A detector works at its own pixel size. The pixels it sees must not depend on where a
tile begins, to the last bit; so the factor counts in 64ths and the sums are integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.smear import SmearImage

_PARTS = 64
FINEST = 4
"""Grid pixels along a pixel of the picture, at most: more show nothing more."""

_MOST_PARTS = 4000  # 255 * 4000**2 still fits 32 bits


@dataclass(frozen=True)
class WorkingGrid:
    """A picture as a detector sees it, at about the pixel size that it asked for.

    Parameters
    ----------
    image : SmearImage
        The picture.
    level : int
        Pyramid level that is read: the coarsest that is still finer than the grid.
    parts : int
        Side of a grid pixel in 64ths of a pixel of that level.
    mpp : float
        Micrometres a grid pixel.
    """

    image: SmearImage
    level: int
    parts: int
    mpp: float

    @classmethod
    def over(cls, image: SmearImage, mpp: float, wanted: float | None) -> WorkingGrid:
        """Plan the grid.

        Parameters
        ----------
        image : SmearImage
            The picture.
        mpp : float
            Micrometres a level-0 pixel.
        wanted : float or None
            Micrometres a grid pixel; None keeps level 0.
        """
        factor = 1.0 if wanted is None else wanted / mpp
        finer = [i for i, d in enumerate(image.downsamples) if d <= factor * 1.001]
        level = max(finer, default=0)
        scale = image.downsamples[level]
        parts = round(_PARTS * factor / scale)
        parts = min(max(parts, _PARTS // FINEST), _MOST_PARTS)
        return cls(image, level, parts, mpp * scale * parts / _PARTS)

    @property
    def step(self) -> float:
        """Level-0 pixels a grid pixel."""
        return self.parts / _PARTS * self.image.downsamples[self.level]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture in whole grid pixels."""
        height, width = self.image.levels[self.level].shape[:2]
        return height * _PARTS // self.parts, width * _PARTS // self.parts

    def read(self, y0: int, y1: int, x0: int, x1: int) -> npt.NDArray[np.uint8]:
        """Return uint8[y1 - y0, x1 - x0, 3]; the window lies inside the grid."""
        top, bottom = y0 * self.parts // _PARTS, -(-y1 * self.parts // _PARTS)
        left, right = x0 * self.parts // _PARTS, -(-x1 * self.parts // _PARTS)
        block = self.image.read(left, top, right - left, bottom - top, self.level)
        if self.parts == _PARTS:
            return block
        return area_average(block, self.parts, (y0, y1, top), (x0, x1, left))


def area_average(
    block: npt.NDArray[np.uint8],
    parts: int,
    rows: tuple[int, int, int],
    columns: tuple[int, int, int],
) -> npt.NDArray[np.uint8]:
    """Average ``block`` over grid pixels of ``parts`` / 64 of its own.

    Parameters
    ----------
    block : uint8[y, x, 3]
        Source pixels.
    parts : int
        Side of a grid pixel in 64ths of a source pixel, 1..4000.
    rows, columns : tuple of 3 ints
        First grid pixel, one past the last, and the source pixel where ``block``
        begins.

    Returns
    -------
    uint8[rows, columns, 3]
        Exact averages, rounded half up.
    """
    sums = _sum_along_rows(block.astype(np.uint32), parts, *rows)
    sums = _sum_along_rows(sums.transpose(1, 0, 2), parts, *columns).transpose(1, 0, 2)
    area = np.uint32(parts * parts)
    return ((sums + area // np.uint32(2)) // area).astype(np.uint8)


def _sum_along_rows(
    values: npt.NDArray[np.uint32], parts: int, first: int, last: int, start: int
) -> npt.NDArray[np.uint32]:
    # Running sums wrap around 2**32; their differences are right all the same.
    edges = np.arange(first, last + 1, dtype=np.int64) * parts - start * _PARTS
    whole, rest = edges // _PARTS, (edges % _PARTS).astype(np.uint32)
    running = np.zeros((len(values) + 1, *values.shape[1:]), np.uint32)
    np.cumsum(values, axis=0, dtype=np.uint32, out=running[1:])
    inside = np.minimum(whole, len(values) - 1)
    at_edges = running[whole] * np.uint32(_PARTS)
    at_edges += rest[:, None, None] * values[inside]
    return np.diff(at_edges, axis=0)
