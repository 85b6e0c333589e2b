"""The first page of the plugin's widget: which project, which classes, who labels."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth._gui.elided import ElidedLabel
from napari_cytosynth._gui.settings import Settings
from napari_cytosynth._gui.status import NOTICE
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in

DEFAULT_NAME = "smears.cytosynth"
OPEN = "Open project"


class StartPage(QWidget):
    """Asks for a project; layout and signals only."""

    openAsked = Signal(str, str, str)
    takeOverAsked = Signal(str, str, str)

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folder = QLineEdit(str(settings.folder / DEFAULT_NAME), self)
        self.folder.setAccessibleName("Project folder")
        self.whole = ElidedLabel(self, Qt.TextElideMode.ElideMiddle)
        self.whole.setObjectName("muted")
        self.browse = QPushButton("Browse\u2026", self)
        self.taxonomy = QComboBox(self)
        for name in BUILT_IN:
            self.taxonomy.addItem(f"{name}  ({len(built_in(name))} classes)", name)
        self.taxonomy.setPlaceholderText("As the project has them")
        self._wanted = max(0, self.taxonomy.findData(settings.taxonomy))
        self.taxonomy.activated.connect(self._choose)
        self.annotator = QLineEdit(settings.annotator, self)
        self.annotator.setPlaceholderText("Name or initials")
        self.hint = QLabel("", self)
        self.hint.setWordWrap(True)
        self.failure = QLabel("", self)
        self.failure.setWordWrap(True)
        self.failure.setObjectName("warning")
        self.failure.hide()
        self.take_over = QPushButton("", self)
        self.take_over.hide()
        self.open = QPushButton(OPEN, self)
        self.open.setDefault(True)
        self._lay_out()
        self.browse.clicked.connect(self._browse)
        self.open.clicked.connect(self._ask)
        self.take_over.clicked.connect(self._ask_to_take_over)
        self.annotator.returnPressed.connect(self._ask)
        self.folder.textChanged.connect(self._explain)
        self._explain()

    def _lay_out(self) -> None:
        title = QLabel(
            "<b>CytoSynth</b><br>Label the cells that matter; "
            "fill in the rare ones, checked.",
            self,
        )
        title.setWordWrap(True)
        place = QHBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(self.browse)
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        form.addRow("Project", place)
        form.addRow(self.whole)
        form.addRow("Classes", self.taxonomy)
        form.addRow("Annotator", self.annotator)
        notice = QLabel(NOTICE, self)
        notice.setObjectName("notice")
        self.setMinimumWidth(340)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 14, 14, 14)
        column.setSpacing(12)
        column.addWidget(title)
        column.addLayout(form)
        for widget in (self.hint, self.failure, self.take_over, self.open, notice):
            column.addWidget(widget)
        column.addStretch(1)

    def show_failure(self, sentence: str) -> None:
        """Say why the project could not be opened."""
        self.failure.setText(sentence)
        self.failure.setVisible(bool(sentence))
        self.take_over.hide()

    def offer_take_over(self, holder: str) -> None:
        """Offer to open the project although another computer holds it."""
        self.take_over.setText(f"Take over from {holder}")
        self.take_over.setToolTip(
            "Only if it is closed there, or that computer is off for sure: two windows "
            "that write at once damage a project."
        )
        self.take_over.show()

    def _browse(self) -> None:
        dialog = QFileDialog(self, "Project folder", self.folder.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._chosen)
        dialog.open()

    def _chosen(self, path: str) -> None:
        chosen = Path(path)
        is_project = chosen.suffix == ".cytosynth"
        self.folder.setText(str(chosen if is_project else chosen / DEFAULT_NAME))

    def _choose(self, index: int) -> None:
        self._wanted = index

    def _explain(self, *_: object) -> None:
        self.folder.setToolTip(self.folder.text())
        self.whole.show_text(self.folder.text())
        self.take_over.hide()
        there = Path(self.folder.text()).exists()
        self.taxonomy.setEnabled(not there)
        self.taxonomy.setCurrentIndex(-1 if there else self._wanted)
        self.hint.setText(
            "This project is there already and is opened as it was left."
            if there
            else "This project is new; its classes are chosen once."
        )

    def _ask(self) -> None:
        self.show_failure("")
        # The first project of a session loads much; that is seen at once.
        self.open.setText("Opening\u2026")
        self.open.setEnabled(False)
        self.open.repaint()
        try:
            self.openAsked.emit(*self._given())
        finally:
            self.open.setText(OPEN)
            self.open.setEnabled(True)

    def _ask_to_take_over(self) -> None:
        self.show_failure("")
        self.takeOverAsked.emit(*self._given())

    def _given(self) -> tuple[str, str, str]:
        return (
            self.folder.text().strip(),
            self.taxonomy.itemData(self._wanted),
            self.annotator.text().strip(),
        )
