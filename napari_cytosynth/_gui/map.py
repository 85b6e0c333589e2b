"""The map of cells as a whole: buttons, picture, legend, and what was taken."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.elided import ElidedBox, ElidedLabel
from napari_cytosynth._gui.legend import Legend
from napari_cytosynth._gui.mapplot import MapPlot
from napari_cytosynth._gui.plain import plain_button
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.map_views import Clouds, Dots, MapClass, Taken, Tip

LASSO_HINT = "Draw a line around cells to take them together. Shift and drag does too."
ALL_HINT = "Take all cells in view together, to give them one label."


class TakenBar(QWidget):
    """What was taken, and the label that it is to get."""

    labelAsked = Signal(str)
    dropped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = ElidedLabel(self)
        self.classes = ElidedBox(self, "Label for the cells taken")
        self.label = plain_button(
            "Label\u2026", "Give them all this label; asks first."
        )
        self.drop = plain_button("Let go", "Take none (Escape)")
        row = QHBoxLayout()
        row.addWidget(self.classes, 1)
        row.addWidget(self.label)
        row.addWidget(self.drop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.words)
        column.addLayout(row)
        self.label.clicked.connect(
            lambda: self.labelAsked.emit(self.classes.currentData() or "")
        )
        self.drop.clicked.connect(lambda: self.dropped.emit())
        self.hide()

    def show_classes(self, classes: tuple[MapClass, ...]) -> None:
        """Fill the box, once."""
        if not self.classes.count():
            for each in classes:
                self.classes.addItem(f"{each.code}  {each.name}", each.code)

    def show_taken(self, taken: Taken | None) -> None:
        """Say how many were taken."""
        self.setVisible(taken is not None)
        if taken is not None:
            many = f"{len(taken.places):,} cells taken"
            left = f" ({taken.left_out:,} labelled ones left out)"
            self.words.show_text(many + (left if taken.left_out else ""))
            self.label.setEnabled(bool(len(taken.places)))


class MapWidget(QWidget):
    """Implements :class:`napari_cytosynth.app.map_views.MapView`.

    Parameters
    ----------
    colours : Colours
        The theme's.
    """

    seen = Signal(bool)
    viewMoved = Signal(float, float, float, float, int)
    pressed = Signal(float, float, float)
    hovered = Signal(float, float, float)
    lassoDrawn = Signal(object)
    allAsked = Signal()
    dropped = Signal()
    labelAsked = Signal(str)
    labelConfirmed = Signal(str)
    keyPressed = Signal(str)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot, self.legend = MapPlot(colours, self), Legend(colours, self)
        self.empty = QLabel("", self.plot)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self.lasso = plain_button("Lasso", LASSO_HINT)
        self.lasso.setCheckable(True)
        self.all = plain_button("Take all in view", ALL_HINT)
        self.whole = plain_button("Whole map", "Show all cells (Ctrl+0)")
        self.nearer = plain_button("+", "Nearer (wheel, Ctrl and plus)")
        self.farther = plain_button("\u2212", "Farther (wheel, Ctrl and minus)")
        self.count = ElidedLabel(self)
        self.count.setObjectName("muted")
        self.taken = TakenBar(self)
        self.asked: QMessageBox | None = None
        self._lay_out()
        self._wire()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        buttons = (self.lasso, self.all, self.whole, self.nearer, self.farther)
        for button in buttons:
            row.addWidget(button)
        for button in (self.nearer, self.farther):
            button.setMaximumWidth(32)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 6)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.plot, 1)
        for widget in (self.count, self.legend, self.taken):
            column.addWidget(widget)

    def _wire(self) -> None:
        plot, bar = self.plot, self.taken
        plot.keyPressed.connect(self.keyPressed)
        plot.seen.connect(self.seen)
        plot.moved.connect(self.viewMoved)
        plot.pressed.connect(self.pressed)
        plot.hovered.connect(self.hovered)
        plot.lassoDrawn.connect(self.lassoDrawn)
        bar.labelAsked.connect(self.labelAsked)
        bar.dropped.connect(self.dropped)
        self.lasso.toggled.connect(lambda on: setattr(plot, "encircles", on))
        self.all.clicked.connect(lambda: self.allAsked.emit())
        self.whole.clicked.connect(lambda: plot.show_whole())
        self.nearer.clicked.connect(lambda: plot.zoom(1.5))
        self.farther.clicked.connect(lambda: plot.zoom(1 / 1.5))
        self.setFocusProxy(plot)

    def show_colours(self, colours: Colours) -> None:
        """Paint in another theme."""
        self.plot.art.show_colours(colours)
        self.legend.show_colours(colours)
        self.plot.draw()

    def show_classes(self, classes: tuple[MapClass, ...], none: MapClass) -> None:
        """Show the legend; classes without a cell are left out of it."""
        self.plot.art.show_classes(classes, none)
        self.legend.show_classes((*classes, none))
        self.taken.show_classes(classes)

    def show_nothing(self, why: str) -> None:
        """Say why the map is empty."""
        self.empty.setText(why)
        self.empty.setVisible(bool(why))
        self.empty.setGeometry(self.plot.rect().adjusted(30, 0, -30, 0))

    def show_clouds(self, clouds: Clouds | None) -> None:
        """Draw the density."""
        self.plot.art.clouds = clouds
        self.plot.draw()

    def show_dots(self, dots: Dots) -> None:
        """Draw single cells."""
        self.plot.art.dots = dots
        self.plot.draw()

    def show_count(self, words: str) -> None:
        """Say how many cells are in view."""
        self.count.show_text(words)
        self.plot.setAccessibleDescription(words)

    def show_focus(self, place: tuple[float, float] | None) -> None:
        """Mark the focused cell."""
        self.plot.reveal(place)

    def show_taken(self, taken: Taken | None) -> None:
        """Mark what was taken, and offer to label it."""
        over = self.plot.overlay
        over.taken = over.taken[:0] if taken is None else taken.places
        self.taken.show_taken(taken)
        self.plot.draw(scene=False)

    def show_tip(self, tip: Tip | None) -> None:
        """Show the cell under the pointer."""
        self.plot.overlay.tip = tip
        self.plot.draw(scene=False)

    def show_pending(self, keys: str) -> None:
        """Show the keys of a chord begun."""
        self.taken.label.setText(f"{keys}\u2026" if keys else "Label\u2026")

    def ask_label(self, count: int, code: str, name: str) -> None:
        """Ask for a yes, without blocking."""
        box = self.asked = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Label many cells")
        box.setText(f"Label {count:,} cells as {code}, {name}?")
        box.setInformativeText("One undo takes all of it back.")
        yes = box.addButton(f"Label {count:,} cells", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        yes.clicked.connect(lambda: self.labelConfirmed.emit(code))
        box.finished.connect(lambda _: self._answered())
        box.open()

    def _answered(self) -> None:
        self.asked = None
        self.plot.setFocus(Qt.FocusReason.OtherFocusReason)
