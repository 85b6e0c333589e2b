"""What the map of cells must be able to show, and what it tells.

Places are those of the map: x, y, within 0..1 for all cells, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.scene import Rectangle
from napari_cytosynth.app.signals import SignalLike


@dataclass(frozen=True, slots=True, eq=False)
class Dots:
    """Single cells on the map.

    Parameters
    ----------
    places : float32[n, 2]
        Where.
    classes : int16[n]
        Number of the class, as labelled or predicted; -1: none.
    labelled : bool[n]
        True for those that a reader labelled: they are outlined.
    """

    places: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int16]
    labelled: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Clouds:
    """Cells a square, where too many are in view.

    Parameters
    ----------
    view : Rectangle
        What the image covers.
    classes : int16[rows, columns]
        Class of most cells of a square; -1: none, or no cell.
    strength : float32[rows, columns]
        How many, on a scale of logarithms; 0: no cell, 1: the fullest square.
    """

    view: Rectangle
    classes: npt.NDArray[np.int16]
    strength: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MapClass:
    """A class in the legend.

    Parameters
    ----------
    code, name, colour, symbol : str
        As in the taxonomy; code and name empty for cells without a class.
    cells : int
        How many on the map, labelled or predicted so.
    """

    code: str
    name: str
    colour: str
    symbol: str
    cells: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Cells that were taken together.

    Parameters
    ----------
    places : float32[n, 2]
        Those that a label would be given to.
    left_out : int
        Others that lie among them and have a label already.
    """

    places: npt.NDArray[np.float32]
    left_out: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Tip:
    """What is said of the cell under the pointer.

    Parameters
    ----------
    place : (x, y)
        Where it lies.
    crop : uint8[96, 96, 3]
        Its picture.
    words : str
        Its number, and its class as labelled or predicted.
    """

    place: tuple[float, float]
    crop: npt.NDArray[np.uint8]
    words: str


class MapView(Protocol):
    """The map: density where cells are many, points where they are few.

    Signals
    -------
    seen : (visible: bool)
        It came into view, or went.
    viewMoved : (x: float, y: float, width: float, height: float, columns: int)
        What is in view now, and how many squares fit across it.
    pressed : (x: float, y: float, reach: float)
        A click; ``reach`` is how far off a cell may lie.
    hovered : (x: float, y: float, reach: float)
        The pointer rests there.
    lassoDrawn : (outline: float32[k, 2])
        A line was drawn around cells.
    allAsked : ()
        All cells in view are to be taken.
    dropped : ()
        What was taken is to be let go.
    labelAsked : (code: str)
        What was taken is to get this label; asks before it does.
    labelConfirmed : (code: str)
        The answer to ``ask_label`` was yes.
    keyPressed : (key: str)
        As :class:`~napari_cytosynth.app.views.AnnotateView` tells it.
    """

    seen: SignalLike
    viewMoved: SignalLike
    pressed: SignalLike
    hovered: SignalLike
    lassoDrawn: SignalLike
    allAsked: SignalLike
    dropped: SignalLike
    labelAsked: SignalLike
    labelConfirmed: SignalLike
    keyPressed: SignalLike

    def show_classes(self, classes: tuple[MapClass, ...], none: MapClass) -> None:
        """Show all classes, by number, and what stands for no class."""
        ...

    def show_nothing(self, why: str) -> None:
        """Say why there is no map, and the way out; empty: there is one."""
        ...

    def show_clouds(self, clouds: Clouds | None) -> None:
        """Draw cells as density; None: all in view are points."""
        ...

    def show_dots(self, dots: Dots) -> None:
        """Draw single cells, over the density."""
        ...

    def show_count(self, words: str) -> None:
        """Say how many cells are in view, and what to do to see them one by one."""
        ...

    def show_focus(self, place: tuple[float, float] | None) -> None:
        """Mark the focused cell; None: it is not on the map."""
        ...

    def show_taken(self, taken: Taken | None) -> None:
        """Mark the cells taken, and offer to label them; None: none are."""
        ...

    def show_tip(self, tip: Tip | None) -> None:
        """Show the cell under the pointer, or nothing."""
        ...

    def show_pending(self, keys: str) -> None:
        """Show the keys of a chord begun; empty to clear."""
        ...

    def ask_label(self, count: int, code: str, name: str) -> None:
        """Ask whether so many cells are to get this label."""
        ...
