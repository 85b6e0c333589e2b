"""Tells one cell with several lobes from several cells that touch, by its outline.

The lobes of one nucleus lie in one round cell. Two cells that touch are long together,
have a waist, and each has a round nucleus of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from napari_cytosynth.ingest.masks import Labels, areas_of

Floats = npt.NDArray[np.float64]
Members = tuple[int, ...]

_MANY = 6  # pieces up to which every way to cut in two is tried


@dataclass(frozen=True, slots=True)
class WholeConfig:
    """What makes a cell out of pieces.

    Parameters
    ----------
    solid : float
        Weight of the share that a cell fills of its convex hull, beside that of its
        roundness, which is 1.
    discs : float
        Weight, against it, of how round the second roundest piece of nucleus is.
    whole : float
        Least sum of these for one cell.
    nucleus_um2 : float
        Smallest nucleus of a cell that is cut off.
    least, least_nucleus : float
        Least roundness and solidity of a cell, or else of its nucleus, less the share
        of the nucleus's outline that others touch; below both, it is part of a mass or
        a smudge.
    """

    solid: float = 1.6
    discs: float = 0.5
    whole: float = 1.65
    nucleus_um2: float = 14.0
    least: float = 1.85
    least_nucleus: float = 2.2


def cut_apart(
    groups: npt.NDArray[np.int32],
    pieces: Labels,
    grounds: Labels,
    config: WholeConfig,
    mpp: float,
) -> npt.NDArray[np.int32]:
    """Cut groups of pieces of nuclei that are more than one cell.

    Parameters
    ----------
    groups : int32[n + 1]
        Group of each piece; 0 where it has none.
    pieces : int32[y, x]
        Pieces of nuclei.
    grounds : int32[y, x]
        The part of its cell that is nearest to each piece.
    config : WholeConfig
        What makes a cell.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    int32[n + 1]
        Number of each piece's cell: that of its first piece; 0 where it is no cell.
    """
    cells = np.zeros_like(groups)
    if not groups.any():
        return cells
    shapes = _Shapes.of(pieces, grounds, config, mpp)
    found: list[Members] = []
    for group in np.unique(groups[groups > 0]):
        members = tuple(int(i) for i in np.flatnonzero(groups == group))
        found += shapes.cells(members)
    for cell in found:
        cells[list(cell)] = cell[0]
    enclosed = _enclosed(cells[pieces])
    nuclei = _Shapes.of(pieces, pieces, config, mpp)
    for cell in found:
        lost = float(enclosed[cell[0]])
        if shapes.shapely(cell) - lost >= config.least:
            continue
        if nuclei.shapely(cell) - lost < config.least_nucleus:
            cells[list(cell)] = 0
    return cells


def _enclosed(nuclei: Labels) -> Floats:
    """Return, for each nucleus, the share of its outline that touches others."""
    size = int(nuclei.max(initial=0)) + 1
    edges, shared = np.zeros(size), np.zeros(size)
    for a, b in ((nuclei[:-1], nuclei[1:]), (nuclei[:, :-1], nuclei[:, 1:])):
        differ = a != b
        one, other = a[differ], b[differ]
        both = (one > 0) & (other > 0)
        for side in (one, other):
            edges += np.bincount(side, minlength=size)
            shared += np.bincount(side[both], minlength=size)
    return shared / np.maximum(edges, 1)


@dataclass(frozen=True)
class _Shapes:
    """Outlines and sizes of pieces."""

    grounds: Labels
    boxes: Sequence[tuple[slice, slice] | None]
    areas: npt.NDArray[np.floating]
    ground_areas: npt.NDArray[np.int64]
    discs: Floats
    config: WholeConfig

    @classmethod
    def of(
        cls, pieces: Labels, grounds: Labels, config: WholeConfig, mpp: float
    ) -> _Shapes:
        """Measure pieces and their grounds."""
        count = int(pieces.max())
        areas = areas_of(pieces, count)
        depth = np.zeros(count + 1)
        inside = ndimage.distance_transform_edt(pieces > 0)
        np.maximum.at(depth, pieces.ravel(), inside.ravel())
        return cls(
            grounds,
            ndimage.find_objects(grounds, count),
            areas * mpp * mpp,
            areas_of(grounds, count),
            np.pi * depth**2 / np.maximum(areas, 1),
            config,
        )

    def cells(self, members: Members) -> Iterator[Members]:
        """Yield the cells that a group of pieces consists of."""
        cuts = [] if self._one(members) else list(self._cuts(members))
        if not cuts:
            yield members
            return
        best = max(cuts, key=lambda cut: sum(self.shapely(part) for part in cut))
        for part in best:
            yield from self.cells(part)

    def _one(self, members: Members) -> bool:
        """Tell whether pieces are one cell."""
        if len(members) < 2:
            return True
        second = np.sort(self.discs[list(members)])[-2]
        score = self.shapely(members) - self.config.discs * float(second)
        return score >= self.config.whole

    def _cuts(self, members: Members) -> Iterator[tuple[Members, Members]]:
        """Yield the ways to cut a group in two."""
        most = len(members) // 2 if len(members) <= _MANY else 1
        for size in range(1, most + 1):
            for part in combinations(members, size):
                rest = tuple(i for i in members if i not in part)
                nuclei = min(self.areas[list(p)].sum() for p in (part, rest))
                if nuclei >= self.config.nucleus_um2:
                    yield part, rest

    def shapely(self, members: Members) -> float:
        """Return how round pieces are, and how much of their hull they fill."""
        corners = np.concatenate([self._corners(i) for i in members])
        filled = int(self.ground_areas[list(members)].sum())
        size = np.array(self.grounds.shape, np.float64)
        scores = [self._score(corners, filled)]
        # What the border cuts is judged with its mirror image, as if it were whole.
        for axis in (0, 1):
            for border in (0.0, size[axis]):
                if (corners[:, axis] == border).any():
                    mirrored = corners.copy()
                    mirrored[:, axis] = 2 * border - mirrored[:, axis]
                    both = np.concatenate([corners, mirrored])
                    scores.append(self._score(both, 2 * filled))
        return max(scores)

    def _score(self, corners: Floats, filled: int) -> float:
        corners = corners - corners.min(axis=0)  # so that no sum rounds by the place
        hull = ConvexHull(corners)
        longest = float(pdist(corners[hull.vertices]).max())
        roundness = hull.volume / (np.pi / 4 * longest**2)
        return float(roundness + self.config.solid * filled / hull.volume)

    def _corners(self, piece: int) -> Floats:
        """Return float64[k, 2]: corners of the pixels at the ends of each row."""
        where = self.boxes[piece - 1]
        if where is None:
            return np.zeros((0, 2))
        mask = self.grounds[where] == piece
        rows = np.flatnonzero(mask.any(axis=1))
        first = mask[rows].argmax(axis=1)
        last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
        ends = [np.stack([rows + y, x], axis=-1) for y in (0, 1) for x in (first, last)]
        start = (float(where[0].start), float(where[1].start))
        return np.asarray(np.concatenate(ends) + start, np.float64)
