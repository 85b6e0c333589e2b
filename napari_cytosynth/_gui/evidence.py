"""The tab *Evidence*: one honest plot, with intervals, from audit cells."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.theme import SYNTHETIC, Colours
from napari_cytosynth.app.figures import NOT_EVALUATED
from napari_cytosynth.app.panels import Curve, Figure, TaskStatus

_LINE = 24
_TITLE = 30
_AXIS = 26
_NAMES = 250
_NUMBERS = 190
_CASES = ("#8a8f98", "#e69f00", "#56b4e9", "#009e73", "#d55e00")


class CurvePlot(QWidget):
    """Draws each figure as a dot on a line from 0 to 1 with its interval."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: tuple[Curve, ...] = ()
        self._colours = colours
        self.setAccessibleName("Figures with 95 % intervals")

    def show_curves(self, curves: tuple[Curve, ...]) -> None:
        """Plot these."""
        self._curves = curves
        self.setMinimumHeight(sum(_height(c) for c in curves) + 8)
        self.setAccessibleDescription("\n".join(_words(c) for c in curves))
        self.update()

    def show_colours(self, colours: Colours) -> None:
        """Paint in another theme."""
        self._colours = colours
        self.update()

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
            box = QRectF(8, top, self.width() - 16, _height(curve))
            _paint_curve(painter, box, curve, self._colours)
            top += _height(curve)
        painter.end()


class EvidenceWidget(QWidget):
    """Implements :class:`napari_cytosynth.app.views.EvidenceView`."""

    evaluateAsked = Signal()

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = CurvePlot(colours, self)
        self.verdict = QLabel(NOT_EVALUATED, self)
        self.verdict.setObjectName("verdict")
        self.caveats = QLabel("", self)
        for label in (self.verdict, self.caveats):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.button = QPushButton("Evaluate", self)
        self.button.setToolTip("Measure on audit cells whether synthetic cells helped.")
        self.busy = QLabel("", self)
        self._lay_out()
        self.button.clicked.connect(lambda: self.evaluateAsked.emit())

    def _lay_out(self) -> None:
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(self.plot)
        side = QVBoxLayout()
        side.setContentsMargins(4, 8, 12, 6)
        side.addWidget(self.verdict)
        side.addWidget(self.caveats)
        side.addStretch(1)
        side.addWidget(self.busy)
        side.addWidget(self.button)
        panel = QWidget(self)
        panel.setLayout(side)
        panel.setFixedWidth(360)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(scroll, 1)
        row.addWidget(panel)

    def show_curves(self, curves: tuple[Curve, ...]) -> None:
        """Plot figures with intervals."""
        self.plot.show_curves(curves)

    def show_verdict(self, sentence: str, caveats: tuple[str, ...]) -> None:
        """Say whether it helped, and what limits the answer."""
        self.verdict.setText(sentence or NOT_EVALUATED)
        self.caveats.setText("\n".join(f"\u2022 {c}" for c in caveats))

    def show_busy(self, task: TaskStatus | None) -> None:
        """Show that an evaluation runs."""
        self.button.setEnabled(task is None)
        self.busy.setText("" if task is None else f"{task.title}  {task.note}")


_NO_FIGURE = (
    "No figure can be estimated yet. One card in ten of the queue is an audit card: a "
    "random cell of a held-out group. Ten of a class are needed before it has a figure."
)


def _height(curve: Curve) -> int:
    return _TITLE + _LINE * len(curve.cases) + _AXIS


def _words(curve: Curve) -> str:
    pairs = zip(curve.cases, curve.figures, strict=True)
    return f"{curve.title}: " + "; ".join(f"{c} {f.text}" for c, f in pairs)


def _paint_curve(
    painter: QPainter, box: QRectF, curve: Curve, colours: Colours
) -> None:
    bold = QFont(painter.font())
    bold.setBold(True)
    plain = QFont(painter.font())
    plain.setBold(False)
    painter.setFont(bold)
    painter.setPen(QColor(colours.text))
    painter.drawText(QPointF(box.left(), box.top() + 18), curve.title)
    painter.setFont(plain)
    left, right = box.left() + _NAMES, box.right() - _NUMBERS
    axis = QRectF(left, box.top() + _TITLE, right - left, _LINE * len(curve.cases))
    _paint_axis(painter, axis, colours)
    for row, (case, figure) in enumerate(zip(curve.cases, curve.figures, strict=True)):
        middle = axis.top() + (row + 0.5) * _LINE
        note = curve.notes.get(case, "")
        painter.setPen(QColor(colours.text))
        _text(painter, QRectF(box.left(), middle - 10, _NAMES - 10, 20), case)
        _paint_figure(painter, axis, middle, figure, _colour(case, row))
        words = f"{figure.text}  n={figure.n}" if figure.value is not None else note
        painter.setPen(QColor(colours.muted))
        room = QRectF(right + 12, middle - 10, _NUMBERS - 12, 20)
        _text(painter, room, words or figure.text)


def _colour(case: str, row: int) -> str:
    return SYNTHETIC if "synth" in case else _CASES[row % len(_CASES)]


def _text(painter: QPainter, box: QRectF, words: str) -> None:
    shown = painter.fontMetrics().elidedText(
        words, Qt.TextElideMode.ElideRight, int(box.width())
    )
    painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), shown)


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
