"""Small drawings shared by the grid and the class list: symbols, key caps, frames."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QIcon,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QPolygonF,
)

from napari_cytosynth._gui.theme import SYNTHETIC, Colours, ink_on

_CORNERS = {
    "square": (4, 45.0),
    "diamond": (4, 0.0),
    "triangle_up": (3, -90.0),
    "triangle_down": (3, 90.0),
    "star": (10, -90.0),
}


def image_of(crop: npt.NDArray[np.uint8]) -> QImage:
    """Return a QImage that owns its copy of uint8[h, w, 3]."""
    pixels = np.ascontiguousarray(crop)
    height, width = pixels.shape[:2]
    picture = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return picture.copy()


_LINES = ("ring", "cross", "x", "vbar", "hbar", "arrow", "tailed_arrow", "clobber")
"""Symbols that are drawn as lines; the others are filled."""


def draw_symbol(painter: QPainter, name: str, colour: str, box: QRectF) -> None:
    """Draw a napari point symbol filled with ``colour``."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colour), max(1.4, box.width() * 0.2)))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if name in _LINES:
        painter.drawPath(_strokes(name, box))
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawPath(_solid(name, box))
    painter.restore()


def _solid(name: str, box: QRectF) -> QPainterPath:
    path = QPainterPath()
    if name not in _CORNERS:
        path.addEllipse(box)
        return path
    count, turn = _CORNERS[name]
    radius, middle = box.width() / 2 * 1.12, box.center()
    angles = [math.radians(turn + 360.0 * i / count) for i in range(count)]
    inner = 0.45 if name == "star" else 1.0
    reach = [radius * (inner if i % 2 else 1.0) for i in range(count)]
    points = [
        QPointF(middle.x() + r * math.cos(a), middle.y() + r * math.sin(a))
        for r, a in zip(reach, angles, strict=True)
    ]
    path.addPolygon(QPolygonF(points))
    path.closeSubpath()
    return path


def _strokes(name: str, box: QRectF) -> QPainterPath:
    path, middle = QPainterPath(), box.center()
    inner = box.adjusted(1, 1, -1, -1)
    if name == "ring":
        path.addEllipse(inner)
    if name in ("cross", "vbar"):
        path.moveTo(middle.x(), inner.top())
        path.lineTo(middle.x(), inner.bottom())
    if name in ("cross", "hbar", "arrow", "tailed_arrow"):
        path.moveTo(inner.left(), middle.y())
        path.lineTo(inner.right(), middle.y())
    if name in ("x", "clobber"):
        path.moveTo(inner.topLeft())
        path.lineTo(inner.bottomRight())
        path.moveTo(inner.topRight())
        path.lineTo(inner.bottomLeft())
    if name == "clobber":
        path.addEllipse(inner.adjusted(2, 2, -2, -2))
    if name == "tailed_arrow":
        path.moveTo(inner.left(), inner.top())
        path.lineTo(inner.left(), inner.bottom())
    if name in ("arrow", "tailed_arrow"):
        path.moveTo(middle.x(), inner.top())
        path.lineTo(inner.right(), middle.y())
        path.lineTo(middle.x(), inner.bottom())
    return path


@lru_cache(maxsize=256)
def symbol_icon(name: str, colour: str, size: int = 32) -> QIcon:
    """Return a symbol as an icon."""
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    inset = size * 0.14
    draw_symbol(
        painter, name, colour, QRectF(inset, inset, size - 2 * inset, size - 2 * inset)
    )
    painter.end()
    return QIcon(pixmap)


def draw_keycap(painter: QPainter, keys: str, box: QRectF, colours: Colours) -> None:
    """Draw a key, or the two keys of a chord, as a small key cap."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colours.edge), 1))
    painter.setBrush(QColor(colours.back))
    painter.drawRoundedRect(box, 4, 4)
    font = QFont(painter.font())
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor(colours.text))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), " ".join(keys))
    painter.restore()


def draw_pill(painter: QPainter, text: str, place: QPointF, colour: str) -> None:
    """Draw a small rounded label with its top-left corner at ``place``."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = QFont(painter.font())
    font.setPixelSize(10)
    font.setBold(True)
    painter.setFont(font)
    width = painter.fontMetrics().horizontalAdvance(text) + 10
    box = QRectF(place.x(), place.y(), width, 15)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(box, 7, 7)
    painter.setPen(QColor(ink_on(colour)))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
    painter.restore()


def draw_synthetic_frame(painter: QPainter, box: QRectF) -> None:
    """Draw the dashed violet frame that marks everything synthetic."""
    painter.save()
    pen = QPen(QColor(SYNTHETIC), 2.5)
    pen.setDashPattern([3, 2])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)
    painter.restore()
