"""Real cells: what a detector finds, and the table that a project keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId

CROP_PIXELS = 96
"""Side of a crop in pixels."""

CROP_UM = 24.0
"""Side of a crop in micrometres: 0.25 um a pixel."""

WIDE_CELL_UM = 20.0
"""A cell wider than this also gets a crop at 0.5 um a pixel."""


class ObjectKind(IntEnum):
    """What a detection is; the numbers are the COCO category ids."""

    NUCLEATED = 1
    RED_CELL = 2
    PLATELET = 3


@dataclass(frozen=True, slots=True)
class Detections:
    """Objects found in one picture or tile.

    Parameters
    ----------
    boxes : float32[n, 4]
        Whole-cell boxes x, y, width, height; level-0 pixels, corner-based.
    scores : float32[n]
        Detector confidence, 0..1.
    edges : bool[n]
        True where the picture's border cuts the cell.
    outlines : sequence of float32[k, 2]
        Polygons x, y around the whole cell; same coordinates as the boxes.
    kinds : uint8[n]
        :class:`ObjectKind` of each.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    edges: npt.NDArray[np.bool_]
    outlines: Sequence[npt.NDArray[np.float32]]
    kinds: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        sizes = {
            len(self.boxes),
            len(self.scores),
            len(self.edges),
            len(self.outlines),
            len(self.kinds),
        }
        if len(sizes) != 1:
            raise InputError(
                f"Detections hold columns of different length {sorted(sizes)}. "
                "Each object needs a box, score, edge flag, outline and kind."
            )

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Detections:
        """Return no detections."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, bool),
            [],
            np.zeros(0, np.uint8),
        )

    def take(
        self, index: npt.NDArray[np.integer] | npt.NDArray[np.bool_]
    ) -> Detections:
        """Return the objects at ``index`` (positions or a mask)."""
        where = np.arange(len(self))[index]
        return Detections(
            self.boxes[where],
            self.scores[where],
            self.edges[where],
            [self.outlines[i] for i in where],
            self.kinds[where],
        )

    @staticmethod
    def concatenate(parts: Sequence[Detections]) -> Detections:
        """Join detections of several tiles."""
        if not parts:
            return Detections.empty()
        return Detections(
            np.concatenate([p.boxes for p in parts]),
            np.concatenate([p.scores for p in parts]),
            np.concatenate([p.edges for p in parts]),
            [outline for p in parts for outline in p.outlines],
            np.concatenate([p.kinds for p in parts]),
        )


@dataclass(frozen=True, slots=True)
class CellTable:
    """All current cells of a project, column by column, ordered by id.

    Parameters
    ----------
    ids : int64[n]
        Cell ids, ascending.
    smears : int64[n]
        Smear of each cell.
    boxes : float32[n, 4]
        Whole-cell boxes x, y, width, height; level-0 pixels, corner-based.
    scores : float32[n]
        Detector confidence, 0..1; 1 where a person added the cell.
    edges : bool[n]
        True where the picture's border cuts the cell.
    """

    ids: npt.NDArray[np.int64]
    smears: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    edges: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, cell: object) -> bool:
        i = int(np.searchsorted(self.ids, cell))  # type: ignore[call-overload]
        return i < len(self.ids) and bool(self.ids[i] == cell)

    def row(self, cell: CellId) -> int:
        """Return the position of a cell.

        Raises
        ------
        InputError
            If the table does not hold it.
        """
        i = int(np.searchsorted(self.ids, cell))
        if i >= len(self.ids) or self.ids[i] != cell:
            raise InputError(
                f"Cell {cell} is not in the project. It may have been removed; "
                "undo brings it back."
            )
        return i

    def rows(self, cells: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Return the positions of many cells that the table is known to hold."""
        return np.searchsorted(self.ids, np.asarray(cells, dtype=np.int64))

    def box(self, cell: CellId) -> Box:
        """Return the box of one cell."""
        x, y, width, height = (float(v) for v in self.boxes[self.row(cell)])
        return Box(x, y, width, height)

    def smear_of(self, cell: CellId) -> SmearId:
        """Return the smear that holds a cell."""
        return SmearId(int(self.smears[self.row(cell)]))

    @classmethod
    def empty(cls) -> CellTable:
        """Return a table of no cells."""
        return cls(
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, bool),
        )
