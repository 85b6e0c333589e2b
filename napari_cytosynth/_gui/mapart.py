"""How the map of cells is painted: density, dots, and what lies over them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRect, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QImage,
    QPainter,
    QPen,
    QPixmap,
    QPolygonF,
)

from napari_cytosynth._gui.mapview import MapLens
from napari_cytosynth._gui.paint import draw_symbol, image_of
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.map_views import Clouds, Dots, MapClass, Tip

_DOT, _NO_CLASS_DOT, _STAMP = 8.0, 5.0, 16
_RING = 9.0
_TIP = 96
_MAX_RINGS = 4000


@dataclass
class Overlay:
    """What moves over the cells.

    Parameters
    ----------
    focus : (x, y) or None
        The focused cell.
    taken : float32[n, 2]
        Cells taken together.
    line : list of QPointF
        The line being drawn around cells, pixels.
    tip : Tip or None
        The cell under the pointer.
    """

    focus: tuple[float, float] | None = None
    taken: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 2), np.float32)
    )
    line: list[QPointF] = field(default_factory=list)
    tip: Tip | None = None


class Art:
    """What is painted, and in which colours.

    Parameters
    ----------
    colours : Colours
        The theme's.

    Attributes
    ----------
    clouds : Clouds or None
        The density.
    dots : Dots or None
        Single cells.
    """

    def __init__(self, colours: Colours) -> None:
        self.clouds: Clouds | None = None
        self.dots: Dots | None = None
        self._classes: tuple[MapClass, ...] = ()
        self.colours = colours
        self._stamps: dict[tuple[int, bool], QPixmap] = {}

    def show_colours(self, colours: Colours) -> None:
        """Take another theme."""
        self.colours = colours
        self._stamps.clear()

    def show_classes(self, classes: tuple[MapClass, ...], none: MapClass) -> None:
        """Take the classes, by number; what stands for none comes last."""
        looks = [(c.colour, c.symbol) for c in (*classes, none)]
        if looks != [(c.colour, c.symbol) for c in self._classes]:
            self._stamps.clear()
        self._classes = (*classes, none)

    @property
    def focus_pen(self) -> QPen:
        """Pen of what is focused."""
        return QPen(QColor(self.colours.focus), 2)

    def palette(self) -> npt.NDArray[np.uint8]:
        """Return uint8[classes + 1, 3]: red, green, blue; the last is no class."""
        if not self._classes:
            return np.zeros((1, 3), np.uint8)
        found = [QColor(c.colour).getRgb()[:3] for c in self._classes]
        return np.array(found, np.uint8)

    def stamp(self, number: int, labelled: bool) -> QPixmap:
        """Return the small picture of a dot, painted once."""
        made = self._stamps.get((number, labelled))
        if made is None:
            made = self._stamps[number, labelled] = self._stamped(number, labelled)
        return made

    def _stamped(self, number: int, labelled: bool) -> QPixmap:
        look = self._classes[number]
        made = QPixmap(_STAMP, _STAMP)
        made.fill(Qt.GlobalColor.transparent)
        size = _DOT if look.code else _NO_CLASS_DOT
        box = QRectF(_STAMP / 2 - size / 2, _STAMP / 2 - size / 2, size, size)
        painter = QPainter(made)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if labelled:
            painter.setPen(QPen(QColor(self.colours.text), 1.6))
            painter.drawEllipse(box.adjusted(-3, -3, 3, 3))
        draw_symbol(painter, look.symbol, look.colour, box)
        painter.end()
        return made


def paint_scene(target: QPixmap, art: Art, lens: MapLens) -> None:
    """Paint density and dots."""
    target.fill(QColor(art.colours.card))
    painter = QPainter(target)
    if art.clouds is not None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        image = cloud_image(art.clouds, art.palette())
        painter.drawImage(lens.pixels(art.clouds.view), image)
    if art.dots is not None:
        _paint_dots(painter, art, lens, art.dots)
    painter.end()


def cloud_image(clouds: Clouds, palette: npt.NDArray[np.uint8]) -> QImage:
    """Return the density as a picture: colour of most, the denser the fuller."""
    alpha = (255 * clouds.strength).astype(np.uint8)
    pixels = np.ascontiguousarray(np.dstack([palette[clouds.classes], alpha]))
    height, width = alpha.shape
    kind = QImage.Format.Format_RGBA8888
    return QImage(pixels.data, width, height, 4 * width, kind).copy()


def _paint_dots(painter: QPainter, art: Art, lens: MapLens, dots: Dots) -> None:
    corner, unit = lens.view, lens.units(1)
    x = (dots.places[:, 0] - corner.x) / unit - _STAMP / 2
    y = (dots.places[:, 1] - corner.y) / unit - _STAMP / 2
    # Those with a label lie on top.
    for i in np.argsort(dots.labelled, kind="stable").tolist():
        stamp = art.stamp(int(dots.classes[i]), bool(dots.labelled[i]))
        painter.drawPixmap(QPointF(float(x[i]), float(y[i])), stamp)


def paint_overlay(
    painter: QPainter, room: QRect, art: Art, lens: MapLens, over: Overlay
) -> None:
    """Paint the focus, what was taken, the line around cells, and the tip."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(art.colours.focus), 1.5))
    for x, y in over.taken[:_MAX_RINGS].tolist():
        painter.drawEllipse(lens.pixel(x, y), _RING / 2, _RING / 2)
    if over.line:
        painter.setPen(QPen(QColor(art.colours.focus), 1.5, Qt.PenStyle.DashLine))
        painter.drawPolygon(QPolygonF(over.line))
    if over.focus is not None:
        _paint_focus(painter, lens.pixel(*over.focus), art)
    if over.tip is not None:
        _paint_tip(painter, room, art, lens, over.tip)


def _paint_focus(painter: QPainter, middle: QPointF, art: Art) -> None:
    painter.setPen(QPen(QColor(art.colours.back), 5))
    painter.drawEllipse(middle, _RING, _RING)
    painter.setPen(QPen(QColor(art.colours.focus), 2.5))
    painter.drawEllipse(middle, _RING, _RING)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        inner = middle + QPointF(dx * _RING, dy * _RING)
        painter.drawLine(inner, middle + QPointF(dx * 1.8 * _RING, dy * 1.8 * _RING))


def _paint_tip(
    painter: QPainter, room: QRect, art: Art, lens: MapLens, tip: Tip
) -> None:
    lines = tip.words.split("\n")
    height = _TIP + 8 + 15 * len(lines)
    width = max(_TIP, *map(painter.fontMetrics().horizontalAdvance, lines)) + 8
    middle = lens.pixel(*tip.place)
    left, top = middle.x() + 14, middle.y() + 14
    if left + width > room.right():
        left = middle.x() - 14 - width
    if top + height > room.bottom():
        top = max(0.0, room.bottom() - height)
    box = QRectF(max(0.0, left), top, width, height)
    painter.setPen(QPen(QColor(art.colours.edge), 1))
    painter.setBrush(QColor(art.colours.back))
    painter.drawRoundedRect(box, 4, 4)
    picture = QRectF(box.left() + (width - _TIP) / 2, box.top() + 4, _TIP, _TIP)
    painter.drawImage(picture, image_of(tip.crop))
    painter.setPen(QColor(art.colours.text))
    words = QRectF(box.left() + 4, picture.bottom() + 2, width - 8, 15 * len(lines))
    painter.drawText(words, int(Qt.AlignmentFlag.AlignLeft), tip.words)
