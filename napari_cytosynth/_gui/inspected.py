"""The table of *Evidence*: how real, how varied, and whose copies synthetic cells are.

It shows what was measured and kept; nothing is computed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QObject, Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableView, QWidget

from napari_cytosynth._gui.plain import HeadedModel

if TYPE_CHECKING:
    from napari_cytosynth.evidence.tabulated import Line

HEADERS = ("class", "figure", "synthetic", "real", "n")
_MADE = HEADERS.index("synthetic")
_MARGIN = 16
_HINTS = (
    "Class; all: every class together",
    "What was measured; a line tells what it means",
    "Of the accepted synthetic cells",
    "Of as many real cells, measured alike",
    "Cells that the figure rests on",
)


class InspectedModel(HeadedModel):
    """One row a figure."""

    titles, hints = HEADERS, _HINTS

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[Line, ...] = ()

    def replace(self, rows: tuple[Line, ...]) -> None:
        """Take all rows anew."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return the words of a cell, and what its figure tells."""
        line = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return line.words[index.column()]
        return line.tells if role == Qt.ItemDataRole.ToolTipRole else None


class InspectedTable(QTableView):
    """As high as its rows: what is around it scrolls."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures = InspectedModel(self)
        self.setModel(self.figures)
        self.setAccessibleName("Fidelity and memorisation of the synthetic cells")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)  # Tab leads on, arrows within
        self.verticalHeader().hide()
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setSectionsClickable(False)
        # Widths are measured once a table: asking each row again as it is shown blocks.
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(_MADE, QHeaderView.ResizeMode.Stretch)
        self.hide()

    def show_rows(self, rows: tuple[Line, ...]) -> None:
        """Show these; none hides the table."""
        if rows == self.figures.rows:
            return
        self.clearSpans()
        self.figures.replace(rows)
        for number, line in enumerate(rows):
            # Why a figure is hidden takes the room of the numbers that there are not.
            if not line.n:
                self.setSpan(number, _MADE, 1, len(HEADERS) - _MADE)
        self._widen()
        self.setVisible(bool(rows))
        self._fit()

    def _widen(self) -> None:
        """Give each column the width of its longest words, hidden figures aside."""
        words, total = QFontMetrics(self.font()), 0
        lines = [line.words for line in self.figures.rows if line.n]
        for column, told in enumerate(zip(*lines, strict=True)):
            longest = max({HEADERS[column], *told}, key=words.horizontalAdvance)
            width = words.horizontalAdvance(longest) + _MARGIN
            total += width
            if column != _MADE:
                self.setColumnWidth(column, width)
        self.setMinimumWidth(total)

    def _fit(self) -> None:
        own = sum(map(self.rowHeight, range(len(self.figures.rows))))
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + own + 2)

    def resizeEvent(self, event: Any) -> None:
        """Give wrapped words their room."""
        super().resizeEvent(event)
        for number, line in enumerate(self.figures.rows):
            if not line.n:
                self.resizeRowToContents(number)
        self._fit()
