"""The strip of the window: who labels, what runs, what went wrong."""

from __future__ import annotations

from napari.utils.notifications import show_error
from qtpy.QtCore import QPoint, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QProgressBar,
    QPushButton,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.elided import ElidedLabel
from napari_cytosynth.app.panels import StatusLine, TaskStatus

PATIENCE_MS = 500
KEYS = (
    "<b>Queue</b><table>"
    "<tr><td>class key&nbsp;&nbsp;</td><td>label the cell and go on</td></tr>"
    "<tr><td>Space</td><td>skip</td></tr>"
    "<tr><td>Left, Right</td><td>previous, next cell</td></tr>"
    "<tr><td>Return</td><td>remark</td></tr>"
    "<tr><td>?</td><td>ask for a second opinion</td></tr>"
    "<tr><td>Delete</td><td>this is no cell</td></tr>"
    "<tr><td>-</td><td>box wrong: it waits for a new one</td></tr>"
    "<tr><td>/</td><td>two cells in a box: it waits to be split</td></tr>"
    "<tr><td>=</td><td>show more like this; Escape goes back to the queue</td></tr>"
    "<tr><td>+</td><td>make a cell of a place marked in the field</td></tr>"
    "<tr><td>Ctrl+Z, Ctrl+Y</td><td>undo, redo</td></tr></table>"
    "<b>Synthetic</b><table>"
    "<tr><td>A or Return&nbsp;&nbsp;</td><td>accept</td></tr>"
    "<tr><td>R or Backspace</td><td>reject</td></tr></table>"
    "<b>Canvas</b><table>"
    "<tr><td>click&nbsp;&nbsp;</td><td>focus a cell</td></tr>"
    "<tr><td>double click</td><td>add a cell that was missed</td></tr>"
    "<tr><td>Shift and drag&nbsp;&nbsp;</td><td>draw the focused cell's box anew</td>"
    "</tr><tr><td>Shift and click twice&nbsp;&nbsp;</td><td>split the focused cell "
    "around two centres</td></tr></table>"
    "<b>Map</b><table>"
    "<tr><td>click&nbsp;&nbsp;</td><td>focus a cell</td></tr>"
    "<tr><td>wheel, Ctrl and + &minus; 0&nbsp;&nbsp;</td><td>nearer, farther, all"
    "</td></tr><tr><td>drag, Shift and arrows&nbsp;&nbsp;</td><td>move</td></tr>"
    "<tr><td>Shift and drag&nbsp;&nbsp;</td><td>take cells together; a class key "
    "then labels them all</td></tr></table>"
    "<b>Class list</b><table>"
    "<tr><td>right click&nbsp;&nbsp;</td><td>show only, fill, find more, "
    "count as another</td>"
    "</tr></table>"
)
"""What keys and mouse do, as rich text."""

NOTICE = "Research use only. Not a medical device."


class TaskBar(QWidget):
    """One running task: title, bar, Cancel."""

    cancelAsked = Signal(str)

    def __init__(self, task: TaskStatus, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = task.key
        self.words = ElidedLabel(self)
        self.bar = QProgressBar(self)
        self.bar.setFixedWidth(100)
        self.bar.setMaximumHeight(14)
        self.bar.setTextVisible(False)
        self.cancel = QPushButton("Cancel", self)
        self.cancel.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.cancel.setAccessibleName(f"Cancel: {task.title}")
        self.cancel.clicked.connect(lambda: self.cancelAsked.emit(self._key))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.words, 1)
        row.addWidget(self.bar)
        row.addWidget(self.cancel)
        self.show_task(task)

    def show_task(self, task: TaskStatus) -> None:
        """Show how far it is."""
        count = f" {task.done} of {task.total}" if task.total else ""
        self.words.show_text(f"{task.title}{count}  {task.note}".rstrip())
        # A bar paints itself at each value, and with it the canvas: it shall wait.
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, task.total)
        self.bar.setValue(task.done)
        self.bar.setUpdatesEnabled(True)
        self.cancel.setVisible(task.can_cancel)


class TaskBars(QWidget):
    """Running tasks, one below the other; hidden while nothing runs.

    What is over within half a second is not shown: the docks would jump at each label.
    """

    cancelAsked = Signal(str)
    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: dict[str, TaskBar] = {}
        self._tasks: tuple[TaskStatus, ...] = ()
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._add_new)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self.hide()

    def show_tasks(self, tasks: tuple[TaskStatus, ...]) -> None:
        """Show these tasks and no others."""
        self._tasks = tasks
        keys = {task.key for task in tasks}
        for key in [k for k in self._bars if k not in keys]:
            bar = self._bars.pop(key)
            self._column.removeWidget(bar)
            bar.hide()
            bar.deleteLater()
        for task in tasks:
            if task.key in self._bars:
                self._bars[task.key].show_task(task)
            elif not self._patience.isActive():
                self._patience.start()
        if not self._bars:
            self.hide()

    def _add_new(self) -> None:
        for task in self._tasks:
            if task.key not in self._bars:
                bar = TaskBar(task, self)
                bar.cancelAsked.connect(self.cancelAsked)
                self._bars[task.key] = bar
                self._column.addWidget(bar)
        self.setVisible(bool(self._bars))
        self.shown.emit()


class StatusStrip(QWidget):
    """Implements :class:`napari_cytosynth.app.views.StatusView`."""

    annotatorGiven = Signal(str)
    cancelAsked = Signal(str)
    undoAsked = Signal()
    redoAsked = Signal()
    scaleAsked = Signal()
    mapAsked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.undo = _tool("Undo", "Ctrl+Z")
        self.redo = _tool("Redo", "Ctrl+Y")
        self.annotator = _tool("Annotator?", "Who labels. Click to change.")
        self.keys = _tool("Keys", KEYS)
        self.map = _tool("Map", "Show all cells on a map: alike ones lie together")
        self.scale = _tool("", "")
        self.scale.setObjectName("scale")
        self.scale.hide()
        self.line = ElidedLabel(self)
        self.message = ElidedLabel(self)
        self.message.setObjectName("message")
        self.notice = QLabel(NOTICE, self)
        self.notice.setObjectName("notice")
        self.tasks = TaskBars(self)
        self._lay_out()
        self.undo.clicked.connect(lambda: self.undoAsked.emit())
        self.redo.clicked.connect(lambda: self.redoAsked.emit())
        self.annotator.clicked.connect(self.ask_annotator)
        self.keys.clicked.connect(self._show_keys)
        self.map.clicked.connect(lambda: self.mapAsked.emit())
        self.scale.clicked.connect(lambda: self.scaleAsked.emit())
        self.tasks.cancelAsked.connect(self.cancelAsked)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        steps = (self.undo, self.redo, self.keys, self.map)
        for button in (*steps, self.annotator, self.scale):
            row.addWidget(button)
        row.addWidget(self.line, 2)
        row.addWidget(self.message, 3)
        row.addWidget(self.notice)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 2, 8, 4)
        column.setSpacing(3)
        column.addWidget(self.tasks)
        column.addLayout(row)

    def _show_keys(self) -> None:
        corner = self.keys.mapToGlobal(QPoint(0, 0))
        QToolTip.showText(corner, KEYS, self.keys)

    def ask_annotator(self, *_: object) -> None:
        """Ask for the annotator's name; does not block the caller."""
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Who labels?")
        dialog.setLabelText("Your name or initials; every label is stamped with it:")
        dialog.textValueSelected.connect(
            lambda name: self.annotatorGiven.emit(name.strip())
        )
        dialog.open()

    def show_status(self, line: StatusLine) -> None:
        """Show who labels, how much is labelled, and what undo would do."""
        self.annotator.setText(line.annotator or "Annotator?")
        model = f"model {line.model[:8]}" if line.model else "no model yet"
        # Names may be long, and are what can be done without.
        done = f"{line.labelled} of {line.cells} cells labelled"
        pace = "" if line.pace is None else f",  {line.pace:.0f} a minute"
        self.line.show_text(f"{done}{pace},  {model}:  {line.project}")
        self._show_scale(line)
        for button, what, keys in (
            (self.undo, line.undo, "Ctrl+Z"),
            (self.redo, line.redo, "Ctrl+Y"),
        ):
            button.setEnabled(bool(what))
            button.setToolTip(f"{button.text()} {what}  ({keys})" if what else keys)

    def _show_scale(self, line: StatusLine) -> None:
        """Show the pixel size; an unsure one bears a question mark and its colour."""
        self.scale.setVisible(bool(line.scale))
        size = line.scale.partition(",")[0]
        self.scale.setText(f"{size} ?" if line.unsure else size)
        self.scale.setToolTip(f"Pixel size: {line.scale}. Click to correct it.")
        self.scale.setAccessibleName(self.scale.toolTip())
        if self.scale.property("unsure") != line.unsure:
            self.scale.setProperty("unsure", line.unsure)
            self.scale.style().unpolish(self.scale)
            self.scale.style().polish(self.scale)

    def show_tasks(self, tasks: tuple[TaskStatus, ...]) -> None:
        """Show what runs, with Cancel; fills stand beside their form already."""
        self.tasks.show_tasks(
            tuple(task for task in tasks if not task.key.startswith("fill:"))
        )

    def show_message(self, sentence: str) -> None:
        """Tell something that went well."""
        self.message.setProperty("failed", False)
        self.message.show_text(sentence)

    def show_failure(self, sentence: str) -> None:
        """Tell something that failed, here and as napari tells errors."""
        self.message.setProperty("failed", True)
        self.message.show_text(sentence)
        show_error(sentence)


def _tool(text: str, hint: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(hint)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    return button
