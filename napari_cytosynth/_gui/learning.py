"""The learning curve so far: a figure and its interval for each number of labels."""

from __future__ import annotations

import math

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.measuring import GROWN
from napari_cytosynth.app.panels import Learning

HEIGHT = 200
"""Pixels that the plot takes."""

_LINE = "#3f8fd2"
_TITLE, _AXIS, _LEFT, _RIGHT = 24, 36, 40, 16

NO_CURVE = (
    "No learning curve yet. It comes once cells of two classes are labelled, and anew "
    f"whenever the labels grew by {100 * GROWN:.0f} %."
)


class LearningPlot(QWidget):
    """Draws the curve; the labels stand on a logarithmic axis.

    Parameters
    ----------
    colours : Colours
        The theme's.
    """

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours, self._curve = colours, Learning()
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(260)
        self.setAccessibleName("Learning curve so far")

    def show_curve(self, curve: Learning) -> None:
        """Draw this curve."""
        self._curve = curve
        told = [f"{labels} labels: {figure.text}" for labels, figure in curve.points]
        self.setAccessibleDescription("\n".join(told) or NO_CURVE)
        self.setToolTip("\n".join([*told, curve.caveat]).strip())
        self.update()

    def show_colours(self, colours: Colours) -> None:
        """Paint in another theme."""
        self._colours = colours
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint axes, band, line and dots."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._curve.points:
            self._paint_title(painter)
            box = QRectF(
                _LEFT,
                _TITLE + 4,
                self.width() - _LEFT - _RIGHT,
                self.height() - _TITLE - _AXIS - 4,
            )
            self._paint_axes(painter, box)
            self._paint_curve(painter, box)
        else:
            painter.setPen(QColor(self._colours.muted))
            middle = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect().adjusted(40, 0, -40, 0), middle, NO_CURVE)
        painter.end()

    def _paint_title(self, painter: QPainter) -> None:
        plain, bold = QFont(painter.font()), QFont(painter.font())
        bold.setBold(True)
        painter.setFont(bold)
        painter.setPen(QColor(self._colours.text))
        title = f"Learning curve so far: {self._curve.measure}"
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(8, 0, self.width() - 16, _TITLE), middle, title)
        painter.setFont(plain)

    def _place(self, box: QRectF, labels: int, share: float) -> QPointF:
        """Return where a figure stands; a single one in the middle."""
        first, last = (math.log(self._curve.points[i][0]) for i in (0, -1))
        along = (math.log(labels) - first) / (last - first) if last > first else 0.5
        return QPointF(
            box.left() + along * box.width(), box.bottom() - share * box.height()
        )

    def _paint_axes(self, painter: QPainter, box: QRectF) -> None:
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for tick in range(6):
            y = box.bottom() - box.height() * tick / 5
            painter.setPen(QPen(QColor(self._colours.edge), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
            painter.setPen(QColor(self._colours.muted))
            painter.drawText(QRectF(0, y - 8, _LEFT - 8, 16), right, f"{tick / 5:.1f}")
        middle, free = int(Qt.AlignmentFlag.AlignHCenter), -1.0
        for labels, _ in reversed(self._curve.points):
            # The last number is always told; others where there is room.
            x = self._place(box, labels, 0).x()
            if free < 0 or x < free:
                words = QRectF(x - 24, box.bottom() + 3, 48, 16)
                painter.drawText(words, middle, str(labels))
                free = x - 36
        words = QRectF(box.left(), box.bottom() + 17, box.width(), 16)
        told = "labels that train, as they were given"
        limit = f"; {self._curve.caveat}" if self._curve.caveat else ""
        painter.drawText(words, middle, told + limit)

    def _paint_curve(self, painter: QPainter, box: QRectF) -> None:
        known = [
            (labels, f.value, f.low, f.high)
            for labels, f in self._curve.points
            if f.value is not None and f.low is not None and f.high is not None
        ]
        low = [self._place(box, labels, low) for labels, _, low, _ in known]
        high = [self._place(box, labels, high) for labels, _, _, high in known]
        line = [self._place(box, labels, value) for labels, value, _, _ in known]
        band = QColor(_LINE)
        band.setAlpha(60)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(band)
        painter.drawPolygon(QPolygonF([*high, *reversed(low)]))
        painter.setPen(QPen(QColor(_LINE), 1.5))
        for bottom, top in zip(low, high, strict=True):
            painter.drawLine(bottom, top)
        painter.setPen(QPen(QColor(_LINE), 2.5))
        painter.drawPolyline(QPolygonF(line))
        painter.setBrush(QColor(_LINE))
        for place in line:
            painter.drawEllipse(place, 3.5, 3.5)
