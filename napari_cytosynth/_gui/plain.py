"""Buttons, tables and their heads as all of ours are: plain, out of the keys' way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtWidgets import QAbstractItemView, QFrame, QPushButton, QTableView, QWidget


class HeadedModel(QAbstractTableModel):
    """Rows under titles that tell more when pointed at; ``data`` is the subclass's.

    Attributes
    ----------
    titles, hints : tuple of str
        Of each column.
    rows : sequence
        What is shown.
    """

    titles: ClassVar[tuple[str, ...]] = ()
    hints: ClassVar[tuple[str, ...]] = ()
    rows: Sequence[Any] = ()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return len(self.titles)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = 0
    ) -> Any:
        """Return column titles and their hints."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.titles[section]
        return self.hints[section] if role == Qt.ItemDataRole.ToolTipRole else None


def plain_button(text: str, hint: str, parent: QWidget | None = None) -> QPushButton:
    """Return a button that no click gives the focus: keys stay with the cells."""
    button = QPushButton(text, parent)
    button.setToolTip(hint)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def set_up_plain(table: QTableView) -> None:
    """Take selection, editing, grid and frame from a table; it scrolls smoothly."""
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setFrameShape(QFrame.Shape.NoFrame)
    table.setShowGrid(False)
