"""What the canvas draws: small frozen records, compared before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import SmearId

MAX_MARKS = 5000
"""More cells than this in view are shown as a density image."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of a smear, such as what is in view.

    Parameters
    ----------
    x, y : float
        Left and top edge, level-0 pixels.
    width, height : float
        Size, level-0 pixels.
    """

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class FocusMark:
    """The focused cell on the canvas.

    Parameters
    ----------
    cell : int
        Cell id.
    box : Box
        Whole-cell box, level-0 pixels.
    outline : tuple of (x, y)
        Polygon, level-0 pixels; may be empty.
    code, colour : str
        Label given; empty: none.
    """

    cell: int
    box: Box
    outline: tuple[tuple[float, float], ...] = ()
    code: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True)
class FieldMark:
    """A field of view on the canvas.

    Parameters
    ----------
    smear : SmearId
        Where it lies.
    box : Box
        Its outline, level-0 pixels.
    places : tuple of Box
        Where a cell may have been missed.
    """

    smear: SmearId
    box: Box
    places: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CellMarks:
    """Cells in view, as points.

    Parameters
    ----------
    ids : int64[n]
        Cell ids, n <= 5000.
    centres : float32[n, 2]
        x, y; level-0 pixels.
    sizes : float32[n]
        Larger side of the box, level-0 pixels.
    classes : int16[n]
        Position in ``codes`` of the label given; -1: no label.
    codes, colours, symbols : tuple of str
        Of the taxonomy's classes, in order. Unlabelled cells are drawn as grey rings.
    """

    ids: npt.NDArray[np.int64]
    centres: npt.NDArray[np.float32]
    sizes: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int16]
    codes: tuple[str, ...]
    colours: tuple[str, ...]
    symbols: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CellMarks)
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.classes, other.classes)
            and np.array_equal(self.centres, other.centres)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """Cells a square, where too many are in view to draw each.

    Parameters
    ----------
    counts : float32[rows, columns]
        Cells in each square.
    x, y : float
        Corner of the first square, level-0 pixels.
    square : float
        Side of a square, level-0 pixels.
    """

    counts: npt.NDArray[np.float32]
    x: float
    y: float
    square: float

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Density)
            and (self.x, self.y, self.square) == (other.x, other.y, other.square)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Tile:
    """One synthetic cell of the mosaic.

    Parameters
    ----------
    id : int
        Synthetic id.
    pixels : uint8[96, 96, 3]
        RGB at 0.25 um a pixel.
    status : str
        ``"proposed"``, ``"accepted"`` or ``"rejected"``.
    """

    id: int
    pixels: npt.NDArray[np.uint8]
    status: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tile) and (self.id, self.status) == (
            other.id,
            other.status,
        )

    def __hash__(self) -> int:
        return hash((self.id, self.status))


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Synthetic cells of one class, drawn beside the smear and never upon it.

    Parameters
    ----------
    code, colour : str
        Class.
    title : str
        Says that they are synthetic, and whether they are verified.
    tiles : tuple of Tile
        In order of making.
    focus : int or None
        Position of the tile under review.
    """

    code: str
    colour: str
    title: str
    tiles: tuple[Tile, ...]
    focus: int | None = None
