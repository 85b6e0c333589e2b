"""Finds cells tile by tile, so that any tiling finds the same cells.

Each tile is read with a halo wider than any cell, and keeps the objects whose centre
lies in its core. Pixels, thresholds and scale come from the calibration and from a grid
fixed to the picture, never from the tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import Detections, ObjectKind
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Detector
from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.ingest.resample import WorkingGrid

HALO_UM = 45.0
"""Width of the border read around a tile: wider than the largest cell and its reach."""

_CORE = 512
_ONE_TILE = 768  # a picture up to this long is not cut: its halos would cost more

OBJECTS = {"nucleated": (ObjectKind.NUCLEATED,), "all": tuple(ObjectKind)}
"""What ``objects`` may be, and the kinds that it means."""


@runtime_checkable
class Scaled(Protocol):
    """A detector that wants its tiles at a pixel size of its own."""

    working_mpp: float


@runtime_checkable
class Selective(Protocol):
    """A detector that can be spared from finding what nobody asked for."""

    def only(self, kinds: Sequence[ObjectKind]) -> Detector:
        """Return a detector that finds objects of these kinds alone."""
        ...


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a picture is cut.

    Parameters
    ----------
    core : int or None
        Side of a tile without its halo, in pixels of the detector's grid, >= 1; None
        leaves small pictures whole, and cuts others at every 512.
    halo_um : float
        Width of the border around it, micrometres.
    order : tuple of int or None
        Positions of the tiles, row by row, in the order in which they are done.
    start : int
        Tiles of that order that are left out, done before an interruption.
    """

    core: int | None = None
    halo_um: float = HALO_UM
    order: tuple[int, ...] | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class _Tile:
    y0: int
    y1: int
    x0: int
    x1: int


def detect_cells(
    image: SmearImage,
    detector: Detector,
    calibration: Calibration,
    *,
    objects: str = "nucleated",
    tiling: Tiling | None = None,
) -> Task[Detections]:
    """Find the cells of a smear.

    Parameters
    ----------
    image : SmearImage
        An open smear.
    detector : Detector
        Such as ``ClassicDetector()``.
    calibration : Calibration
        From :func:`calibrate`.
    objects : str
        ``"nucleated"``, or ``"all"`` for red cells and platelets too.
    tiling : Tiling or None
        The cut; it changes speed and memory, never the cells.

    Yields
    ------
    Progress
        One a tile; the payload is the tile's :class:`Detections`.

    Returns
    -------
    Detections
        In level-0 pixels, from top to bottom.

    Raises
    ------
    InputError
        If ``objects`` is unknown, or the picture is damaged.
    """
    found = []
    for done, total, part in scan(
        image, detector, calibration, objects=objects, tiling=tiling
    ):
        found.append(part)
        yield Progress(done, total, "finding cells", part)
    return in_reading_order(Detections.concatenate(found))


def scan(
    image: SmearImage,
    detector: Detector,
    calibration: Calibration,
    *,
    objects: str = "nucleated",
    tiling: Tiling | None = None,
) -> Iterator[tuple[int, int, Detections]]:
    """Yield tiles done, tiles in all, and each tile's cells; see `detect_cells`."""
    kinds = _kinds(objects)
    tiling = tiling or Tiling()
    grid, detector = _prepared(image, detector, calibration, kinds)
    at_grid = replace(calibration, mpp=grid.mpp)
    tiles = _cut(grid.shape, tiling.core or _core_for(grid.shape))
    order = tiling.order if tiling.order is not None else tuple(range(len(tiles)))
    halo = int(np.ceil(tiling.halo_um / grid.mpp))
    for done in range(tiling.start, len(order)):
        part = _detect_tile(grid, detector, at_grid, tiles[order[done]], halo)
        wanted_kinds = np.isin(part.kinds, [int(k) for k in kinds])
        yield done + 1, len(order), in_reading_order(part.take(wanted_kinds))


def detect_at(
    image: SmearImage,
    detector: Detector,
    calibration: Calibration,
    point: tuple[float, float],
    um: float,
) -> Detections:
    """Find nucleated cells around a point: the same ones as a full scan finds.

    Parameters
    ----------
    image, detector, calibration
        As for :func:`detect_cells`.
    point : tuple of 2 floats
        x, y; level-0 pixels.
    um : float
        Side of the square that is searched, micrometres.

    Returns
    -------
    Detections
        In level-0 pixels.
    """
    kinds = _kinds("nucleated")
    grid, detector = _prepared(image, detector, calibration, kinds)
    height, width = grid.shape
    reach = um / 2 / grid.mpp
    x, y = (p / grid.step for p in point)
    tile = _Tile(
        max(int(y - reach), 0),
        min(int(y + reach) + 1, height),
        max(int(x - reach), 0),
        min(int(x + reach) + 1, width),
    )
    halo = int(np.ceil(HALO_UM / grid.mpp))
    found = _detect_tile(grid, detector, replace(calibration, mpp=grid.mpp), tile, halo)
    return found.take(np.isin(found.kinds, [int(k) for k in kinds]))


def in_reading_order(found: Detections) -> Detections:
    """Sort detections by place, so that the order of the tiles does not show."""
    boxes = found.boxes
    return found.take(
        np.lexsort((found.kinds, boxes[:, 3], boxes[:, 2], boxes[:, 0], boxes[:, 1]))
    )


def _kinds(objects: str) -> tuple[ObjectKind, ...]:
    if objects not in OBJECTS:
        raise InputError(
            f"Cannot look for objects '{objects}'. Choose one of {', '.join(OBJECTS)}."
        )
    return OBJECTS[objects]


def _prepared(
    image: SmearImage,
    detector: Detector,
    calibration: Calibration,
    kinds: Sequence[ObjectKind],
) -> tuple[WorkingGrid, Detector]:
    if isinstance(detector, Selective):
        detector = detector.only(kinds)
    wanted = detector.working_mpp if isinstance(detector, Scaled) else None
    return WorkingGrid.over(image, calibration.mpp, wanted), detector


def _core_for(shape: tuple[int, int]) -> int:
    longest = max(shape)
    return _CORE if longest > _ONE_TILE else max(longest, 1)


def _cut(shape: tuple[int, int], core: int) -> list[_Tile]:
    height, width = shape
    return [
        _Tile(y, min(y + core, height), x, min(x + core, width))
        for y in range(0, height, core)
        for x in range(0, width, core)
    ]


def _detect_tile(
    grid: WorkingGrid,
    detector: Detector,
    calibration: Calibration,
    tile: _Tile,
    halo: int,
) -> Detections:
    height, width = grid.shape
    y0, y1 = max(tile.y0 - halo, 0), min(tile.y1 + halo, height)
    x0, x1 = max(tile.x0 - halo, 0), min(tile.x1 + halo, width)
    found = detector.detect(grid.read(y0, y1, x0, x1), calibration)
    centres = (
        found.boxes[:, :2] + found.boxes[:, 2:] / 2 + np.array([x0, y0], np.float32)
    )
    inside = (
        (centres[:, 0] >= tile.x0)
        & (centres[:, 0] < tile.x1)
        & (centres[:, 1] >= tile.y0)
        & (centres[:, 1] < tile.y1)
    )
    return _to_level0(found.take(inside), grid, (x0, y0))


def _to_level0(
    found: Detections, grid: WorkingGrid, origin: tuple[int, int]
) -> Detections:
    shift = np.array(origin, np.float64)
    boxes = found.boxes.astype(np.float64)
    boxes[:, :2] = boxes[:, :2] + shift
    boxes *= grid.step
    corners = found.boxes[:, :2] + shift
    limit = np.array(grid.shape[::-1]) - 1
    cut = np.concatenate([corners < 1, corners + found.boxes[:, 2:] > limit], axis=1)
    edges = np.asarray(cut.any(axis=1), bool)
    outlines: list[npt.NDArray[np.float32]] = [
        ((o + shift) * grid.step).astype(np.float32) for o in found.outlines
    ]
    return Detections(
        boxes.astype(np.float32), found.scores, edges, outlines, found.kinds
    )
