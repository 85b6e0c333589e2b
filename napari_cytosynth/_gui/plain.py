"""Buttons and tables set up as ours are: plain, and out of the way of the keys."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QFrame, QPushButton, QTableView, QWidget


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
