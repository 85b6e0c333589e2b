"""The line above the grid while it shows what a search found, and a card's menu."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QPoint, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QWidget

from napari_cytosynth._gui.plain import plain_button


class SearchBanner(QWidget):
    """Says what was looked for, and offers the way back; hidden in the queue."""

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel(self)
        self.title.setAccessibleName("What was looked for")
        hint = "Leave what was found; the queue goes on where it was."
        self.back = plain_button("Back to the queue (Esc)", hint, self)
        self.back.clicked.connect(lambda _=False: self.left.emit())
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 2)
        row.addWidget(self.title, 1)
        row.addWidget(self.back)
        self.hide()

    def show_title(self, title: str) -> None:
        """Show a title, or hide the line."""
        self.title.setText(title)
        self.setVisible(bool(title))


def card_menu(parent: QWidget, like: Callable[[], None], place: QPoint) -> QMenu:
    """Open the menu of one card at a place of the screen."""
    menu = QMenu(parent)
    menu.setObjectName("card menu")
    menu.addAction("Show more like this\t=").triggered.connect(lambda _=False: like())
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(place)
    return menu
