"""What presenters hand to views: small frozen records, ready to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.geometry import Box

MAX_MARKS = 5000
"""More cells than this in view are shown as a density image."""


class Tab(StrEnum):
    """Tabs of the dock below, in order."""

    QUEUE = "Queue"
    PREDICTED = "Predicted"
    SYNTHETIC = "Synthetic"
    EVIDENCE = "Evidence"


class Sort(StrEnum):
    """Orders of the grid."""

    WORTH = "most worth a label"
    SURE = "surest prediction"
    SMEAR = "by smear"


@dataclass(frozen=True, slots=True)
class Card:
    """One cell of the grid.

    Parameters
    ----------
    id : int
        Cell id, or synthetic id in the tab *Synthetic*.
    crop : uint8[96, 96, 3]
        Its picture, RGB.
    caption : str
        The reason under the crop; empty while predictions are hidden.
    code : str
        Label given, or the class a synthetic cell was made for; empty: none.
    colour : str
        ``"#rrggbb"`` of that class; empty: none.
    symbol : str
        napari point symbol of that class; empty: none.
    guess : str
        Predicted code with its probability (``"BA 0.93"``); empty where hidden.
    badge : str
        ``""``, ``"skipped"``, ``"second opinion"``, ``"comment"``, ``"removed"``, or
        the status of a synthetic cell (``"proposed"``, ``"accepted"``,
        ``"rejected"``).
    synthetic : bool
        True: draw the dashed violet frame.
    verified : bool
        False: no real cell of the class could check it; say "unverified".
    """

    id: int
    crop: npt.NDArray[np.uint8]
    caption: str = ""
    code: str = ""
    colour: str = ""
    symbol: str = ""
    guess: str = ""
    badge: str = ""
    synthetic: bool = False
    verified: bool = True


class Cards(Protocol):
    """A list of cards, each made when it is painted; cheap to hold and to swap."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, row: int) -> Card:
        """Make the card of a row, as the project stands now."""
        ...

    def row_of(self, number: int) -> int | None:
        """Return the row of a cell, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured share, or the reason why it is not there.

    Parameters
    ----------
    value, low, high : float or None
        Share and its 95 % interval, 0..1; None: it cannot be estimated yet.
    n : int
        Audit cells that it rests on.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0

    @property
    def text(self) -> str:
        """For a person: ``"0.83 (0.61-0.94)"`` or ``"cannot be estimated yet"``."""
        if self.value is None or self.low is None or self.high is None:
            return "cannot be estimated yet"
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class in the dock on the right.

    Parameters
    ----------
    code, name, keys, colour, symbol, lineage : str
        As in the taxonomy.
    labelled : int
        Real cells with this label.
    predicted : int or None
        Unlabelled cells predicted as this class; None: no model yet, or hidden.
    accepted : int
        Synthetic cells that the reader accepted. Never added to ``labelled``.
    proposed : int
        Synthetic cells that wait for a verdict.
    precision, recall : Figure
        From audit labels only.
    filling : bool
        A fill of this class runs.
    can_fill : bool
        False for abstain classes.
    """

    code: str
    name: str
    keys: str
    colour: str
    symbol: str
    lineage: str = ""
    labelled: int = 0
    predicted: int | None = None
    accepted: int = 0
    proposed: int = 0
    precision: Figure = field(default_factory=Figure)
    recall: Figure = field(default_factory=Figure)
    filling: bool = False
    can_fill: bool = True


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Something that runs.

    Parameters
    ----------
    key : str
        Key by which it is cancelled.
    title : str
        For a person: ``"Finding cells in smear 3"``.
    done, total : int
        Steps; ``total`` 0: unknown.
    note : str
        What is being done now.
    can_cancel : bool
        False: show no Cancel.
    """

    key: str
    title: str
    done: int = 0
    total: int = 0
    note: str = ""
    can_cancel: bool = True


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The strip of the window.

    Parameters
    ----------
    annotator : str
        Who labels.
    project : str
        Name of the project.
    labelled, cells : int
        Real cells labelled, and all.
    model : str
        Version of the head; empty before the first.
    undo, redo : str
        What they would do, such as ``"label BA of cell 12"``; empty: nothing.
    """

    annotator: str
    project: str
    labelled: int
    cells: int
    model: str = ""
    undo: str = ""
    redo: str = ""


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


@dataclass(frozen=True, slots=True)
class FillForm:
    """What the *Fill* form shows for a class.

    Parameters
    ----------
    code, name : str
        Class.
    real : int
        Real labelled cells of it.
    count : int
        Suggested number of synthetic cells.
    generators : tuple of str
        Keys that make pictures.
    warning : str
        Such as "no real basophil ... unverified"; empty: none.
    """

    code: str
    name: str
    real: int
    count: int
    generators: tuple[str, ...]
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """One plot of the tab *Evidence*: a figure for each case, with intervals.

    Parameters
    ----------
    title : str
        Such as ``"Recall of BA on audit cells"``.
    cases : tuple of str
        ``"real only"``, ``"class weights"``, ``"duplicates"``, ``"synthetic"``, ...
    figures : tuple of Figure
        One a case.
    notes : mapping of case to str
        Why a case has no figure.
    """

    title: str
    cases: tuple[str, ...]
    figures: tuple[Figure, ...]
    notes: Mapping[str, str] = field(default_factory=dict)


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
