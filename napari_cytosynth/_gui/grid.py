"""A virtual grid of cards: only what is in view is made, painted and kept."""

from __future__ import annotations

import time
from collections import OrderedDict

from qtpy.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QPoint,
    QRectF,
    Qt,
    QTimer,
    Signal,
)
from qtpy.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from qtpy.QtWidgets import (
    QAbstractItemView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_cytosynth._gui.card import (
    CARD_HEIGHT,
    CARD_WIDTH,
    LoadedCard,
    paint_card,
    paint_empty,
    picture_of,
)
from napari_cytosynth._gui.keys import KeyTap
from napari_cytosynth._gui.plain import set_up_plain
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.panels import Card, Cards

KEPT_CARDS = 1024
"""Painted cards that are kept, least recently seen first out."""

LOAD_SECONDS = 0.012
"""Longest that one slice of loading may hold the window."""


class CardStore:
    """Cards by row, made when they are first seen, the least recent forgotten."""

    def __init__(self) -> None:
        self._cards: Cards | None = None
        self._loaded: OrderedDict[int, LoadedCard] = OrderedDict()
        self._wanted: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return 0 if self._cards is None else len(self._cards)

    def replace(self, cards: Cards) -> None:
        """Take another list; what was painted is forgotten."""
        self._cards = cards
        self._loaded.clear()
        self._wanted.clear()

    def seen(self, row: int) -> LoadedCard | None:
        """Return the card if it is loaded; else remember that it is wanted."""
        found = self._loaded.get(row)
        if found is None:
            self._wanted[row] = None
        else:
            self._loaded.move_to_end(row)
        return found

    def load(self, row: int) -> LoadedCard | None:
        """Make the card of a row now."""
        if self._cards is None or not 0 <= row < len(self._cards):
            return None
        card = self._cards[row]
        loaded = LoadedCard(card, picture_of(card.crop))
        self._loaded[row] = loaded
        self._wanted.pop(row, None)
        while len(self._loaded) > KEPT_CARDS:
            self._loaded.popitem(last=False)
        return loaded

    def forget(self, row: int) -> None:
        """Make the card of a row again when it is next seen."""
        self._loaded.pop(row, None)

    def card(self, row: int) -> Card | None:
        """Return the card of a row, loaded or not."""
        found = self._loaded.get(row) or self.load(row)
        return None if found is None else found.card

    def load_some(self, seconds: float) -> list[int]:
        """Make wanted cards, the first wanted first, for about this long."""
        end, made = time.monotonic() + seconds, []
        while self._wanted and time.monotonic() < end:
            row, _ = self._wanted.popitem(last=False)
            if self.load(row) is not None:
                made.append(row)
        return made

    def want(self, rows: range) -> None:
        """Remember that these rows are wanted."""
        for row in rows:
            if row < len(self) and row not in self._loaded:
                self._wanted[row] = None

    def want_only(self, rows: range) -> None:
        """Forget wishes for rows that are no longer in view."""
        for row in [r for r in self._wanted if r not in rows]:
            del self._wanted[row]

    @property
    def waiting(self) -> bool:
        """True while wanted cards are not loaded."""
        return bool(self._wanted)


class CardModel(QAbstractTableModel):
    """Lays a list of cards out in rows of ``columns``."""

    def __init__(self, store: CardStore, parent: QWidget) -> None:
        super().__init__(parent)
        self._store = store
        self.columns = 1

    def reset(self, columns: int) -> None:
        """Take another number of columns, or another list."""
        self.beginResetModel()
        self.columns = max(1, columns)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the rows of the grid."""
        return -(-len(self._store) // self.columns)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the cards in a row."""
        return self.columns

    def position(self, index: QModelIndex) -> int | None:
        """Return the card's place in the list, or None past its end."""
        place = index.row() * self.columns + index.column()
        return place if index.isValid() and place < len(self._store) else None

    def index_of(self, place: int) -> QModelIndex:
        """Return the index of the card at this place of the list."""
        return self.index(place // self.columns, place % self.columns)

    def data(self, index: QModelIndex, role: int = 0) -> str | None:
        """Return words for hover and for screen readers."""
        place = self.position(index)
        words = (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
        if place is None or role not in words:
            return None
        card = self._store.card(place)
        return None if card is None else describe(card)


class CardDelegate(QStyledItemDelegate):
    """Paints cards out of the store."""

    def __init__(self, store: CardStore, colours: Colours, parent: QWidget) -> None:
        super().__init__(parent)
        self._store = store
        self.colours = colours
        self.focus: int | None = None

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint a card, or its empty place while it loads."""
        place = index.model().position(index)
        if place is None:
            return
        painter.save()
        box, loaded = QRectF(option.rect), self._store.seen(place)
        if loaded is None:
            paint_empty(painter, box, self.colours)
        else:
            paint_card(painter, box, loaded, self.colours, place == self.focus)
        painter.restore()


class CardGrid(QTableView):
    """The grid. It tells keys and clicks, and decides nothing."""

    keyPressed = Signal(str)
    cellChosen = Signal(int)
    menuAsked = Signal(int, QPoint)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = CardStore()
        self._model = CardModel(self._store, self)
        self._delegate = CardDelegate(self._store, colours, self)
        self._loading = QTimer(self)
        self._loading.setSingleShot(True)
        self._loading.timeout.connect(self._load)
        self._set_up()
        KeyTap(self).pressed.connect(self.keyPressed)

    def _set_up(self) -> None:
        self.setModel(self._model)
        self.setItemDelegate(self._delegate)
        set_up_plain(self)
        self.setMinimumHeight(CARD_HEIGHT + 4)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.hide()
            header.setMinimumSectionSize(8)
        self.horizontalHeader().setDefaultSectionSize(CARD_WIDTH)
        self.verticalHeader().setDefaultSectionSize(CARD_HEIGHT)
        self.verticalScrollBar().setSingleStep(CARD_HEIGHT // 4)
        self.setAccessibleName("Cells")

    def show_cards(self, cards: Cards) -> None:
        """Show another list; the place in it is kept by ``show_focus``."""
        self._store.replace(cards)
        self._lay_out(self._fitting())
        self._store.want(self._in_view())
        self._store.load_some(LOAD_SECONDS)

    def show_card_changed(self, row: int) -> None:
        """Paint one card anew."""
        self._store.forget(row)
        self._store.load(row)
        self.update(self._model.index_of(row))

    def show_focus(self, row: int | None) -> None:
        """Frame a card and scroll as far as it needs."""
        before, self._delegate.focus = self._delegate.focus, row
        if before is not None:
            self.update(self._model.index_of(before))
        if row is not None and row < len(self._store):
            if self._store.seen(row) is None:
                self._store.load(row)
            index = self._model.index_of(row)
            self.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)
            self.update(index)

    def show_colours(self, colours: Colours) -> None:
        """Paint in another theme."""
        self._delegate.colours = colours
        self.viewport().update()

    def paintEvent(self, event: QEvent) -> None:
        """Paint, then load what was missing."""
        super().paintEvent(event)
        if self._store.waiting and not self._loading.isActive():
            self._loading.start(0)

    def _load(self) -> None:
        self._store.want_only(self._in_view())
        for row in self._store.load_some(LOAD_SECONDS):
            self.update(self._model.index_of(row))
        if self._store.waiting:
            self._loading.start(0)

    def _lay_out(self, columns: int) -> None:
        self._model.reset(columns)
        # Qt would do both later, and a scroll that comes before finds no range.
        self.executeDelayedItemsLayout()
        self.updateGeometries()

    def _in_view(self) -> range:
        columns, height = self._model.columns, self.viewport().height()
        first = max(0, self.rowAt(0)) * columns
        last = self.rowAt(height - 1)
        rows = self._model.rowCount() if last < 0 else last + 1
        return range(first, rows * columns)

    def _fitting(self) -> int:
        return max(1, int(self.viewport().width()) // CARD_WIDTH)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay the cards out for the new width."""
        super().resizeEvent(event)
        if self._fitting() != self._model.columns:
            self._lay_out(self._fitting())
            self.show_focus(self._delegate.focus)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell which card was clicked."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        place = self._model.position(self.indexAt(event.position().toPoint()))
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self.cellChosen.emit(place)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Tell for which card a menu is asked, and where."""
        index = self.indexAt(self.viewport().mapFromGlobal(event.globalPos()))
        place = self._model.position(index)
        if place is not None:
            self.menuAsked.emit(place, event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave keys that are not ours to the window; never move by itself."""
        event.ignore()


def describe(card: Card) -> str:
    """Return all that a card says, in words."""
    kind = "Synthetic cell" if card.synthetic else "Cell"
    lines = [f"{kind} {card.id}"]
    if card.code:
        lines.append(f"{'made for' if card.synthetic else 'labelled'} {card.code}")
    if card.guess:
        lines.append(f"predicted {card.guess}")
    if card.verdicts:
        lines += card.verdicts
    elif card.caption:
        lines.append(card.caption)
    if card.badge:
        lines.append(card.badge)
    if card.flaws:
        lines.append(f"picture: {card.flaws}")
    if not card.verified:
        lines.append("unverified: too few real cells of the class to check it")
    return "\n".join(lines)
