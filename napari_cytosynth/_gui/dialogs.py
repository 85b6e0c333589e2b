"""What is done seldom: add smears, find cells, import, export; forms from workflows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.adding import AddDialog
from napari_cytosynth._gui.forms import Form, form_of, take_comma, values_of
from napari_cytosynth.app.exchange import MODELS, ExportForm
from napari_cytosynth.app.session import Session
from napari_cytosynth.core import registry
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.records import DATASETS
from napari_cytosynth.core.smear import PLAUSIBLE_MPP

FOLDER_FORMATS = ("voc", "yolo", MODELS, *DATASETS)
"""Formats that are a folder of files, and not one file."""

QUESTIONS = {
    "adapter": "Generators that learned from the cells of this project's patients can "
    "paint cells that look like theirs. May they leave this project?",
    "real": "The labelled real cells are pictures of cells of patients. They leave "
    "without names, dates, tags or order, but they are pictures. May they leave this "
    "project?",
}
"""Asked before what is of patients leaves."""

ANEW = "Look for its cells anew"
ANEW_HINT = (
    "Cells that you labelled, drew or remarked on stay; the others go, and those found "
    "at the new pixel size come. Undo brings them back."
)

SHARES_TITLE = "What balanced deals, in parts of a hundred cards"
SHARES = {
    "uncertain": ("Uncertain", "Two classes claim the cell almost alike."),
    "rare": ("Rare", "It likely belongs to a class with too few labels."),
    "novel": ("Novel", "No labelled class explains it: perhaps one without a name."),
    "typical": ("Typical", "An ordinary cell of its kind, as at the very start."),
}
"""Name and explanation of each part, in the order in which they are asked for."""

MAPPING_HINT = (
    "Their class names and yours, where they differ: Seg=NGS, Blast=MYB. "
    "Nothing behind = leaves that class out."
)


LICENCE_HINT = (
    "Address of the terms, such as https://creativecommons.org/licenses/by/4.0/. "
    "Without one the data set says that others may not use it."
)


_WITH = {
    "include_synthetic": registry.names("formats"),
    "include_adapter": (MODELS,),
    "real": DATASETS,
    "licence": DATASETS,
    "creator": DATASETS,
}
"""What goes along with which formats."""


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
        self.setMinimumWidth(480)
        column = QVBoxLayout(self)
        column.addWidget(form.native)
        column.addWidget(buttons)
        self.confirm = buttons.button(QDialogButtonBox.StandardButton.Ok)
        form.changed.connect(self._check)
        self._check()
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.accepted.connect(lambda: done(values_of(form)))

    def _check(self, *_: object) -> None:
        """Allow OK once a file is named, where the form asks for one."""
        self.confirm.setEnabled(Path() not in values_of(self.form).values())


class Dialogs:
    """Opens one form at a time.

    Parameters
    ----------
    session : Session
        Does what a confirmed form asks.
    parent : QWidget
        The forms' parent.
    after : callable
        Called when a form is closed, whatever its answer.
    """

    def __init__(
        self, session: Session, parent: QWidget, after: Callable[[], object]
    ) -> None:
        self._session, self._parent, self._after = session, parent, after
        self._open: dict[str, Callable[[], object]] = {
            "add": self.add_smears,
            "find": self.find_cells,
            "scale": self.change_scale,
            "stain": self.choose_stain,
            "shares": self.set_shares,
            "import": self.import_labels,
            "export": self.export_labels,
            "blinded": self.blinded_test,
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
        dialog = AddDialog(self._parent)
        dialog.smearsChosen.connect(self._session.open_smears)
        self._show(dialog)

    def find_cells(self) -> None:
        """Ask which smear, which detector, and whether cells found before go."""
        smears = self._session.project.smears()
        if not smears:
            self._session.state.say("There is no smear yet. Add one first.")
            return
        choices = [(f"{s.id}  {Path(s.uri).name}", s.id) for s in smears]
        form = form_of(
            self._session.find_cells,
            ("smear", "detector", "anew"),
            choices={"smear": choices, "detector": registry.names("detectors")},
            options={"anew": {"label": ANEW, "tooltip": ANEW_HINT}},
        )
        if self._session.state.smear is not None:
            form["smear"].value = self._session.state.smear
        self._ask("Find cells", form, lambda c: self._session.find_cells(**c))

    def change_scale(self) -> None:
        """Ask for the pixel size of the smear shown, and whether to look anew."""
        session = self._session
        smear = session.state.smear
        if smear is None:
            session.state.say("There is no smear yet. Add one first.")
            return
        form = form_of(
            session.change_scale,
            ("mpp", "anew"),
            options={
                "mpp": {
                    "label": "Micrometres a pixel",
                    "tooltip": f"Now: {session.scaling.words(smear)}.",
                    "min": PLAUSIBLE_MPP[0],
                    "max": PLAUSIBLE_MPP[1],
                    "step": 0.001,
                },
                "anew": {"label": ANEW, "tooltip": ANEW_HINT},
            },
        )
        form["mpp"].value, form["anew"].value = session.smears.mpp(smear), True
        take_comma(form["mpp"].native)
        name = Path(session.smears.record(smear).uri).name
        title = f"Pixel size of {name}: {session.scaling.words(smear)}"
        self._ask(title, form, lambda c: session.change_scale(smear, **c))

    def choose_stain(self) -> None:
        """Ask in which smear's stain all are shown."""
        smears, state = self._session.project.smears(), self._session.state
        if len(smears) < 2:
            state.say("A second smear is needed, whose stain is taken. Add one first.")
            return
        choices = [("as they were scanned", 0)]
        choices += [(f"{s.id}  {Path(s.uri).name}", int(s.id)) for s in smears]
        form = form_of(
            self._session.stains.choose,
            ("reference",),
            choices={"reference": choices},
            options={"reference": {"label": "Show smears in the stain of"}},
        )
        form["reference"].value = int(state.stain or 0)
        self._ask("Stain, for looking only", form, self._choose_stain)

    def _choose_stain(self, chosen: dict[str, Any]) -> None:
        reference = int(chosen["reference"])
        self._session.stains.choose(SmearId(reference) if reference else None)

    def set_shares(self) -> None:
        """Ask what part of its cards *balanced* deals to what."""
        session = self._session
        form = form_of(
            session.set_shares,
            tuple(SHARES),
            options={
                name: {"label": label, "tooltip": hint, "min": 0, "max": 100, "step": 1}
                for name, (label, hint) in SHARES.items()
            },
        )
        now = session.state.shares.parts() if session.state.shares else {}
        for name, part in now.items():
            form[name].value = round(100 * part / sum(now.values()), 1)
            take_comma(form[name].native)
        self._ask(SHARES_TITLE, form, lambda c: session.set_shares(**c))

    def import_labels(self) -> None:
        """Ask for a file or folder of labels, its format, and how it is taken in."""
        form = _file_form(self._session.import_labels, "r", "mapping", "replace_labels")
        form["mapping"].native.setPlaceholderText("Only where they differ: Seg=NGS")
        self._ask("Import labels", form, lambda c: self._session.import_labels(**c))

    def export_labels(self) -> None:
        """Ask for a target, a format, and what goes along."""
        form = _file_form(ExportForm, "w", *_WITH)

        def follow(chosen: str) -> None:
            for name, formats in _WITH.items():
                form[name].enabled = chosen in formats

        form["format"].changed.connect(follow)
        follow(form["format"].value)
        title = "Export labels, generators or a data set"
        self._ask(title, form, lambda c: self._export(ExportForm(**c)))

    def _export(self, asked: ExportForm) -> None:
        """Export at once, but ask before what is of patients leaves."""
        if not asked.of_patients:
            self._session.export(asked)
            return
        box = QMessageBox(self._parent)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Patients' cells")
        box.setText(QUESTIONS[asked.of_patients])
        yes = QMessageBox.StandardButton.Yes
        box.setStandardButtons(yes | QMessageBox.StandardButton.No)
        box.setDefaultButton(QMessageBox.StandardButton.No)
        box.button(yes).clicked.connect(lambda: self._session.export(asked))
        self._show(box)

    def blinded_test(self) -> None:
        """Mix real and synthetic cells, and ask which is which."""
        from napari_cytosynth._gui.blinded import BlindedDialog
        from napari_cytosynth.app.blinded import BlindedPresenter

        dialog = BlindedDialog(self._parent)
        presenter = BlindedPresenter(self._session, dialog)
        dialog.presenter = presenter
        dialog.finished.connect(lambda _result: presenter.close())
        self._show(dialog)

    def _ask(
        self, title: str, form: Form, done: Callable[[dict[str, Any]], object]
    ) -> None:
        self._show(FormDialog(title, form, done, self._parent))

    def _show(self, dialog: QDialog) -> None:
        self.close()
        self.shown = dialog
        dialog.finished.connect(lambda _result: self._forget(dialog))
        dialog.open()

    def _forget(self, dialog: QDialog) -> None:
        """Go back to the window, unless this dialog's answer opened another."""
        if self.shown is dialog:
            self.shown = None
            self._after()


def _file_form(command: Callable[..., Any], mode: str, *more: str) -> Form:
    """Build a form whose path is a file or a folder, as the format chosen has it."""
    extra = (MODELS, *DATASETS) if "include_adapter" in more else ()
    form = form_of(
        command,
        ("format", "path", *more),
        choices={"format": (*registry.names("formats"), *extra)},
        options={
            "path": {"mode": mode, "label": "File"},
            "mapping": {"label": "Class names", "tooltip": MAPPING_HINT},
            "replace_labels": {"label": "Relabel cells that have another label"},
            "include_synthetic": {"label": "Add accepted synthetic cells, flagged"},
            "include_adapter": {"label": "Also those that learned patients' cells"},
            "real": {"label": "Add labelled real cells, under pseudonyms"},
            "licence": {"label": "Licence", "tooltip": LICENCE_HINT},
            "creator": {"label": "Given by", "tooltip": "Person or institution."},
        },
    )

    def follow(chosen: str) -> None:
        folder = chosen in FOLDER_FORMATS
        form["path"].mode = "d" if folder else mode
        form["path"].label = "Folder" if folder else "File"

    form["format"].changed.connect(follow)
    follow(form["format"].value)
    return form
