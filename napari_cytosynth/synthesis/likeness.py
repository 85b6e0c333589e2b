"""How like two cells are: what copies of real cells and repeats are recognised by.

Pictures are compared as small grey ones, at the best of eight turns and flips and of
nine places three pixels apart, so that neither a turn nor a small slip hides a copy;
vectors in their own space.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Batch, Crops, Vectors
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.metrics.copying import PERCENTILE
from napari_cytosynth.synthesis.starter import load_copy_bar
from napari_cytosynth.synthesis.thumbnails import (
    SAMPLE,
    Thumbnails,
    thumbnails,
    turned_distances,
)

ENOUGH = 100
"""Real cells from which their own first percentile is taken as it is."""

SLIP = 3
"""Pixels by which a picture is moved to and fro when it is compared."""

_SHIPPED = "latent"  # the generator whose weights ship
_CANDIDATES = 12  # nearest ones of a picture as it lies, among which it is moved

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


def is_shipped(batch: Batch) -> bool:
    """Tell whether shipped weights made these, whose training cells are known."""
    return any(item.provenance.generator == _SHIPPED for item in batch.items)


def crops_of(batch: Batch) -> Crops | None:
    """Return the pictures of a batch, or None where it holds vectors."""
    cells = [item.pixels for item in batch.items if isinstance(item, SyntheticCell)]
    return np.stack(cells) if cells else None


def vectors_of(batch: Batch) -> Vectors:
    """Return the vectors of a batch, float32[n, dim]."""
    return np.stack([i.vector for i in batch.items if not isinstance(i, SyntheticCell)])


def nearest_pictures(
    crops: Crops, points: Thumbnails, k: int, *, leave_out: Rows | None = None
) -> tuple[Floats, Rows]:
    """Return the ``k`` pictures that each crop is most like.

    Parameters
    ----------
    crops : uint8[n, 96, 96, 3]
        Pictures asked about.
    points : uint8[m, 16, 16]
        Thumbnails to compare with.
    k : int
        Neighbours, >= 1; fewer come back where there are fewer.
    leave_out : intp[n], optional
        Row of ``points`` that each crop must not be compared with: its own.

    Returns
    -------
    distances : float64[n, min(k, available)]
        Root mean square difference in standard deviations, ascending.
    indices : intp[n, min(k, available)]
        Rows of ``points``.
    """
    k = min(k, len(points) - (leave_out is not None))
    if k < 1 or not len(crops):
        return np.zeros((len(crops), max(k, 0))), np.zeros((len(crops), max(k, 0)), int)
    lying = turned_distances(thumbnails(crops), points)
    if leave_out is not None:
        lying[np.arange(len(crops)), leave_out] = np.inf
    wide = min(max(_CANDIDATES, k), len(points) - (leave_out is not None))
    near = np.argpartition(lying, wide - 1, axis=1)[:, :wide]
    moved = _moved(crops)
    pairs = zip(moved, near, strict=True)
    found = np.stack([turned_distances(m, points[r]).min(axis=0) for m, r in pairs])
    order = np.argsort(found, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found, order, 1), np.take_along_axis(near, order, 1)


def picture_bar(crops: Crops, points: Thumbnails, rng: np.random.Generator) -> float:
    """Return the distance below which two different real cells hardly ever lie.

    That is the first percentile of the distances to the nearest other real cell. Under
    :data:`ENOUGH` real cells it lies beyond what they can tell: then it is that of the
    cells that trained the starter weights, if theirs is smaller.

    Parameters
    ----------
    crops, points : uint8[n, 96, 96, 3], uint8[n, 16, 16]
        Real cells and their thumbnails; there may be none.
    """
    shipped = load_copy_bar()
    if len(points) < 2:
        return shipped
    rows = rng.permutation(len(points))[:SAMPLE]
    distances, _ = nearest_pictures(crops[rows], points, 1, leave_out=rows)
    bar = float(np.percentile(distances, PERCENTILE))
    return bar if len(points) >= ENOUGH else min(bar, shipped)


def _moved(crops: Crops) -> npt.NDArray[np.uint8]:
    """Return uint8[n, 9, 16, 16]: thumbnails of each crop at nine places."""
    side = crops.shape[1]
    wide = np.pad(crops, ((0, 0), (SLIP, SLIP), (SLIP, SLIP), (0, 0)), mode="edge")
    steps = (SLIP, 0, 2 * SLIP)
    places = [
        thumbnails(wide[:, y : y + side, x : x + side]) for y in steps for x in steps
    ]
    return np.stack(places, axis=1)
