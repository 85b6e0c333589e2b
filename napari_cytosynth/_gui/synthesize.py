"""The *Fill* form below the classes, and the fills that run."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.forms import Form, form_of, values_of
from napari_cytosynth._gui.more import MoreWidget
from napari_cytosynth._gui.status import TaskBars
from napari_cytosynth.app.panels import FillForm, TaskStatus
from napari_cytosynth.core.registry import makes_vectors
from napari_cytosynth.workflows.fill_jobs import Ask

MOST = 1000
_CONFIRM = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class SynthesizeWidget(QFrame):
    """Implements :class:`napari_cytosynth.app.synthetic_views.SynthesizeView`."""

    fillAsked = Signal(str, int, str, object)
    cancelAsked = Signal(str)
    removeAsked = Signal(str)
    formClosed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: FillForm | None = None
        self.form: Form | None = None
        self.title = QLabel("", self)
        self.title.setObjectName("heading")
        self.warning = QLabel("", self)
        self.warning.setObjectName("warning")
        self.outcome = QLabel("", self)
        for label in (self.title, self.warning, self.outcome):
            label.setWordWrap(True)
            label.hide()
        self.more = MoreWidget(self)
        self.start = QPushButton("Make synthetic cells", self)
        self.remove = QPushButton("Remove vectors", self)
        self.leave = QPushButton("Close", self)
        self.bars = TaskBars(self)
        self._lay_out()
        self.start.clicked.connect(self._confirm)
        self.remove.clicked.connect(self._remove)
        self.leave.clicked.connect(self._close_form)
        self.bars.cancelAsked.connect(self.cancelAsked)
        self.bars.shown.connect(self._show_frame)

    def _lay_out(self) -> None:
        self._place = QVBoxLayout()
        self._place.setContentsMargins(0, 0, 0, 0)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start, 1)
        buttons.addWidget(self.remove)
        buttons.addWidget(self.leave)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 6, 10, 6)
        column.setSpacing(6)
        column.addWidget(self.title)
        column.addWidget(self.warning)
        column.addLayout(self._place)
        column.addWidget(self.more)
        column.addLayout(buttons)
        column.addWidget(self.bars)
        column.addWidget(self.outcome)
        self._show_buttons(False)

    def _show_buttons(self, visible: bool) -> None:
        for widget in (self.start, self.leave, self.title):
            widget.setVisible(visible)
        self.more.setVisible(visible and bool(self.more.rows))
        kept = self._shown.vectors if self._shown is not None else 0
        self.remove.setVisible(visible and bool(kept))
        self._show_frame()

    def _show_frame(self) -> None:
        """Hide the empty frame."""
        parts = (self.title, self.bars, self.outcome)
        self.setVisible(not all(part.isHidden() for part in parts))

    def show_form(self, form: FillForm | None) -> None:
        """Show the form for a class, or put it away."""
        if form is None:
            if self.form is not None:
                self._close_form()
            return
        self._clear_form()
        self.outcome.hide()
        self._shown = form
        self.form = form_of(
            Ask,
            ("count", "generator"),
            choices={"generator": form.generators},
            options={
                "count": {"min": 1, "max": MOST, "label": "How many to keep"},
                "generator": {"label": "Generator"},
            },
        )
        self.form["count"].value = form.count
        self._place.addWidget(self.form.native)
        self.form["generator"].changed.connect(self._show_generator)
        self.title.setText(_title(form))
        self._show_generator(str(self.form["generator"].value))
        self._show_buttons(True)
        self.form["count"].native.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_generator(self, generator: str) -> None:
        """Say what the chosen generator makes."""
        form = self._shown
        if form is None:
            return
        self.more.show_settings(form.settings.get(generator, ()))
        makes = "vectors" if makes_vectors(generator) else "cells"
        self.start.setText(f"Make synthetic {makes}")
        self.warning.setText(form.warning_of(generator))
        self.warning.setVisible(bool(form.warning_of(generator)))

    def show_fills(self, fills: tuple[TaskStatus, ...]) -> None:
        """Show running fills, each with progress and Cancel."""
        self.bars.show_tasks(fills)
        self._show_frame()

    def show_outcome(self, text: str) -> None:
        """Say how the last fill ended."""
        self.outcome.setText(text)
        self.outcome.setVisible(bool(text))
        self._show_frame()

    def _confirm(self) -> None:
        if self.form is None or self._shown is None:
            return
        chosen, code = values_of(self.form), self._shown.code
        count, generator = int(chosen["count"]), str(chosen["generator"])
        more = self.more.chosen()
        self._close_form()
        self.fillAsked.emit(code, count, generator, more)

    def _remove(self) -> None:
        if self._shown is not None:
            code = self._shown.code
            self._close_form()
            self.removeAsked.emit(code)

    def _close_form(self) -> None:
        self._clear_form()
        self.warning.hide()
        self._show_buttons(False)
        self.formClosed.emit()

    def _clear_form(self) -> None:
        if self.form is not None:
            self._place.removeWidget(self.form.native)
            self.form.native.hide()
            self.form.native.deleteLater()
            self.form = None

    def keyPressEvent(self, event: QEvent) -> None:
        """Return confirms, Escape leaves."""
        if self.form is not None and event.key() == Qt.Key.Key_Escape:
            self._close_form()
        elif self.form is not None and event.key() in _CONFIRM:
            self._confirm()
        else:
            super().keyPressEvent(event)


def _title(form: FillForm) -> str:
    told = f"Fill {form.code}  {form.name}: {form.real} real cells"
    return f"{told}, {form.vectors} synthetic vectors" if form.vectors else told
