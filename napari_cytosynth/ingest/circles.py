"""Counts circles of every size: edges vote for the centres that they curve around.

Cells that touch run into one mass, and pale middles cut holes into them; their edges
curve around the same centres all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.ingest.stain import Image32, Mask

Floats = npt.NDArray[np.float64]

_FIRST = 8.0  # pixels of radius from which a level of the pyramid is looked at
_STEPS = 8  # radii an octave
_MOST_LEVELS = 6
_TOLERANCE = 0.12  # how far a voter may stand off the circle, as a share of its radius
_APART = 0.7  # least distance of two centres, as a share of the radius
_FULL = 0.4  # fall a pixel at a full edge, as a share of the density of pale cells
_FAINT = 0.2  # of a full edge; below, a pixel has no vote
_LEAST, _CLEAR = 0.4, 0.9  # shares of a circle that count not at all, and fully
_TOUCHING = np.ones((3, 3), bool)
_FEW = 4.0  # circles of one size that are believed by half


@dataclass(frozen=True, slots=True)
class Circles:
    """How many circles of each radius there are.

    Parameters
    ----------
    radii : float64[n]
        Pixels, rising.
    clear : float64[n]
        Circles of that radius, each by how much of it shows, 0..1.
    """

    radii: Floats
    clear: Floats

    def plus(self, other: Circles) -> Circles:
        """Return the circles of two windows; one may be too small for large ones."""
        long, short = sorted((self, other), key=lambda c: -len(c.radii))
        clear = long.clear.copy()
        clear[: len(short.clear)] += short.clear
        return Circles(long.radii, clear)

    def areas(self) -> Floats:
        """Return float64[n]: pixels under circles of each radius; few count little."""
        fourth = self.clear**4
        belief = fourth / (fourth + _FEW**4)
        return np.asarray(self.clear * belief * np.pi * self.radii**2, np.float64)


def count_circles(
    density: Image32, free: Mask, threshold: float, *, large: bool = False
) -> Circles:
    """Count circles whose inside is stained more than their outside.

    Parameters
    ----------
    density : float32[y, x]
        Stain, not smoothed.
    free : bool[y, x]
        Where edges count.
    threshold : float
        Density that parts pale cells from glass.
    large : bool
        Look for circles of 8 pixels of radius or more only, four times as fast.

    Returns
    -------
    Circles
        Votes for centres as in Loy and Zelinsky 2003 (fast radial symmetry, IEEE TPAMI
        25:959), on a pyramid, so that large circles cost no more than small ones.
    """
    density = density.clip(-0.1, 3 * threshold)
    radii: list[float] = []
    clear: list[float] = []
    octave = _FIRST * 2 ** (np.arange(_STEPS) / _STEPS)
    first = int(large)
    if large:
        density, free = _halved(density), _halved(free) == 1
    for level in range(first, _MOST_LEVELS):
        if min(density.shape) < 2 * _FIRST:
            break
        sizes = np.concatenate([octave / 2, octave]) if level == first else octave
        sizes = sizes[sizes <= min(density.shape) / 2]
        voters = _voters(density, free, _FULL * threshold)
        for radius in sizes.tolist():
            radii.append(radius * 2**level)
            clear.append(_clear(voters, density.shape, radius))
        density, free = _halved(density), _halved(free) == 1
    return Circles(np.array(radii), np.array(clear))


_Voters = tuple[npt.NDArray[np.floating], ...]


def _voters(density: Image32, free: Mask, full: float) -> _Voters:
    """Return rows, columns, directions y and x, and weights of the pixels on edges."""
    gy, gx = np.gradient(ndimage.gaussian_filter(density, 1.0))
    length = np.hypot(gy, gx)
    where = (length > _FAINT * full) & free
    rows, columns = np.nonzero(where)
    size = length[where]
    weights = np.minimum(size / full, 1.0)
    return rows * 1.0, columns * 1.0, gy[where] / size, gx[where] / size, weights


def _clear(voters: _Voters, shape: tuple[int, ...], radius: float) -> float:
    """Return how many circles of one radius show, by how much of each."""
    rows, columns, uy, ux, weights = voters
    height, width = shape
    y = np.rint(rows + uy * radius).astype(np.intp)
    x = np.rint(columns + ux * radius).astype(np.intp)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    share = weights[inside] / (2 * np.pi * radius)
    votes = np.bincount(y[inside] * width + x[inside], share, height * width)
    side = 2 * max(round(_TOLERANCE * radius), 1) + 1
    even = ndimage.uniform_filter(votes.reshape(height, width), side, mode="constant")
    field = np.asarray(even * side * side, np.float64)
    field = _cut_to(field, field > _LEAST)
    highest = ndimage.maximum_filter(field, 2 * round(_APART * radius) + 1)
    # A flat top is one peak, of however many pixels.
    tops, count = ndimage.label((field == highest) & (field > _LEAST), _TOUCHING)
    peaks = np.zeros(count + 1)
    peaks[tops] = field
    shown = ((peaks[1:] - _LEAST) / (_CLEAR - _LEAST)).clip(0, 1)
    return float((shown**2).sum())


def _cut_to(field: Floats, marked: Mask) -> Floats:
    """Cut a field to the rectangle that holds all that is marked."""
    rows, columns = (np.flatnonzero(marked.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return field[:0, :0]
    return field[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _halved(values: npt.NDArray[np.generic]) -> Image32:
    """Return the means of two by two pixels; an odd last row or column is left out."""
    height, width = (n // 2 for n in values.shape)
    even = values[: 2 * height, : 2 * width].astype(np.float32)
    return np.asarray(even.reshape(height, 2, width, 2).mean(axis=(1, 3)), np.float32)
