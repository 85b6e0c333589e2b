"""Paints the map of cells, and tells where it was clicked, rested on or encircled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from qtpy.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import QWidget

from napari_cytosynth._gui.keys import KeyTap
from napari_cytosynth._gui.mapart import Art, Overlay, paint_overlay, paint_scene
from napari_cytosynth._gui.mapview import MapLens
from napari_cytosynth._gui.theme import Colours

REACH = 12
"""Pixels that a click may miss a cell by."""

SQUARE = 3
"""Pixels of a square of the density."""

REST_MS = 120
_STEP = 1.35
_DRAG = 4
_PANS = {
    Qt.Key.Key_Left: (-0.2, 0.0),
    Qt.Key.Key_Right: (0.2, 0.0),
    Qt.Key.Key_Up: (0.0, -0.2),
    Qt.Key.Key_Down: (0.0, 0.2),
}
_ZOOMS = {Qt.Key.Key_Plus: _STEP, Qt.Key.Key_Equal: _STEP, Qt.Key.Key_Minus: 1 / _STEP}


class MapPlot(QWidget):
    """The picture of the map: wheel zooms, drag moves, Shift and drag encircles.

    Parameters
    ----------
    colours : Colours
        The theme's.
    """

    keyPressed = Signal(str)
    moved = Signal(float, float, float, float, int)
    pressed = Signal(float, float, float)
    hovered = Signal(float, float, float)
    lassoDrawn = Signal(object)
    seen = Signal(bool)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.art, self.overlay, self.lens = Art(colours), Overlay(), MapLens()
        self.encircles = False
        self._scene: QPixmap | None = None
        self._held: QPointF | None = None
        self._dragged = False
        self._rest, self._tell = QTimer(self), QTimer(self)
        for timer, after, do in (
            (self._rest, REST_MS, self._rested),
            (self._tell, 0, self._tell_view),
        ):
            timer.setSingleShot(True)
            timer.setInterval(after)
            timer.timeout.connect(do)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 180)
        self.setAccessibleName("Map of cells")
        KeyTap(self).pressed.connect(self.keyPressed)

    def draw(self, *, scene: bool = True) -> None:
        """Paint anew: the cells too, or what lies over them alone."""
        if scene:
            self._scene = None
        self.update()

    def zoom(self, factor: float, about: QPointF | None = None) -> None:
        """Come nearer by a factor; about a place of the widget, or its middle."""
        self.lens.zoom(factor, about or QPointF(self.rect().center()))
        self._tell.start()

    def show_whole(self) -> None:
        """Show all of the map."""
        self.lens.fit(self.width(), self.height())
        self._tell.start()

    def reveal(self, place: tuple[float, float] | None) -> None:
        """Mark a place, and bring it into view."""
        self.overlay.focus = place
        if place is not None and not self.lens.holds(place):
            self.lens.centre_on(place)
            self._tell.start()
        self.update()

    def _tell_view(self) -> None:
        view = self.lens.view
        columns = max(1, self.width() // SQUARE)
        self.moved.emit(view.x, view.y, view.width, view.height, columns)

    def _rested(self) -> None:
        x, y = self.lens.place(QPointF(self.mapFromGlobal(self.cursor().pos())))
        self.hovered.emit(x, y, self.lens.units(REACH))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the cells from a picture kept, and over them what moves."""
        if self._scene is None:
            ratio = self.devicePixelRatioF()
            self._scene = QPixmap(self.size() * ratio)
            self._scene.setDevicePixelRatio(ratio)
            paint_scene(self._scene, self.art, self.lens)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._scene)
        paint_overlay(painter, self.rect(), self.art, self.lens, self.overlay)
        if self.hasFocus():
            painter.setPen(self.art.focus_pen)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep what is in view."""
        super().resizeEvent(event)
        self.lens.resize(self.width(), self.height())
        self.draw()
        self._tell.start()

    def event(self, event: QEvent) -> bool:
        """Tell when it comes and goes, and take its keys before the window does."""
        kind = event.type()
        if kind in (QEvent.Type.Show, QEvent.Type.Hide):
            self.seen.emit(kind == QEvent.Type.Show)
        if kind == QEvent.Type.ShortcutOverride and self._moves(event, act=False):
            event.accept()
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move by Shift and arrows, zoom by Ctrl and plus, minus, 0."""
        event.setAccepted(self._moves(event, act=True))

    def _moves(self, event: QKeyEvent, *, act: bool) -> bool:
        held, key = event.modifiers(), event.key()
        if held & Qt.KeyboardModifier.ControlModifier:
            if act and key == Qt.Key.Key_0:
                self.show_whole()
            elif act and key in _ZOOMS:
                self.zoom(_ZOOMS[key])
            return key in _ZOOMS or key == Qt.Key.Key_0
        if held & Qt.KeyboardModifier.ShiftModifier and key in _PANS:
            if act:
                self.lens.pan(*_PANS[key])
                self._tell.start()
            return True
        return False

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        turns = event.angleDelta().y() / 120
        if turns:
            self.zoom(_STEP**turns, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click, a drag or a line around cells."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._held, self._dragged = event.position(), False
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.overlay.tip = None
        self.overlay.line = [event.position()] if shift or self.encircles else []

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draw the line, move the map, or wait for the pointer to rest."""
        if self._held is None:
            self._rest.start()
            return
        step = event.position() - self._held
        if not self._dragged and step.manhattanLength() < _DRAG:
            return
        self._dragged = True
        if self.overlay.line:
            self.overlay.line.append(event.position())
            self.update()
            return
        self.lens.shift(step)
        self._held = event.position()
        self._tell.start()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell what was clicked or encircled."""
        line, self.overlay.line = self.overlay.line, []
        held, self._held = self._held, None
        if held is None:
            return
        if not self._dragged:
            self.pressed.emit(*self.lens.place(held), self.lens.units(REACH))
        elif len(line) > 2:
            self.lassoDrawn.emit(self._outline(line))
        self.update()

    def _outline(self, line: list[QPointF]) -> npt.NDArray[np.float32]:
        return np.array([self.lens.place(point) for point in line], np.float32)

    def leaveEvent(self, event: QEvent) -> None:
        """Take the tip away."""
        self._rest.stop()
        self.overlay.tip = None
        self.update()
