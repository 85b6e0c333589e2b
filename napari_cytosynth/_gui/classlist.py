"""The rows of the class list: model and painting."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, QObject, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from qtpy.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_cytosynth._gui.paint import draw_keycap, draw_symbol
from napari_cytosynth._gui.plain import HeadedModel
from napari_cytosynth._gui.theme import SYNTHETIC, Colours
from napari_cytosynth.app.panels import ClassRow, Figure

KEY, CLASS, LABELLED, PREDICTED, SYNTHETIC_COUNT, FILL = range(6)
HEADERS = ("Key", "Class", "Real", "Pred.", "Synth.", "")
WIDTHS = (42, 0, 40, 42, 60, 46)
ROW_HEIGHT = 40
# Counts shrink to this many pixels of height before they are cut off.
_SMALLEST = 8
_HINTS = (
    "Key, or chord of two keys, that labels the focused cell",
    "Click a row to label the focused cell; a right click finds more of the class. "
    "Below: precision (P) and recall (R), measured on audit cells only",
    "Real cells with this label. Click: show only these",
    "Unlabelled cells that the model takes for this class. Click: show only these",
    "Synthetic cells: accepted, and after + those that passed the gate and wait for "
    "your verdict in the tab Synthetic. Never counted as real",
    "Make synthetic cells of this class",
)


class ClassModel(HeadedModel):
    """One row a class."""

    titles, hints = HEADERS, _HINTS

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[ClassRow] = []

    def replace(self, rows: tuple[ClassRow, ...]) -> None:
        """Take all rows anew."""
        if [r.code for r in rows] != [r.code for r in self.rows]:
            self.beginResetModel()
            self.rows = list(rows)
            self.endResetModel()
            return
        for index, row in enumerate(rows):
            self.change(index, row)

    def change(self, index: int, row: ClassRow) -> None:
        """Take one row anew, if it changed."""
        if self.rows[index] != row:
            self.rows[index] = row
            last = self.index(index, len(HEADERS) - 1)
            self.dataChanged.emit(self.index(index, 0), last)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return the words of a cell, for screen readers too."""
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return describe_row(row)
        if role == Qt.ItemDataRole.ToolTipRole and index.column() != CLASS:
            return _hint(row, index.column())
        return None


class ClassDelegate(QStyledItemDelegate):
    """Paints key cap, symbol, names, counts and the Fill button."""

    def __init__(self, colours: Colours, parent: QWidget) -> None:
        super().__init__(parent)
        self.colours = colours
        self.hovered = -1

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint one cell of the table."""
        row: ClassRow = index.model().rows[index.row()]
        box = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.row() == self.hovered:
            painter.fillRect(option.rect, QColor(self.colours.card))
        column = index.column()
        if column == KEY:
            width = 24 if len(row.keys) == 1 else 36
            cap = QRectF(box.center().x() - width / 2, box.center().y() - 11, width, 22)
            draw_keycap(painter, row.keys, cap, self.colours)
        elif column == CLASS:
            self._paint_class(painter, box, row)
        elif column == FILL:
            self._paint_fill(painter, box, row)
        else:
            self._paint_count(painter, box, row, column)
        painter.setPen(QPen(QColor(self.colours.card), 1))
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        painter.restore()

    def _paint_class(self, painter: QPainter, box: QRectF, row: ClassRow) -> None:
        draw_symbol(
            painter,
            row.symbol,
            row.colour,
            QRectF(box.left() + 5, box.top() + 7, 12, 12),
        )
        font = QFont(painter.font())
        font.setPixelSize(13)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(self.colours.text))
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        line = QRectF(box.left() + 23, box.top() + 3, box.width() - 26, 19)
        painter.drawText(line, middle, row.code)
        after = painter.fontMetrics().horizontalAdvance(row.code) + 7
        font.setBold(False)
        painter.setFont(font)
        name = painter.fontMetrics().elidedText(
            row.name, Qt.TextElideMode.ElideRight, int(line.width() - after)
        )
        painter.drawText(line.adjusted(after, 0, 0, 0), middle, name)
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(self.colours.muted))
        below = QRectF(line.left(), box.top() + 21, line.width(), 15)
        words = painter.fontMetrics().elidedText(
            figures_of(row), Qt.TextElideMode.ElideRight, int(below.width())
        )
        painter.drawText(below, middle, words)

    def _paint_count(
        self, painter: QPainter, box: QRectF, row: ClassRow, column: int
    ) -> None:
        text, colour = _count(row, column, self.colours)
        font = QFont(painter.font())
        font.setPixelSize(13)
        font.setBold(column == LABELLED)
        room = box.adjusted(2, 0, -6, 0)
        while QFontMetrics(font).horizontalAdvance(text) > room.width():
            if font.pixelSize() <= _SMALLEST:
                break
            font.setPixelSize(font.pixelSize() - 1)
        painter.setFont(font)
        painter.setPen(QColor(colour))
        flags = int(Qt.AlignmentFlag.AlignRight) | int(Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(room, flags, text)

    def _paint_fill(self, painter: QPainter, box: QRectF, row: ClassRow) -> None:
        if not row.can_fill:
            return
        button = QRectF(box.left() + 2, box.center().y() - 11, box.width() - 8, 22)
        painter.setPen(QPen(QColor(SYNTHETIC), 1.2))
        painter.setBrush(QColor(SYNTHETIC) if row.filling else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(button, 4, 4)
        painter.setPen(QColor("#ffffff" if row.filling else self.colours.text))
        font = QFont(painter.font())
        font.setPixelSize(12)
        painter.setFont(font)
        words = "\u2026" if row.filling else "Fill"
        painter.drawText(button, int(Qt.AlignmentFlag.AlignCenter), words)


def _count(row: ClassRow, column: int, colours: Colours) -> tuple[str, str]:
    if column == LABELLED:
        return str(row.labelled), colours.text if row.labelled else colours.muted
    if column == PREDICTED:
        return "\u2013" if row.predicted is None else str(row.predicted), colours.muted
    waiting = f" +{row.proposed}" if row.proposed else ""
    shown = f"{row.accepted}{waiting}"
    return shown, SYNTHETIC if row.accepted or row.proposed else colours.muted


def _hint(row: ClassRow, column: int) -> str:
    """Return what a cell of the table means; of synthetic cells, with their numbers."""
    if column != SYNTHETIC_COUNT or not (row.accepted or row.proposed):
        return _HINTS[column]
    said = f"{row.accepted} synthetic {row.code} accepted: they may train the model"
    if row.proposed:
        said += (
            f". +{row.proposed} passed the gate and wait for your verdict in the tab "
            "Synthetic"
        )
    return f"{said}. Never counted as real"


def figures_of(row: ClassRow) -> str:
    """Return precision and recall in one line, or what the class counts as."""
    if row.counts_as:
        return f"counts as {row.counts_as}; undo parts them"
    if row.precision.value is None and row.recall.value is None:
        return "P, R cannot be estimated yet"
    return f"P {_short(row.precision)}  R {_short(row.recall)}"


def _short(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "not yet"
    value, low, high = (_share(x) for x in (figure.value, figure.low, figure.high))
    return f"{value} ({low}\u2013{high})"


def _share(value: float) -> str:
    """Return a share in three characters; the column is narrow."""
    return "1.0" if value > 0.995 else f"{value:.2f}".lstrip("0")


def describe_row(row: ClassRow) -> str:
    """Return all that a row says, in words."""
    predicted = "hidden" if row.predicted is None else str(row.predicted)
    return (
        f"{row.code} {row.name}, key {row.keys}: {row.labelled} labelled, predicted "
        f"{predicted}, {row.accepted} synthetic accepted, {row.proposed} waiting. "
        f"{figures_of(row)}"
    )
