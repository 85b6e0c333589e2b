"""A legend that flows: symbol, code and number of each class that is on the map."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cytosynth._gui.paint import draw_symbol
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.map_views import MapClass

_LINE, _SYMBOL, _GAP = 17, 9, 14


class Legend(QWidget):
    """Classes in as many lines as they need.

    Parameters
    ----------
    colours : Colours
        The theme's.
    """

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours = colours
        self._classes: tuple[MapClass, ...] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Legend of the map")

    def show_colours(self, colours: Colours) -> None:
        """Paint in another theme."""
        self._colours = colours
        self.update()

    def show_classes(self, classes: tuple[MapClass, ...]) -> None:
        """Show those that have a cell."""
        before = [c.code for c in self._classes]
        self._classes = tuple(c for c in classes if c.cells)
        told = "\n".join(f"{c.code} {c.name}: {c.cells:,}" for c in self._classes)
        self.setToolTip(told)
        self.setAccessibleDescription(told)
        if before != [c.code for c in self._classes]:
            self.updateGeometry()
        self.update()

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines."""
        places = self._places(width)
        return int(places[-1].bottom()) + 2 if places else 0

    def sizeHint(self) -> QSize:
        """Return the room for all classes at the width there is."""
        return QSize(200, self.heightForWidth(max(200, self.width())))

    def _words(self, each: MapClass) -> str:
        return f"{each.code or 'no class'} {each.cells:,}"

    def _places(self, width: int) -> list[QRectF]:
        """Return where each class stands."""
        places, left, top = [], 0.0, 0.0
        for each in self._classes:
            words = self.fontMetrics().horizontalAdvance(self._words(each))
            wide = _SYMBOL + 5.0 + words
            if left and left + wide > width:
                left, top = 0.0, top + _LINE
            places.append(QRectF(left, top, wide, _LINE))
            left += wide + _GAP
        return places

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all classes."""
        painter = QPainter(self)
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        for each, box in zip(self._classes, self._places(self.width()), strict=True):
            up = (_LINE - _SYMBOL) / 2
            symbol = QRectF(box.left(), box.top() + up, _SYMBOL, _SYMBOL)
            draw_symbol(painter, each.symbol, each.colour, symbol)
            painter.setPen(QColor(self._colours.text))
            words = box.adjusted(_SYMBOL + 5, 0, 4, 0)
            painter.drawText(words, middle, self._words(each))
        painter.end()
