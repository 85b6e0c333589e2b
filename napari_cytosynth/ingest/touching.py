"""Parts nuclei that touch, by their shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from napari_cytosynth.ingest.masks import Labels, disc
from napari_cytosynth.ingest.stain import Mask

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NeckConfig:
    """When a narrow place parts two nuclei.

    Parameters
    ----------
    smooth_um : float
        Blur of the distance to the edge, against dents.
    apart_um : float
        Least distance of two middles.
    neck : float
        Width of a neck as a share of the narrower side's; a wider one parts nothing.
    """

    smooth_um: float = 0.4
    apart_um: float = 1.2
    neck: float = 0.8


def part_touching(mask: Mask, config: NeckConfig, mpp: float) -> tuple[Labels, int]:
    """Label the pieces of a mask that only necks connect.

    Parameters
    ----------
    mask : bool[y, x]
        Nuclei, some of them touching.
    config : NeckConfig
        What counts as a neck.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    labels, count
        int32[y, x] and the number of labels. Watershed on the distance to the edge;
        pieces whose neck is wide are put together again (as with h-maxima of the
        logarithm of the distance).
    """
    depth = ndimage.distance_transform_edt(mask)
    depth = ndimage.gaussian_filter(depth, config.smooth_um / mpp, truncate=3.0)
    depth[~mask] = 0
    highest = ndimage.maximum_filter(depth, footprint=disc(config.apart_um / mpp))
    tops, count = ndimage.label((depth == highest) & mask, np.ones((3, 3)))
    pieces = np.asarray(watershed(-depth, tops, mask=mask), np.int32)
    numbers = _merged(pieces, count, depth, config.neck)
    return numbers[pieces], int(numbers.max())


def _merged(
    pieces: Labels, count: int, depth: Floats, neck: float
) -> npt.NDArray[np.int32]:
    """Return new numbers of the pieces, equal where a wide neck connects them."""
    tops = np.zeros(count + 1)
    np.maximum.at(tops, pieces.ravel(), depth.ravel())
    parent = np.arange(count + 1)

    def root(i: int) -> int:
        while parent[i] != i:
            i = int(parent[i])
        return i

    for i, j, saddle in _necks(pieces, depth):
        a, b = root(i), root(j)
        if a != b and saddle > neck * min(tops[a], tops[b]):
            low, high = sorted((a, b), key=lambda n: (tops[n], -n))
            parent[low] = high
    roots = np.array([root(i) for i in range(count + 1)])
    return np.unique(roots, return_inverse=True)[1].astype(np.int32)


def _necks(pieces: Labels, depth: Floats) -> list[tuple[int, int, float]]:
    """Return pairs of pieces that touch, and how wide their neck is; widest first."""
    firsts, seconds, widths = [], [], []
    for a, b in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        meet = (pieces[a] != pieces[b]) & (pieces[a] > 0) & (pieces[b] > 0)
        firsts.append(np.minimum(pieces[a][meet], pieces[b][meet]))
        seconds.append(np.maximum(pieces[a][meet], pieces[b][meet]))
        widths.append(np.minimum(depth[a][meet], depth[b][meet]))
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    width = np.concatenate(widths)
    order = np.lexsort((second, first, -width))
    first, second, width = first[order], second[order], width[order]
    _, kept = np.unique(np.stack([first, second]), axis=1, return_index=True)
    return [(int(first[k]), int(second[k]), float(width[k])) for k in np.sort(kept)]
