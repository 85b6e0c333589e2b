"""Small grey pictures by which copies of real cells are recognised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.metrics.copying import PERCENTILE, THIRD
from napari_cytosynth.metrics.neighbours import squared_distances

SAMPLE = 300
"""Real cells whose distances to the others set the percentile."""

SIDE = 16
"""Side of a thumbnail, pixels."""

_STEP = 40.0
_REST = 128.0

Thumbnails = npt.NDArray[np.uint8]
"""uint8[n, 16, 16]: grey, each with mean 128 and standard deviation 40."""


def thumbnails(crops: Crops) -> Thumbnails:
    """Shrink crops; brightness and contrast are taken out, so that stain hardly counts.

    Parameters
    ----------
    crops : uint8[n, 96, 96, 3]
        RGB.

    Returns
    -------
    uint8[n, 16, 16]
        Grey, mean 128, standard deviation 40.
    """
    n, side = len(crops), crops.shape[1] // SIDE
    grey = crops.reshape(n, SIDE, side, SIDE, side, 3).mean(axis=(2, 4, 5))
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    spread = np.maximum(centred.std(axis=(1, 2), keepdims=True), 1.0)
    grey = np.rint(centred / spread * _STEP + _REST)
    small: Thumbnails = np.clip(grey, 0, 255).astype(np.uint8)
    return small


def turned_distances(first: Thumbnails, second: Thumbnails) -> npt.NDArray[np.float64]:
    """Return distances of every pair at its best of eight turns and flips.

    Parameters
    ----------
    first, second : uint8[n, 16, 16], uint8[m, 16, 16]
        Thumbnails; the first are turned.

    Returns
    -------
    float64[n, m]
        Root mean square difference in standard deviations; 0 for copies, about 1.4 for
        unrelated pictures.
    """
    flat = _units(second)
    best = np.full((len(first), len(second)), np.inf)
    for flipped in (first, first[:, :, ::-1]):
        for turn in range(4):
            turned = _units(np.rot90(flipped, turn, axes=(1, 2)))
            best = np.minimum(best, squared_distances(turned, flat))
    return np.sqrt(best / SIDE**2)


def turned_threshold(small: Thumbnails, rng: np.random.Generator) -> float:
    """Return the first percentile of distances to the nearest other thumbnail.

    Parameters
    ----------
    small : uint8[n, 16, 16]
        Thumbnails of real cells; 0 comes back for fewer than two.
    """
    if len(small) < 2:
        return 0.0
    rows = rng.permutation(len(small))[:SAMPLE]
    distances = turned_distances(small[rows], small)
    distances[np.arange(len(rows)), rows] = np.inf
    return float(np.percentile(distances.min(axis=1), PERCENTILE))


def copied_share(made: Crops, real: Crops, threshold: float = 0.0) -> float:
    """Return how many of some pictures are copies of real ones, 0..1.

    A copy lies nearer to a real cell than a third of the way to the next, or than a
    threshold.

    Parameters
    ----------
    made, real : uint8[n, 96, 96, 3]
        Crops.
    threshold : float
        See :func:`turned_threshold`.
    """
    if len(real) < 2 or not len(made):
        return 0.0
    near = np.sort(turned_distances(thumbnails(made), thumbnails(real)))
    bar = np.maximum(threshold, THIRD * near[:, 1])
    return float((near[:, 0] < bar).mean())


def _units(small: Thumbnails) -> npt.NDArray[np.float64]:
    return ((small.astype(np.float64) - _REST) / _STEP).reshape(len(small), SIDE**2)
