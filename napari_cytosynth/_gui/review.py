"""The tab *Synthetic*: a grid of synthetic cells and what the critics say of one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.grid import CardGrid
from napari_cytosynth._gui.paint import image_of
from napari_cytosynth._gui.plain import plain_button
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.panels import Cards

_SIDE = 84


class ReviewWidget(QWidget):
    """Implements :class:`napari_cytosynth.app.synthetic_views.ReviewView`."""

    keyPressed = Signal(str)
    cellChosen = Signal(int)
    verdictGiven = Signal(bool)
    sieveChosen = Signal(str)
    blindedAsked = Signal()

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = CardGrid(colours, self)
        self.grid.setAccessibleName("Synthetic cells")
        self.setFocusProxy(self.grid)
        self.sieve = QComboBox(self)
        self.sieve.setAccessibleName("Which synthetic cells are shown")
        self.sieve.setToolTip(
            "Which synthetic cells are shown. What the gate dropped can be looked at "
            "here; it counts nowhere."
        )
        self.details = QLabel("", self)
        self.details.setWordWrap(True)
        self.details.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.details.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.nearest = QLabel(self)
        self.nearest.setFixedSize(_SIDE, _SIDE)
        self.nearest_words = QLabel("", self)
        self.nearest_words.setWordWrap(True)
        self.nearest_words.setObjectName("muted")
        self.show_nearest(None, "")
        self.accept = plain_button(
            "Accept  (A)", "It looks like this class: may train."
        )
        self.reject = plain_button("Reject  (R)", "It does not: it trains nothing.")
        self.blinded = plain_button("Blinded test\u2026", _BLINDED)
        self.empty = QLabel(_NOTHING, self.grid)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self._lay_out()
        self.grid.keyPressed.connect(self.keyPressed)
        self.grid.cellChosen.connect(self.cellChosen)
        self.sieve.activated.connect(self._choose)
        self.accept.clicked.connect(lambda: self.verdictGiven.emit(True))
        self.reject.clicked.connect(lambda: self.verdictGiven.emit(False))
        self.blinded.clicked.connect(lambda: self.blindedAsked.emit())

    def _lay_out(self) -> None:
        pictures = QHBoxLayout()
        pictures.addWidget(self.nearest)
        pictures.addWidget(self.nearest_words, 1)
        words = QScrollArea(self)
        words.setWidgetResizable(True)
        words.setWidget(self.details)
        words.setFrameShape(QScrollArea.Shape.NoFrame)
        buttons = QHBoxLayout()
        buttons.addWidget(self.accept)
        buttons.addWidget(self.reject)
        side = QVBoxLayout()
        side.setContentsMargins(4, 4, 8, 4)
        side.addWidget(self.sieve)
        side.addLayout(pictures)
        side.addWidget(words, 1)
        side.addLayout(buttons)
        side.addWidget(self.blinded)
        panel = QWidget(self)
        panel.setLayout(side)
        panel.setFixedWidth(330)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.grid, 1)
        row.addWidget(panel)

    def _choose(self, row: int) -> None:
        self.sieveChosen.emit(self.sieve.itemData(row))

    def show_sieves(self, choices: tuple[tuple[str, str], ...], chosen: str) -> None:
        """Fill the box of what can be shown (key, words), and set it."""
        self.sieve.clear()
        for key, words in choices:
            self.sieve.addItem(words, key)
        self.sieve.setCurrentIndex(self.sieve.findData(chosen))

    def show_cards(self, cards: Cards) -> None:
        """Show this list."""
        self.empty.setVisible(len(cards) == 0)
        for button in (self.accept, self.reject):
            button.setEnabled(len(cards) > 0)
        self.grid.show_cards(cards)

    def show_card_changed(self, row: int) -> None:
        """Paint one card anew."""
        self.grid.show_card_changed(row)

    def show_focus(self, row: int | None) -> None:
        """Frame one card."""
        self.grid.show_focus(row)

    def show_details(self, lines: tuple[str, ...]) -> None:
        """Show what the critics said, and how the cell was made."""
        self.details.setText("\n\n".join(lines))

    def show_nearest(self, crop: npt.NDArray[np.uint8] | None, words: str) -> None:
        """Show the closest real cell: what a copy would be a copy of."""
        if crop is not None:
            pixmap = QPixmap.fromImage(image_of(crop))
            smooth = Qt.TransformationMode.SmoothTransformation
            keep = Qt.AspectRatioMode.KeepAspectRatio
            self.nearest.setPixmap(pixmap.scaled(_SIDE, _SIDE, keep, smooth))
        self.nearest.setToolTip(words)
        self.nearest_words.setText(words)
        for label in (self.nearest, self.nearest_words):
            label.setVisible(crop is not None)

    def resizeEvent(self, event: object) -> None:
        """Keep the words for an empty grid in its middle."""
        super().resizeEvent(event)
        self.empty.setGeometry(self.grid.rect().adjusted(40, 0, -40, 0))


_NOTHING = (
    "No synthetic cells yet.\nPress Fill beside a class that has too few real cells."
)

_BLINDED = (
    "Can you tell synthetic cells from real ones? Both are mixed, one key each; what "
    "was right is told at the end."
)
