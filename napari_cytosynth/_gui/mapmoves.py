"""What keys and the held left button do to the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QKeyEvent

from napari_cytosynth._gui.mapart import Overlay
from napari_cytosynth._gui.mapview import MapLens

if TYPE_CHECKING:
    from napari_cytosynth._gui.mapplot import MapPlot

STEP = 1.35
"""Factor of one turn of the wheel, or one key."""

_DRAG = 4
_PANS = {
    Qt.Key.Key_Left: (-0.2, 0.0),
    Qt.Key.Key_Right: (0.2, 0.0),
    Qt.Key.Key_Up: (0.0, -0.2),
    Qt.Key.Key_Down: (0.0, 0.2),
}
_ZOOMS = {Qt.Key.Key_Plus: STEP, Qt.Key.Key_Equal: STEP, Qt.Key.Key_Minus: 1 / STEP}


def move_of(event: QKeyEvent) -> Callable[[MapPlot], None] | None:
    """Return what a key does: Shift and arrows move, Ctrl and plus, minus, 0 zoom."""
    held, key = event.modifiers(), event.key()
    if held & Qt.KeyboardModifier.ControlModifier:
        if key == Qt.Key.Key_0:
            return lambda plot: plot.show_whole()
        factor = _ZOOMS.get(key)
        return None if factor is None else lambda plot: plot.zoom(factor)
    if held & Qt.KeyboardModifier.ShiftModifier and key in _PANS:
        return lambda plot: plot.pan(*_PANS[key])
    return None


class Drag:
    """The left button while it is held: a click, a move, or a line around cells.

    Parameters
    ----------
    lens : MapLens
        Moved.
    overlay : Overlay
        Gets the line.
    """

    def __init__(self, lens: MapLens, overlay: Overlay) -> None:
        self._lens, self._overlay = lens, overlay
        self._held: QPointF | None = None
        self._moved = False

    @property
    def is_held(self) -> bool:
        """Whether the button is down."""
        return self._held is not None

    def begin(self, place: QPointF, *, encircles: bool) -> None:
        """Take in that the button went down."""
        self._held, self._moved = place, False
        self._overlay.line = [place] if encircles else []

    def go_on(self, place: QPointF) -> bool:
        """Draw the line, or move the map; True where the view is another one."""
        if self._held is None:
            return False
        step = place - self._held
        if not self._moved and step.manhattanLength() < _DRAG:
            return False
        self._moved = True
        if self._overlay.line:
            self._overlay.line.append(place)
            return False
        self._lens.shift(step)
        self._held = place
        return True

    def end(self) -> tuple[QPointF | None, list[QPointF]]:
        """Return what was clicked, or the line that was drawn."""
        held, self._held = self._held, None
        line, self._overlay.line = self._overlay.line, []
        if held is None or not self._moved:
            return held, []
        return None, line
