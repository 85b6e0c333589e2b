"""Paints the map of cells, and tells where it was clicked, rested on or encircled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
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
from napari_cytosynth._gui.mapmoves import STEP, Drag, move_of
from napari_cytosynth._gui.mapview import MapLens
from napari_cytosynth._gui.theme import Colours

REACH = 12
"""Pixels that a click may miss a cell by."""

SQUARE = 3
"""Pixels of a square of the density."""

REST_MS = 120


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
        self._drag = Drag(self.lens, self.overlay)
        self._rest = _timer(self, REST_MS, self._rested)
        self._tell = _timer(self, 0, self._tell_view)
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

    def pan(self, right: float, down: float) -> None:
        """Move by shares of what is in view."""
        self.lens.pan(right, down)
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
        if kind == QEvent.Type.ShortcutOverride and move_of(event) is not None:
            event.accept()
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move by Shift and arrows, zoom by Ctrl and plus, minus, 0."""
        move = move_of(event)
        event.setAccepted(move is not None)
        if move is not None:
            move(self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        turns = event.angleDelta().y() / 120
        if turns:
            self.zoom(STEP**turns, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click, a drag or a line around cells."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() != Qt.MouseButton.LeftButton:
            return
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.overlay.tip = None
        self._drag.begin(event.position(), encircles=shift or self.encircles)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draw the line, move the map, or wait for the pointer to rest."""
        if not self._drag.is_held:
            self._rest.start()
        elif self._drag.go_on(event.position()):
            self._tell.start()
        else:
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell what was clicked or encircled."""
        clicked, line = self._drag.end()
        if clicked is not None:
            self.pressed.emit(*self.lens.place(clicked), self.lens.units(REACH))
        elif len(line) > 2:
            outline = [self.lens.place(point) for point in line]
            self.lassoDrawn.emit(np.array(outline, np.float32))
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Take the tip away."""
        self._rest.stop()
        self.overlay.tip = None
        self.update()


def _timer(owner: QWidget, after: int, do: Callable[[], None]) -> QTimer:
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.setInterval(after)
    timer.timeout.connect(do)
    return timer
