"""Outlines round cells that touch, overlap, are hollow or cut by the border.

Edges vote for the centres that they curve around; from each centre the outline is the
closed path along which stain falls off best. Neighbours may overlap, as red cells do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.ingest.masks import disc
from napari_cytosynth.ingest.stain import Image32, Mask

Floats = npt.NDArray[np.floating]
Places = npt.NDArray[np.intp]
Gradient = tuple[Image32, Image32]

_PAD_UM = 4.0  # how far beyond the picture the centre of a cut cell may lie
_FAINT = 0.2  # of a full edge; below, a pixel has no vote
_UNSEEN = 0.15  # worth of a step outside the picture, where nothing can be seen
_FINE = 16  # steps a pixel; outlines on them are exact in any tile
_TURNS = (-2, -1, 0, 1, 2)


@dataclass(frozen=True, slots=True)
class RoundConfig:
    """Sizes in micrometres; shares of a full edge.

    Parameters
    ----------
    vote_um : tuple of 2 floats
        Radii at which an edge votes for a centre.
    path_um : tuple of 2 floats
        Radii between which the outline runs.
    step_um : float
        Step of both.
    angles : int
        Corners of an outline.
    apart_um : float
        Least distance of two centres.
    votes : float
        Least votes of a centre; a perfect circle of full edges has about 1.
    stiff : float
        Price of a step of the radius from one corner to the next.
    weak : float
        Least fall of stain that supports a corner.
    rim_um : float
        How far the cell's rim lies outside its steepest edge, which the blur moves in.
    """

    vote_um: tuple[float, float] = (1.8, 5.0)
    path_um: tuple[float, float] = (1.2, 6.0)
    step_um: float = 0.2
    angles: int = 32
    apart_um: float = 1.4
    votes: float = 0.14
    stiff: float = 0.15
    weak: float = 0.33
    rim_um: float = 0.65

    def radii(self, mpp: float) -> Floats:
        """Return float64[m]: radii of the path, pixels."""
        return np.arange(*self.path_um, self.step_um) / mpp

    def directions(self) -> Floats:
        """Return float64[angles, 2]: unit vectors y, x."""
        angles = np.arange(self.angles) * 2 * np.pi / self.angles
        return np.stack([np.sin(angles), np.cos(angles)], axis=-1)


@dataclass(frozen=True, slots=True)
class Rounds:
    """Outlines that may be cells.

    Parameters
    ----------
    outlines : float64[n, angles, 2]
        Corners x, y; corner-based pixels, some outside the picture.
    support : float64[n]
        Share of the seen corners where stain falls off, 0..1.
    strength : float64[n]
        How much it falls off there, -1..1; 0.5 on a full edge.
    whole : bool[n]
        All corners lie inside the picture.
    """

    outlines: npt.NDArray[np.float64]
    support: npt.NDArray[np.float64]
    strength: npt.NDArray[np.float64]
    whole: Mask


def find_rounds(
    density: Image32, free: Mask, full: float, config: RoundConfig, mpp: float
) -> Rounds:
    """Outline what is round and stained.

    Parameters
    ----------
    density : float32[y, x]
        Stain, smoothed.
    free : bool[y, x]
        Where edges count.
    full : float
        Fall of the density a pixel along the edge of a common cell.
    config : RoundConfig
        Sizes.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    Rounds
        Several may outline one cell; votes for centres as in Loy and Zelinsky 2003
        (fast radial symmetry, IEEE TPAMI 25:959), closed paths by dynamic programming.
    """
    slopes = np.gradient(density)
    gy, gx = (np.where(free, slope, 0).astype(np.float32) for slope in slopes)
    pad = int(np.ceil(_PAD_UM / mpp))
    votes = _votes((gy, gx), full, config, mpp, pad)
    highest = ndimage.maximum_filter(votes, footprint=disc(config.apart_um / mpp))
    places = np.argwhere((votes == highest) & (votes > config.votes)) - pad
    value, seen = _fall((gy, gx), places, full, config, mpp)
    path = _closed_paths(np.where(seen, value, _UNSEEN), config.stiff)[..., None]
    along = np.take_along_axis(value, path, 2)[..., 0].astype(np.float64)
    seen = np.take_along_axis(seen, path, 2)[..., 0]
    number = np.maximum(seen.sum(axis=1), 1)
    reach = config.radii(mpp)[path] + config.rim_um / mpp
    steps = np.rint(reach * config.directions()[:, ::-1] * _FINE) / _FINE
    return Rounds(
        steps + (places[:, None, ::-1] + 0.5),
        ((along > config.weak) & seen).sum(axis=1) / number,
        (along * seen).sum(axis=1) / number,
        np.asarray(seen.all(axis=1)),
    )


def _votes(
    gradient: Gradient, full: float, config: RoundConfig, mpp: float, pad: int
) -> Image32:
    """Return float32[y + 2 pad, x + 2 pad]: how many edges curve around each place."""
    length = np.hypot(*gradient)
    rows, columns = np.nonzero(length > _FAINT * full)
    size = length[rows, columns]
    uy, ux = (slope[rows, columns] / size for slope in gradient)
    weight = np.minimum(size / full, 1.0)
    height, width = (n + 2 * pad for n in length.shape)
    votes = np.zeros(height * width)
    low, high = config.vote_um
    for radius in np.arange(low, high + config.step_um, 2 * config.step_um) / mpp:
        y = rows + pad + np.rint(uy * radius).astype(np.intp)
        x = columns + pad + np.rint(ux * radius).astype(np.intp)
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        share = weight[inside] / (2 * np.pi * radius)
        votes += np.bincount(y[inside] * width + x[inside], share, height * width)
    field = votes.reshape(height, width).astype(np.float32)
    even: Image32 = ndimage.gaussian_filter(field, 0.8 / mpp, truncate=3.0)
    return even


def _fall(
    gradient: Gradient, places: Places, full: float, config: RoundConfig, mpp: float
) -> tuple[Image32, Mask]:
    """Return how stain falls off outwards, -1..1, and what lies in the picture.

    Both are [n, angles, radii]. Offsets are parted into whole pixels and rests before
    they meet the places, so that no sum rounds by the place.
    """
    gy, gx = gradient
    directions = config.directions()
    offsets = config.radii(mpp)[None, :, None] * directions[:, None, :]
    whole = np.floor(offsets).astype(np.intp)
    rest = (offsets - whole).astype(np.float32)
    uy, ux = directions.T[..., None].astype(np.float32)
    total = np.zeros((len(places), *offsets.shape[:2]), np.float32)
    seen = np.ones(total.shape, bool)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y, x = np.moveaxis(places[:, None, None] + whole + corner, -1, 0)
        seen &= (y >= 0) & (y < gy.shape[0]) & (x >= 0) & (x < gy.shape[1])
        y, x = y.clip(0, gy.shape[0] - 1), x.clip(0, gy.shape[1] - 1)
        share = np.where(corner, rest, 1 - rest).prod(axis=-1)
        total -= (gy[y, x] * uy + gx[y, x] * ux) * share
    return np.asarray(total / (np.abs(total) + full), np.float32), seen


def _closed_paths(value: Image32, stiff: float) -> Places:
    """Return intp[n, angles]: the radius at each angle of the best path around.

    Two rounds are walked; the half round before and after the middle has forgotten
    where the path began and does not know where it ends.
    """
    count, angles, radii = value.shape
    best = np.zeros((count, radii), np.float32)
    back = np.zeros((2 * angles, count, radii), np.int8)
    for step in range(2 * angles):
        options = np.full((len(_TURNS), count, radii), -np.inf, np.float32)
        for option, turn in zip(options, _TURNS, strict=True):
            here = slice(max(-turn, 0), radii - max(turn, 0))
            there = slice(max(turn, 0), radii + min(turn, 0))
            option[:, here] = best[:, there] - np.float32(stiff * abs(turn))
        choice = options.argmax(axis=0)
        best = np.take_along_axis(options, choice[None], 0)[0] + value[:, step % angles]
        back[step] = choice + _TURNS[0]
    at = best.argmax(axis=1)
    path = np.zeros((count, angles), np.intp)
    for step in range(2 * angles - 1, -1, -1):
        if angles // 2 <= step < angles + angles // 2:
            path[:, step % angles] = at
        at = at + back[step, np.arange(count), at]
    return path
