"""The row above the grid: tabs, filter, sort, strategy, blind."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QPushButton,
    QTabBar,
    QWidget,
)

from napari_cytosynth._gui.elided import ElidedBox, ElidedLabel, ExplainedBox
from napari_cytosynth.app.panels import DOUBTED, FAULTY, OPINION, Quality, Sort, Tab
from napari_cytosynth.core import registry

_TABS = tuple(Tab)
_SORTS = tuple(Sort)
_QUALITIES = tuple(Quality)


class ToolRow(QWidget):
    """Tabs and choices; layout and signals only."""

    tabChosen = Signal(object)
    filterChosen = Signal(str)
    sortChosen = Signal(object)
    qualityChosen = Signal(object)
    strategyChosen = Signal(str)
    sharesAsked = Signal()
    fieldAsked = Signal()
    blindToggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tabs = QTabBar(self)
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setElideMode(Qt.TextElideMode.ElideNone)
        self.tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for tab in _TABS:
            self.tabs.addTab(str(tab))
        self.filter = _box(self, "Show only this class", 170)
        self.sort = _box(self, "Order of the cells")
        self.quality = _box(self, "Flagged cells: blurred, cut, damaged or overlapping")
        self.strategy = ExplainedBox(self, "How the next cells are chosen", _summary)
        self.strategy.setMaximumWidth(130)
        self.strategy.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.shares = QPushButton("Shares\u2026", self)
        self.shares.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.field = QPushButton("Next field", self)
        self.field.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.field.setToolTip(
            "Go to the field of view that teaches most if all its cells are labelled."
        )
        self._dealt = ""
        self.sentence = ElidedLabel(self)
        self.sentence.setObjectName("muted")
        self.blind = QCheckBox("Hide predictions", self)
        self.blind.setToolTip("Label blind: hide what the model predicts and why.")
        for sort in _SORTS:
            self.sort.addItem(str(sort), sort)
        for quality in _QUALITIES:
            self.quality.addItem(str(quality), quality)
        self._lay_out()
        self._wire()

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 4, 6, 4)
        row.setSpacing(8)
        row.addWidget(self.tabs)
        row.addSpacing(8)
        for box in (self.filter, self.sort, self.quality, self.strategy):
            row.addWidget(box)
        row.addWidget(self.shares)
        row.addWidget(self.field)
        row.addWidget(self.sentence, 1)
        row.addWidget(self.blind)

    def _wire(self) -> None:
        self.tabs.currentChanged.connect(lambda i: self.tabChosen.emit(_TABS[i]))
        self.filter.activated.connect(
            lambda _: self.filterChosen.emit(self.filter.currentData() or "")
        )
        self.sort.activated.connect(
            lambda _: self.sortChosen.emit(self.sort.currentData())
        )
        self.quality.activated.connect(
            lambda _: self.qualityChosen.emit(self.quality.currentData())
        )
        self.strategy.activated.connect(
            lambda _: self.strategyChosen.emit(self.strategy.currentData())
        )
        self.shares.clicked.connect(lambda: self.sharesAsked.emit())
        self.field.clicked.connect(lambda: self.fieldAsked.emit())
        self.blind.toggled.connect(self.blindToggled)

    def show_choices(
        self, classes: tuple[tuple[str, str], ...], strategies: tuple[str, ...]
    ) -> None:
        """Fill filter and strategy."""
        with QSignalBlocker(self.filter), QSignalBlocker(self.strategy):
            self.filter.clear()
            self.filter.addItem("All classes", "")
            for code, name in classes:
                self.filter.addItem(f"{code}  {name}", code)
            self.filter.addItem("?  Second opinion wanted", OPINION)
            self.filter.addItem("!  Doubted labels", DOUBTED)
            self.filter.addItem("/  Box wrong or two cells", FAULTY)
            self.filter.view().setMinimumWidth(self.filter.sizeHint().width() + 40)
            self.strategy.clear()
            for key in strategies:
                self.strategy.addItem(_worded(key), key)

    def show_tab(self, tab: Tab) -> None:
        """Bring a tab forward; only tabs with real cells have filter and sort."""
        with QSignalBlocker(self.tabs):
            self.tabs.setCurrentIndex(_TABS.index(tab))
        real = tab in (Tab.QUEUE, Tab.PREDICTED)
        for row, sort in enumerate(_SORTS):
            self.sort.setItemText(row, sort.told(tab))
        for box in (self.filter, self.sort, self.quality, self.blind):
            box.setVisible(real)
        self.strategy.setVisible(tab is Tab.QUEUE)
        self.sentence.setVisible(True)
        self._tell()

    def show_filter(self, code: str) -> None:
        """Set the filter."""
        self.filter.setCurrentIndex(max(0, self.filter.findData(code)))

    def show_sort(self, sort: Sort) -> None:
        """Set the order."""
        self.sort.setCurrentIndex(_SORTS.index(sort))

    def show_quality(self, quality: Quality) -> None:
        """Set what becomes of flagged cells."""
        self.quality.setCurrentIndex(_QUALITIES.index(quality))

    def show_strategy(self, key: str) -> None:
        """Set the strategy, and say in a sentence what it does."""
        self.strategy.setCurrentIndex(max(0, self.strategy.findData(key)))
        self._tell()

    def show_shares(self, words: str) -> None:
        """Say what *balanced* deals."""
        self._dealt = words
        self.shares.setToolTip(f"What balanced deals: {words}. Click to change it.")
        self.shares.setAccessibleName(self.shares.toolTip())
        self._tell()

    def show_blind(self, hidden: bool) -> None:
        """Set the box."""
        with QSignalBlocker(self.blind):
            self.blind.setChecked(hidden)

    def _tell(self) -> None:
        tab, key = _TABS[self.tabs.currentIndex()], self.strategy.currentData()
        balanced = key == registry.DEFAULT_STRATEGY
        self.shares.setVisible(tab is Tab.QUEUE and balanced)
        if tab is Tab.QUEUE:
            dealt = f"Now {self._dealt}. " if balanced and self._dealt else ""
            self.sentence.show_text(f"{dealt}{_summary(key)}{_BLIND}")
        else:
            self.sentence.show_text(_SENTENCES[tab])


_BLIND = (
    " One card in ten is drawn at random instead, to measure. No card says why it "
    "came, nor what the model makes of it, before it is labelled."
)

_SENTENCES = {
    Tab.PREDICTED: "What the model makes of the cells that nobody labelled yet.",
    Tab.SYNTHETIC: "Made by a generator, never counted as real. "
    "A accepts, R rejects, arrows move.",
    Tab.EVIDENCE: "Measured on audit cells: real cells drawn at random. Before there "
    "are ten, the learning curve is cross-validated on the labels themselves.",
}


def _worded(key: str) -> str:
    """Return a strategy's name for a person: "novelty by density"."""
    return key.replace("_", " ").replace(":", " by ")


def _summary(key: str | None) -> str:
    if not key or key.partition(":")[0] not in registry.names("strategies"):
        return ""
    return str(registry.load("strategies", key)().summary)


def _box(parent: QWidget, name: str, width: int | None = None) -> ElidedBox:
    """Return a box as wide as its longest words, unless a width is given."""
    box = ElidedBox(parent, name)
    if width is not None:
        box.setMaximumWidth(width)
    box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return box
