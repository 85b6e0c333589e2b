"""The blinded reader test: one cell at a time, real or synthetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.keys import KeyTap
from napari_cytosynth._gui.paint import image_of
from napari_cytosynth.app.panels import BlindedForm

_SIDE = 384  # four screen pixels a pixel of the crop
_WORDS = (
    "Real and synthetic cells of the same classes come one after the other, in an "
    "order by chance, at the same scale and through the same compression. Say of each "
    "what it is. Nothing is told before the end. You may close this at any time and go "
    "on later: every answer is kept when it is given."
)


class StartPage(QWidget):
    """Begin, or go on."""

    begun = Signal(int)
    resumed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        words = QLabel(_WORDS, self)
        words.setWordWrap(True)
        self.cells = QSpinBox(self)
        self.cells.setRange(10, 1000)
        self.cells.setSingleStep(10)
        self.cells.setSuffix(" cells")
        self.cells.setAccessibleName("Cells of the test")
        self.begin = QPushButton("Begin", self)
        self.resume = QPushButton("", self)
        self.earlier = QLabel("", self)
        self.earlier.setWordWrap(True)
        row = QHBoxLayout()
        for widget in (self.cells, self.begin, self.resume):
            row.addWidget(widget)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.addWidget(words)
        column.addLayout(row)
        column.addWidget(self.earlier)
        column.addStretch(1)
        self.begin.clicked.connect(lambda: self.begun.emit(self.cells.value()))
        self.resume.clicked.connect(lambda: self.resumed.emit())

    def show_form(self, form: BlindedForm) -> None:
        """Show what can be begun, and what was broken off."""
        self.cells.setMaximum(max(form.most, self.cells.minimum()))
        self.cells.setValue(form.cells)
        for widget in (self.cells, self.begin):
            widget.setEnabled(not form.lacking)
            widget.setToolTip(form.lacking)
        self.resume.setText(f"Go on at {form.called + 1} of {form.of}")
        self.resume.setVisible(form.of > 0)
        self.begin.setText("Begin anew" if form.of else "Begin")
        told = (form.problem, form.lacking, *form.earlier)
        self.earlier.setText("\n\n".join(dict.fromkeys(filter(None, told))))
        first = self.resume if form.of else self.begin
        first.setDefault(True)
        first.setFocus()


class CellPage(QWidget):
    """One cell, and two answers."""

    called = Signal(bool)
    keyPressed = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.picture = QLabel(self)
        self.picture.setFixedSize(_SIDE, _SIDE)
        self.picture.setAccessibleName("The cell")
        self.place = QLabel("", self)
        self.real = _answer("Real  (R)", self)
        self.synthetic = _answer("Synthetic  (S)", self)
        hint = QLabel("Backspace goes back to the cell before.", self)
        hint.setObjectName("muted")
        row = QHBoxLayout()
        row.addWidget(self.real)
        row.addWidget(self.synthetic)
        column = QVBoxLayout(self)
        middle = Qt.AlignmentFlag.AlignHCenter
        column.addWidget(self.place, 0, middle)
        column.addWidget(self.picture, 0, middle)
        column.addLayout(row)
        column.addWidget(hint, 0, middle)
        self._tap = KeyTap(self)
        self._tap.pressed.connect(self._on_key)
        self.real.clicked.connect(lambda: self.called.emit(False))
        self.synthetic.clicked.connect(lambda: self.called.emit(True))

    def _on_key(self, name: str) -> None:
        if name == "Escape":
            self.window().close()
        else:
            self.keyPressed.emit(name)

    def show_cell(self, crop: npt.NDArray[np.uint8], number: int, of: int) -> None:
        """Show a cell, and how far the test came."""
        pixmap = QPixmap.fromImage(image_of(crop))
        keep = Qt.AspectRatioMode.KeepAspectRatio
        smooth = Qt.TransformationMode.SmoothTransformation
        self.picture.setPixmap(pixmap.scaled(_SIDE, _SIDE, keep, smooth))
        self.place.setText(f"{number} of {of}")


class BlindedDialog(QDialog):
    """Implements :class:`napari_cytosynth.app.synthetic_views.BlindedView`."""

    begun = Signal(int)
    resumed = Signal()
    called = Signal(bool)
    keyPressed = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Blinded test: real or synthetic?")
        self.presenter: Any = None
        self.start = StartPage(self)
        self.cell = CellPage(self)
        self.result = QWidget(self)
        self.sentence = QLabel("", self.result)
        self.sentence.setWordWrap(True)
        self.table = QTableWidget(self.result)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setAccessibleName("How you did, by class and by way of making")
        column = QVBoxLayout(self.result)
        column.addWidget(self.sentence)
        column.addWidget(self.table, 1)
        self.pages = QStackedWidget(self)
        for page in (self.start, self.cell, self.result):
            self.pages.addWidget(page)
        whole = QVBoxLayout(self)
        whole.addWidget(self.pages)
        self.setMinimumSize(560, 520)
        self.start.begun.connect(self.begun)
        self.start.resumed.connect(self.resumed)
        self.cell.called.connect(self.called)
        self.cell.keyPressed.connect(self.keyPressed)

    def show_start(self, form: BlindedForm) -> None:
        """Show what a test is, and how far one came that was broken off."""
        self.pages.setCurrentWidget(self.start)
        self.start.show_form(form)

    def show_cell(self, crop: npt.NDArray[np.uint8], number: int, of: int) -> None:
        """Show a cell; the keyboard is its page's."""
        self.pages.setCurrentWidget(self.cell)
        self.cell.show_cell(crop, number, of)
        self.cell.setFocus()

    def show_result(self, sentence: str, rows: tuple[tuple[str, ...], ...]) -> None:
        """Show how the reader did."""
        head, *body = rows
        self.sentence.setText(sentence)
        self.table.setColumnCount(len(head) - 1)
        self.table.setRowCount(len(body))
        self.table.setHorizontalHeaderLabels(head[1:])
        self.table.setVerticalHeaderLabels([row[0] for row in body])
        for y, row in enumerate(body):
            for x, text in enumerate(row[1:]):
                self.table.setItem(y, x, QTableWidgetItem(text))
        fit = QHeaderView.ResizeMode.ResizeToContents
        self.table.horizontalHeader().setSectionResizeMode(fit)
        self.pages.setCurrentWidget(self.result)
        self.resize(max(self.width(), 760), max(self.height(), 560))
        self.table.setFocus()


def _answer(text: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setAutoDefault(False)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button
