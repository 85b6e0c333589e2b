"""The dock on the right: one row a class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QModelIndex, QPoint, QSize, Qt, Signal
from qtpy.QtGui import QContextMenuEvent, QMouseEvent, QPixmap
from qtpy.QtWidgets import (
    QFrame,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.classlist import (
    FILL,
    LABELLED,
    PREDICTED,
    ROW_HEIGHT,
    WIDTHS,
    ClassDelegate,
    ClassModel,
    describe_row,
)
from napari_cytosynth._gui.classmenu import class_menu
from napari_cytosynth._gui.keys import KeyTap
from napari_cytosynth._gui.paint import image_of
from napari_cytosynth._gui.plain import set_up_plain
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.panels import ClassRow

_REFERENCE = 168


class ReferencePopup(QFrame):
    """A labelled cell of the class under the pointer, at a readable size."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.ToolTip)
        self.picture = QLabel(self)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.words.setFixedWidth(_REFERENCE)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.picture)
        column.addWidget(self.words)

    def show_cell(
        self, crop: npt.NDArray[np.uint8] | None, words: str, place: QPoint
    ) -> None:
        """Show beside ``place``; without a crop, say that there is none."""
        self.picture.setVisible(crop is not None)
        if crop is not None:
            pixmap = QPixmap.fromImage(image_of(crop))
            smooth = Qt.TransformationMode.SmoothTransformation
            keep = Qt.AspectRatioMode.KeepAspectRatio
            self.picture.setPixmap(pixmap.scaled(_REFERENCE, _REFERENCE, keep, smooth))
        self.words.setText(words)
        self.adjustSize()
        self.move(place.x() - self.width() - 8, place.y())
        self.show()


class ClassTable(QTableView):
    """The table: tells where it was clicked and where the pointer rests."""

    clickedAt = Signal(int, int)
    menuAsked = Signal(int, QPoint)
    hoveredOver = Signal(int)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.classes = ClassModel(self)
        self.painter = ClassDelegate(colours, self)
        self.setModel(self.classes)
        self.setItemDelegate(self.painter)
        set_up_plain(self)
        self.setMouseTracking(True)
        self.setAccessibleName("Classes")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(20)
        header.setSectionsClickable(False)
        for column, width in enumerate(WIDTHS):
            mode = QHeaderView.ResizeMode
            header.setSectionResizeMode(column, mode.Fixed if width else mode.Stretch)
            if width:
                self.setColumnWidth(column, width)
        self.entered.connect(self._hover)

    def sizeHint(self) -> QSize:
        """Ask for two rows: it takes what height there is, and a form below more."""
        header = self.horizontalHeader().sizeHint().height()
        return QSize(super().sizeHint().width(), header + 2 * ROW_HEIGHT)

    def _hover(self, index: QModelIndex) -> None:
        if index.row() != self.painter.hovered:
            self.painter.hovered = index.row()
            self.viewport().update()
            self.hoveredOver.emit(index.row())

    def leaveEvent(self, event: QEvent) -> None:
        """Take the reference away with the pointer."""
        self.painter.hovered = -1
        self.viewport().update()
        self.hoveredOver.emit(-1)
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell where it was clicked; the keyboard stays where it is."""
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and event.button() == Qt.MouseButton.LeftButton:
            self.clickedAt.emit(index.row(), index.column())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Tell for which row a menu is asked, and where."""
        index = self.indexAt(self.viewport().mapFromGlobal(event.globalPos()))
        if index.isValid():
            self.menuAsked.emit(index.row(), event.globalPos())


class ClassesWidget(QWidget):
    """Implements :class:`napari_cytosynth.app.views.ClassesView`.

    It also tells ``keyPressed(key)`` while it has the focus, as the grid does.
    """

    classChosen = Signal(str)
    filterAsked = Signal(str)
    fillAsked = Signal(str)
    findAsked = Signal(str)
    referenceAsked = Signal(str)
    mergeAsked = Signal(str, str)
    keyPressed = Signal(str)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = ClassTable(colours, self)
        self.caveat = QLabel("", self)
        self.caveat.setWordWrap(True)
        self.caveat.setObjectName("muted")
        self.caveat.hide()
        self._popup = ReferencePopup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.table, 1)
        column.addWidget(self.caveat)
        KeyTap(self.table).pressed.connect(self.keyPressed)
        self.table.clickedAt.connect(self._clicked)
        self.table.hoveredOver.connect(self._hovered)
        self.table.menuAsked.connect(self._ask_menu)

    def _clicked(self, row: int, column: int) -> None:
        chosen = self.table.classes.rows[row]
        if column == FILL and chosen.can_fill:
            self.fillAsked.emit(chosen.code)
        elif column in (LABELLED, PREDICTED):
            self.filterAsked.emit(chosen.code)
        elif column != FILL:
            self.classChosen.emit(chosen.code)

    def _ask_menu(self, row: int, place: QPoint) -> None:
        self._popup.hide()
        menu = class_menu(self, self.table.classes.rows, row)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)

    def _hovered(self, row: int) -> None:
        if row < 0:
            self._popup.hide()
        else:
            self.referenceAsked.emit(self.table.classes.rows[row].code)

    def show_rows(self, rows: tuple[ClassRow, ...]) -> None:
        """Show all rows."""
        self.table.classes.replace(rows)

    def show_row(self, index: int, row: ClassRow) -> None:
        """Show one row that changed."""
        self.table.classes.change(index, row)

    def show_caveat(self, text: str) -> None:
        """Say what the figures must say."""
        self.caveat.setText(text)
        self.caveat.setVisible(bool(text))

    def show_reference(self, code: str, crop: npt.NDArray[np.uint8] | None) -> None:
        """Show a labelled cell of the class under the pointer."""
        rows = self.table.classes.rows
        hovered = self.table.painter.hovered
        if not 0 <= hovered < len(rows) or rows[hovered].code != code:
            return
        words = describe_row(rows[hovered])
        if crop is None:
            words += "\n\nNo labelled cell of this class yet."
        top = self.table.rowViewportPosition(hovered)
        place = self.table.viewport().mapToGlobal(QPoint(0, top))
        self._popup.show_cell(crop, words, place)

    def show_colours(self, colours: Colours) -> None:
        """Paint in another theme."""
        self.table.painter.colours = colours
        self.table.viewport().update()

    def hideEvent(self, event: QEvent) -> None:
        """Take the popup away with the dock."""
        self._popup.hide()
        super().hideEvent(event)
