"""The tab *Evidence*: one honest plot, with intervals, from audit cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRect, QRectF, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.inspected import InspectedTable
from napari_cytosynth._gui.learning import LearningPlot
from napari_cytosynth._gui.theme import SYNTHETIC, Colours
from napari_cytosynth.app.figures import NOT_EVALUATED
from napari_cytosynth.app.panels import Curve, Figure, Learning, TaskStatus

if TYPE_CHECKING:
    from napari_cytosynth.evidence.tabulated import Line

_LINE = 24
_AXIS = 26
_GAP = 8
_SIDE = 440
"""Width of the column with the verdict, pixels."""
_CASES = ("#8a8f98", "#e69f00", "#56b4e9", "#009e73", "#d55e00")


@dataclass(frozen=True, slots=True)
class _Room:
    """Pixels for the names, for the numbers, and above for the title."""

    names: int
    numbers: int
    title: int


class CurvePlot(QWidget):
    """Draws each figure as a dot on a line from 0 to 1 with its interval."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: tuple[Curve, ...] = ()
        self._colours = colours
        self._names = self._numbers = 0
        self.setAccessibleName("Figures with 95 % intervals")

    def show_curves(self, curves: tuple[Curve, ...]) -> None:
        """Plot these."""
        self._curves = curves
        self._fit()
        self.setAccessibleDescription("\n".join(_words(c) for c in curves))
        self.update()

    def show_colours(self, colours: Colours) -> None:
        """Paint in another theme."""
        self._colours = colours
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give wrapped titles their room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        # Both sides of a plot, as wide as its words: nothing that is told is cut.
        words = QFontMetrics(self.font())
        names = [case for curve in self._curves for case in curve.cases]
        told = [text for curve in self._curves for text in _told(curve)]
        self._names = 12 + max(map(words.horizontalAdvance, names), default=0)
        self._numbers = 16 + max(map(words.horizontalAdvance, told), default=0)
        self.setMinimumWidth(self._names + self._numbers + 160)
        self.setMinimumHeight(sum(map(self._height, self._curves)) + 8)

    def _title(self, curve: Curve) -> int:
        """Return the height of a title, wrapped to the width of the plot."""
        words = QFontMetrics(_bold(self.font()))
        room = QRect(0, 0, max(self.width() - 16, 100), 1000)
        wrapped = int(Qt.TextFlag.TextWordWrap)
        return int(words.boundingRect(room, wrapped, curve.title).height()) + _GAP

    def _height(self, curve: Curve) -> int:
        return self._title(curve) + _LINE * len(curve.cases) + _AXIS

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all curves below one another."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._curves:
            painter.setPen(QColor(self._colours.muted))
            middle = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect().adjusted(40, 0, -40, 0), middle, _NO_FIGURE)
        top = 4.0
        for curve in self._curves:
            box = QRectF(8, top, self.width() - 16, self._height(curve))
            room = _Room(self._names, self._numbers, self._title(curve))
            _paint_curve(painter, box, curve, self._colours, room)
            top += self._height(curve)
        painter.end()


class EvidenceWidget(QWidget):
    """Implements :class:`napari_cytosynth.app.views.EvidenceView`."""

    evaluateAsked = Signal()
    reportAsked = Signal(str)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot, self.learning = CurvePlot(colours, self), LearningPlot(colours, self)
        self.inspected = InspectedTable(self)
        self.verdict = QLabel(NOT_EVALUATED, self)
        self.verdict.setObjectName("verdict")
        self.caveats = QLabel("", self)
        self.progress = QLabel("", self)
        self.progress.setObjectName("progress")
        for label in (self.verdict, self.progress, self.caveats):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.button = QPushButton("Evaluate", self)
        self.button.setToolTip("Measure on audit cells whether synthetic cells helped.")
        self.save = QPushButton("Save report...", self)
        self.save.setToolTip("Write these figures as a page, with their JSON twin.")
        self.save.setEnabled(False)
        self.busy = QLabel("", self)
        self.busy.setWordWrap(True)
        self._lay_out()
        self.save.clicked.connect(self._ask_where)
        self.button.clicked.connect(lambda: self.evaluateAsked.emit())

    def _lay_out(self) -> None:
        # The verdict is what is read first: at the left, and above all else.
        words = QWidget(self)
        told = QVBoxLayout(words)
        told.setContentsMargins(8, 8, 12, 6)
        told.addWidget(self.verdict)
        told.addWidget(self.progress)
        told.addWidget(self.caveats)
        told.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button, 1)
        buttons.addWidget(self.save, 1)
        panel = QWidget(self)
        panel.setFixedWidth(_SIDE)
        side = QVBoxLayout(panel)
        side.setContentsMargins(4, 0, 12, 6)
        side.addWidget(_scrolled(words), 1)
        side.addWidget(self.busy)
        side.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        plots = QWidget(self)
        column = QVBoxLayout(plots)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.learning)
        column.addWidget(self.plot, 1)
        column.addWidget(self.inspected)
        row.addWidget(panel)
        row.addWidget(_scrolled(plots), 1)

    def show_learning(self, curve: Learning) -> None:
        """Plot the learning curve so far."""
        self.learning.show_curve(curve)

    def show_colours(self, colours: Colours) -> None:
        """Paint in another theme."""
        self.plot.show_colours(colours)
        self.learning.show_colours(colours)

    def show_curves(self, curves: tuple[Curve, ...]) -> None:
        """Plot figures with intervals."""
        self.plot.show_curves(curves)

    def show_inspected(self, rows: tuple[Line, ...]) -> None:
        """Show fidelity and memorisation, each with its n."""
        self.inspected.show_rows(rows)

    def show_verdict(self, sentence: str, caveats: tuple[str, ...]) -> None:
        """Say whether it helped, and what limits the answer."""
        self.verdict.setText(sentence or NOT_EVALUATED)
        self.caveats.setText("\n".join(f"\u2022 {c}" for c in caveats))

    def show_progress(self, lines: tuple[str, ...]) -> None:
        """Say how far the labelling is, below the verdict."""
        self.progress.setText("\n".join(lines))
        self.progress.setVisible(bool(lines))

    def show_busy(self, task: TaskStatus | None) -> None:
        """Show that an evaluation runs."""
        self.button.setEnabled(task is None)
        self.busy.setText("" if task is None else f"{task.title}  {task.note}")

    def show_report(self, ready: bool) -> None:
        """Offer to save the report, or not."""
        self.save.setEnabled(ready)

    def _ask_where(self) -> None:
        """Ask for the file without blocking."""
        dialog = QFileDialog(self, "Save the report", "report.html", "Page (*.html)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("html")
        dialog.fileSelected.connect(self.reportAsked)
        dialog.open()


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setWidget(widget)
    return area


_NO_FIGURE = (
    "No figure can be estimated yet. One card in ten of the queue is an audit card: a "
    "random cell of a held-out group. Ten of a class are needed before it has a figure."
)


def _bold(font: QFont) -> QFont:
    bold = QFont(font)
    bold.setBold(True)
    return bold


def _told(curve: Curve) -> list[str]:
    """Return the words to the right of each line of a plot."""
    return [
        f"{figure.text}  n={figure.n}"
        if figure.value is not None
        else curve.notes.get(case, "") or figure.text
        for case, figure in zip(curve.cases, curve.figures, strict=True)
    ]


def _words(curve: Curve) -> str:
    pairs = zip(curve.cases, curve.figures, strict=True)
    return f"{curve.title}: " + "; ".join(f"{c} {f.text}" for c, f in pairs)


def _paint_curve(
    painter: QPainter, box: QRectF, curve: Curve, colours: Colours, room: _Room
) -> None:
    plain = QFont(painter.font())
    painter.setFont(_bold(plain))
    painter.setPen(QColor(colours.text))
    wrapped = int(Qt.TextFlag.TextWordWrap)
    painter.drawText(
        QRectF(box.left(), box.top(), box.width(), room.title), wrapped, curve.title
    )
    painter.setFont(plain)
    left, right = box.left() + room.names, box.right() - room.numbers
    height = _LINE * len(curve.cases)
    axis = QRectF(left, box.top() + room.title, right - left, height)
    _paint_axis(painter, axis, colours)
    rows = zip(curve.cases, curve.figures, _told(curve), strict=True)
    for row, (case, figure, told) in enumerate(rows):
        middle = axis.top() + (row + 0.5) * _LINE
        painter.setPen(QColor(colours.text))
        _text(painter, QRectF(box.left(), middle - 10, room.names, 20), case)
        _paint_figure(painter, axis, middle, figure, _colour(case, row))
        painter.setPen(QColor(colours.muted))
        _text(painter, QRectF(right + 12, middle - 10, room.numbers, 20), told)


def _colour(case: str, row: int) -> str:
    return SYNTHETIC if "synth" in case else _CASES[row % len(_CASES)]


def _text(painter: QPainter, box: QRectF, words: str) -> None:
    painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), words)


def _paint_axis(painter: QPainter, axis: QRectF, colours: Colours) -> None:
    for tick in range(6):
        x = axis.left() + axis.width() * tick / 5
        painter.setPen(QPen(QColor(colours.edge), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(x, axis.top()), QPointF(x, axis.bottom()))
        painter.setPen(QColor(colours.muted))
        label = QRectF(x - 20, axis.bottom() + 1, 40, 16)
        painter.drawText(label, int(Qt.AlignmentFlag.AlignHCenter), f"{tick / 5:.1f}")


def _paint_figure(
    painter: QPainter, axis: QRectF, middle: float, figure: Figure, colour: str
) -> None:
    if figure.value is None or figure.low is None or figure.high is None:
        return
    low, value, high = (
        axis.left() + axis.width() * v for v in (figure.low, figure.value, figure.high)
    )
    painter.setPen(QPen(QColor(colour), 2.5))
    painter.drawLine(QPointF(low, middle), QPointF(high, middle))
    for end in (low, high):
        painter.drawLine(QPointF(end, middle - 4), QPointF(end, middle + 4))
    painter.setBrush(QColor(colour))
    painter.drawEllipse(QPointF(value, middle), 5, 5)
