"""Texts that give way where there is little room; hovering shows all of them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QModelIndex, QSize, Qt
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionComboBox,
    QStyleOptionViewItem,
    QStylePainter,
    QWidget,
)


class ElidedLabel(QLabel):
    """A label that shortens its text."""

    def __init__(
        self,
        parent: QWidget | None = None,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent)
        self._whole, self._mode = "", mode
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def show_text(self, text: str) -> None:
        """Show ``text``, as much of it as there is room for."""
        self._whole = text
        self.setToolTip(text)
        self._fit()

    def resizeEvent(self, event: object) -> None:
        """Fit the text to the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = max(0, self.width() - 4)
        self.setText(self.fontMetrics().elidedText(self._whole, self._mode, room))


_RESTYLED = (QEvent.Type.Show, QEvent.Type.StyleChange, QEvent.Type.FontChange)


class ElidedBox(QComboBox):
    """A choice whose chosen text is shortened; the list shows whole ones.

    Parameters
    ----------
    parent : QWidget
        Its parent.
    name : str
        What is chosen: for hovering, and for screen readers.
    """

    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)

    def sizeHint(self) -> QSize:
        """Return room for the longest choice, also where a style sheet takes some."""
        hint = super().sizeHint()
        words = (self.itemText(row) for row in range(self.count()))
        widest = max(map(self.fontMetrics().horizontalAdvance, words), default=0)
        frame = self.width() - self._room()
        # Advances are rounded down: a pixel more, or the last letter is cut.
        return QSize(max(hint.width(), widest + frame + 2), hint.height())

    def shown_text(self) -> str:
        """Return what is painted of the chosen text."""
        right, words = Qt.TextElideMode.ElideRight, self.currentText()
        return str(self.fontMetrics().elidedText(words, right, self._room()))

    def _room(self) -> int:
        """Return the pixels that there are for the text."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        box, field = (
            QStyle.ComplexControl.CC_ComboBox,
            QStyle.SubControl.SC_ComboBoxEditField,
        )
        # A pixel at each side stays free.
        return int(self.style().subControlRect(box, option, field, self).width()) - 2

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint as any box, with as much of the text as there is room for."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown_text()
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def event(self, event: QEvent) -> bool:
        """Tell on hovering what is chosen; ask for room anew once a style is known."""
        if event.type() in _RESTYLED:
            self.updateGeometry()
        if event.type() == QEvent.Type.ToolTip:
            self.setToolTip(f"{self.accessibleName()}: {self.currentText()}")
        return bool(super().event(event))


class ExplainedBox(ElidedBox):
    """A choice whose list says of each in a sentence what it does.

    Parameters
    ----------
    parent : QWidget
        Its parent.
    name : str
        What is chosen.
    explain : callable
        Returns the sentence of an item's data; asked when the list is first opened.
    """

    def __init__(
        self, parent: QWidget, name: str, explain: Callable[[str], str]
    ) -> None:
        super().__init__(parent, name)
        self._explain = explain
        self.setItemDelegate(_Sentences(self))

    def showPopup(self) -> None:
        """Make room for the sentences, and open the list."""
        words = self.fontMetrics().horizontalAdvance
        for row in range(self.count()):
            if self.itemData(row, Qt.ItemDataRole.ToolTipRole) is None:
                said = self._explain(self.itemData(row))
                self.setItemData(row, said, Qt.ItemDataRole.ToolTipRole)
        told = (_told(self.model().index(row, 0)) for row in range(self.count()))
        self.view().setMinimumWidth(max(map(words, told), default=0) + 48)
        super().showPopup()


class _Sentences(QStyledItemDelegate):
    """Puts the sentence behind each name."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint more than the name alone."""
        super().initStyleOption(option, index)
        option.text = _told(index)


def _told(index: QModelIndex) -> str:
    name, said = index.data(), index.data(Qt.ItemDataRole.ToolTipRole)
    return f"{name}:  {said}" if said else str(name)
