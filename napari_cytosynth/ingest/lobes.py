"""Joins pieces of nuclei that may be the lobes of one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_cytosynth.ingest.masks import Labels, areas_of
from napari_cytosynth.ingest.stain import Mask

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LobeConfig:
    """Which pieces may be lobes of one nucleus; micrometres.

    Parameters
    ----------
    fragment_um2 : float
        Smallest fragment that counts.
    gap_um : float
        Widest gap between lobes, each taken as a disc.
    clear_um : float
        Widest gap without stain between lobes in clear cytoplasm.
    cell_um : float
        Longest side of all lobes of a cell together.
    """

    fragment_um2: float = 3.0
    gap_um: float = 2.5
    clear_um: float = 1.0
    cell_um: float = 17.0


def join_lobes(
    fragments: Labels, count: int, body: Mask, config: LobeConfig, mpp: float
) -> Labels:
    """Return the labels of nuclei out of those of fragments.

    Parameters
    ----------
    fragments : int32[y, x]
        Connected pieces of nuclei.
    count : int
        How many.
    body : bool[y, x]
        Cytoplasm and nuclei; lobes join within one body only.
    config : LobeConfig
        Sizes.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    int32[y, x]
        Pieces of one nucleus share a label; pieces that are too small are gone.
    """
    areas = np.asarray(areas_of(fragments, count) * mpp * mpp, np.float64)
    numbers = np.arange(count + 1, dtype=np.int32)
    numbers[areas < config.fragment_um2] = 0
    lobes = np.flatnonzero(numbers)
    if len(lobes) < 2:
        return np.asarray(numbers[fragments], np.int32)
    groups = _Groups(numbers, _spans(fragments, lobes, mpp), config.cell_um)
    centres = ndimage.center_of_mass(fragments > 0, fragments, lobes)
    places = np.array(centres) * mpp
    for i, j in _close_pairs(places, areas[lobes], config):
        if _bridged(body, places[i] / mpp, places[j] / mpp, config.clear_um / mpp):
            groups.join(int(lobes[i]), int(lobes[j]))
    return np.asarray(groups.numbers[fragments], np.int32)


def _close_pairs(
    places: Floats, areas: Floats, config: LobeConfig
) -> npt.NDArray[np.integer]:
    """Return pairs that may join; the closest first."""
    pairs = cKDTree(places).query_pairs(config.cell_um, output_type="ndarray")
    first, second = pairs.T
    apart = np.hypot(*(places[first] - places[second]).T)
    radii = np.sqrt(areas / np.pi)
    gaps = apart - radii[first] - radii[second]
    may_join = gaps <= config.gap_um
    order = np.lexsort((second, first, gaps))
    kept: npt.NDArray[np.integer] = pairs[order][may_join[order]]
    return kept


def _spans(
    fragments: Labels, lobes: npt.NDArray[np.integer], mpp: float
) -> dict[int, Floats]:
    """Return top, left, bottom and right of each lobe, micrometres."""
    boxes = ndimage.find_objects(fragments)
    spans = {}
    for number in lobes:
        rows, columns = boxes[number - 1]
        corners = [rows.start, columns.start, rows.stop, columns.stop]
        spans[int(number)] = np.array(corners, np.float64) * mpp
    return spans


@dataclass
class _Groups:
    """Which lobes belong together so far."""

    numbers: npt.NDArray[np.int32]
    spans: dict[int, Floats] = field(repr=False)
    longest: float

    def join(self, one: int, other: int) -> None:
        """Put two lobes' groups together if they still make no more than one cell."""
        a, b = int(self.numbers[one]), int(self.numbers[other])
        if a == b:
            return
        low = np.minimum(self.spans[a][:2], self.spans[b][:2])
        high = np.maximum(self.spans[a][2:], self.spans[b][2:])
        if (high - low).max() <= self.longest:
            self.numbers[self.numbers == b] = a
            self.spans[a] = np.concatenate([low, high])


def _bridged(body: Mask, start: Floats, end: Floats, most: float) -> bool:
    """Tell whether the straight line between two points runs through the body.

    Save for ``most`` pixels, or what little of a long line noise takes away.
    """
    steps = int(np.abs(end - start).max()) + 2
    rows, columns = np.linspace(start, end, steps).astype(int).T
    out = 1 - float(body[rows, columns].mean())
    return out < 0.15 or out * float(np.hypot(*(end - start))) <= most
