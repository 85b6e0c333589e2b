"""The dock below: tabs and the grid of real cells."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QLabel, QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from napari_cytosynth._gui.banner import SearchBanner, card_menu
from napari_cytosynth._gui.grid import CardGrid
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth._gui.toolrow import ToolRow
from napari_cytosynth.app.panels import Cards, Quality, Sort, Tab

_CHOICES = (
    "filterChosen",
    "sortChosen",
    "qualityChosen",
    "strategyChosen",
    "sharesAsked",
    "fieldAsked",
    "blindToggled",
)
_PAGES = {Tab.QUEUE: 0, Tab.PREDICTED: 0, Tab.SYNTHETIC: 1, Tab.EVIDENCE: 2}


class CommentLine(QLineEdit):
    """A line that appears when a remark is asked for, and goes when it is given."""

    given = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText(
            "Remark on this cell; Return keeps it, Escape leaves it"
        )
        self.setAccessibleName("Remark on the focused cell")
        self.hide()
        self.returnPressed.connect(self._give)

    def ask(self, text: str) -> None:
        """Show the line with ``text`` in it."""
        self.setText(text)
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _give(self) -> None:
        text = self.text().strip()
        self.hide()
        if text:
            self.given.emit(text)
        self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave on Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
            self.left.emit()
            return
        super().keyPressEvent(event)


class DetailLine(QLabel):
    """What is known of the focused cell; it stays once shown, lest the grid jump."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("muted")
        self.setWordWrap(True)
        self.setContentsMargins(8, 0, 8, 2)
        self.setAccessibleName("What is known of the focused cell")
        self.hide()

    def show_lines(self, lines: tuple[str, ...]) -> None:
        """Show sentences, one after the other."""
        self.setText("  ".join(lines))
        if lines:
            self.show()


class PendingKeys(QLabel):
    """The keys of a chord begun, over the grid."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("", parent)
        self.setObjectName("pending")
        self.hide()

    def show_keys(self, keys: str, below: int) -> None:
        """Show keys so many pixels below the top, or hide."""
        self.setText(f" {keys} ")
        self.adjustSize()
        self.move(12, below)
        self.setVisible(bool(keys))
        self.raise_()


class AnnotateWidget(QWidget):
    """Implements :class:`napari_cytosynth.app.views.AnnotateView`.

    Parameters
    ----------
    colours : Colours
        The theme's.
    review, evidence : QWidget
        Pages of the tabs *Synthetic* and *Evidence*.
    """

    keyPressed = Signal(str)
    cellChosen = Signal(int)
    tabChosen = Signal(object)
    filterChosen = Signal(str)
    sortChosen = Signal(object)
    qualityChosen = Signal(object)
    likeAsked = Signal(int)
    fieldAsked = Signal()
    searchLeft = Signal()
    strategyChosen = Signal(str)
    sharesAsked = Signal()
    blindToggled = Signal(bool)
    commentGiven = Signal(str)

    def __init__(
        self,
        colours: Colours,
        review: QWidget,
        evidence: QWidget,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.tools = ToolRow(self)
        self.grid = CardGrid(colours, self)
        self.empty = QLabel(self.grid)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self.banner = SearchBanner(self)
        self.details = DetailLine(self)
        self.comment = CommentLine(self)
        self.pending = PendingKeys(self)
        self.pages = QStackedWidget(self)
        for page in (self.grid, review, evidence):
            self.pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.tools)
        column.addWidget(self.banner)
        column.addWidget(self.pages, 1)
        column.addWidget(self.details)
        column.addWidget(self.comment)
        self._wire()

    def _wire(self) -> None:
        self.grid.keyPressed.connect(self.keyPressed)
        self.grid.cellChosen.connect(self.cellChosen)
        self.grid.menuAsked.connect(self._ask_menu)
        self.banner.left.connect(self.searchLeft)
        self.banner.left.connect(self.take_keys)
        self.comment.given.connect(self.commentGiven)
        self.comment.left.connect(self.take_keys)
        tools = self.tools
        tools.tabChosen.connect(self.tabChosen)
        for name in _CHOICES:
            getattr(tools, name).connect(getattr(self, name))
            getattr(tools, name).connect(self.take_keys)

    def take_keys(self, *_: object) -> None:
        """Give the keyboard to the page in front."""
        page = self.pages.currentWidget()
        (page.focusProxy() or page).setFocus(Qt.FocusReason.OtherFocusReason)

    def _ask_menu(self, row: int, place: QPoint) -> None:
        card_menu(self, lambda: self.likeAsked.emit(row), place)

    def show_choices(
        self, classes: tuple[tuple[str, str], ...], strategies: tuple[str, ...]
    ) -> None:
        """Fill the filter and strategy boxes."""
        self.tools.show_choices(classes, strategies)

    def show_cards(self, cards: Cards) -> None:
        """Show this list."""
        self.empty.setVisible(len(cards) == 0)
        self.grid.show_cards(cards)

    def show_nothing(self, why: str) -> None:
        """Say why the grid is empty."""
        self.empty.setText(why)

    def show_card_changed(self, row: int) -> None:
        """Paint one card anew."""
        self.grid.show_card_changed(row)

    def show_focus(self, row: int | None) -> None:
        """Frame the focused card."""
        self.grid.show_focus(row)

    def show_pending(self, keys: str) -> None:
        """Show the keys of a chord begun, over the grid."""
        self.pending.show_keys(keys, self.tools.height() + 12)

    def show_tab(self, tab: Tab) -> None:
        """Bring a tab forward."""
        self.tools.show_tab(tab)
        self.pages.setCurrentIndex(_PAGES[tab])

    def show_filter(self, code: str) -> None:
        """Set the class filter."""
        self.tools.show_filter(code)

    def show_sort(self, sort: Sort) -> None:
        """Set the sort box."""
        self.tools.show_sort(sort)

    def show_quality(self, quality: Quality) -> None:
        """Set the box for flagged cells."""
        self.tools.show_quality(quality)

    def show_search(self, title: str) -> None:
        """Say what was looked for; empty: it is the queue."""
        self.banner.show_title(title)

    def show_strategy(self, key: str) -> None:
        """Set the strategy box."""
        self.tools.show_strategy(key)

    def show_shares(self, words: str) -> None:
        """Say what balanced deals."""
        self.tools.show_shares(words)

    def show_blind(self, hidden: bool) -> None:
        """Set the "hide predictions" box."""
        self.tools.show_blind(hidden)

    def show_details(self, lines: tuple[str, ...]) -> None:
        """Say what is known of the focused cell."""
        self.details.show_lines(lines)

    def ask_comment(self, text: str) -> None:
        """Open the comment line."""
        self.comment.ask(text)

    def resizeEvent(self, event: object) -> None:
        """Keep the words for an empty grid in its middle."""
        super().resizeEvent(event)
        self.empty.setGeometry(self.grid.rect().adjusted(40, 0, -40, 0))
