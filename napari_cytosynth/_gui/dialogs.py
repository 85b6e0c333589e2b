"""What is done seldom: add smears, find cells, import, export; forms from workflows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QVBoxLayout, QWidget

from napari_cytosynth._gui.forms import Form, form_of, values_of
from napari_cytosynth.app.session import Session
from napari_cytosynth.core import registry

ADD_TITLE = "Add smears (drag OME-Zarr folders into the window)"
PICTURE_FILTER = "Smears (*.png *.jpg *.jpeg *.tif *.tiff *.bmp *.svs *.ndpi);;All (*)"


class FormDialog(QDialog):
    """A magicgui form with OK and Cancel; does not block."""

    def __init__(
        self,
        title: str,
        form: Form,
        done: Callable[[dict[str, Any]], object],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.form = form
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        column = QVBoxLayout(self)
        column.addWidget(form.native)
        column.addWidget(buttons)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.accepted.connect(lambda: done(values_of(form)))


class Dialogs:
    """Opens one form at a time.

    Parameters
    ----------
    session : Session
        Does what a confirmed form asks.
    parent : QWidget
        The forms' parent.
    """

    def __init__(self, session: Session, parent: QWidget) -> None:
        self._session, self._parent = session, parent
        self._open: dict[str, Callable[[], object]] = {
            "add": self.add_smears,
            "find": self.find_cells,
            "import": self.import_labels,
            "export": self.export_labels,
        }
        self.shown: QDialog | None = None

    def open(self, key: str) -> None:
        """Open the form of this name."""
        self._open[key]()

    def close(self) -> None:
        """Take an open form away."""
        if self.shown is not None:
            self.shown.close()
            self.shown = None

    def add_smears(self) -> None:
        """Ask for pictures."""
        dialog = QFileDialog(self._parent, ADD_TITLE, "", PICTURE_FILTER)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._session.open_smears)
        self._show(dialog)

    def find_cells(self) -> None:
        """Ask which smear and which detector."""
        from napari_cytosynth.workflows.detect import find_cells

        smears = self._session.project.smears()
        if not smears:
            self._session.state.say("There is no smear yet. Add one first.")
            return
        choices = [(f"{s.id}  {Path(s.uri).name}", s.id) for s in smears]
        form = form_of(
            find_cells,
            ("smear_id", "detector"),
            choices={
                "smear_id": choices,
                "detector": registry.names("detectors"),
            },
            options={"smear_id": {"label": "Smear"}},
        )
        if self._session.state.smear is not None:
            form["smear_id"].value = self._session.state.smear
        self._ask("Find cells", form, self._find)

    def _find(self, chosen: dict[str, Any]) -> None:
        self._session.find_cells(chosen["smear_id"], detector=chosen["detector"])

    def import_labels(self) -> None:
        """Ask for a file of labels and its format."""
        from napari_cytosynth.workflows.exchange import import_labels

        form = _file_form(import_labels, "r")
        self._ask("Import labels", form, lambda c: self._session.import_labels(**c))

    def export_labels(self) -> None:
        """Ask for a target, a format, and whether synthetic cells go along."""
        from napari_cytosynth.workflows.exchange import export_labels

        form = _file_form(export_labels, "w", "include_synthetic")
        self._ask("Export labels", form, lambda c: self._session.export_labels(**c))

    def _ask(
        self, title: str, form: Form, done: Callable[[dict[str, Any]], object]
    ) -> None:
        self._show(FormDialog(title, form, done, self._parent))

    def _show(self, dialog: QDialog) -> None:
        self.close()
        self.shown = dialog
        dialog.finished.connect(self._forget)
        dialog.open()

    def _forget(self, _result: int) -> None:
        self.shown = None


def _file_form(workflow: Callable[..., Any], mode: str, *more: str) -> Form:
    return form_of(
        workflow,
        ("path", "format", *more),
        choices={"format": registry.names("formats")},
        options={"path": {"mode": mode, "label": "File or folder"}},
    )
