"""The dialog that adds smears: files, OME-Zarr folders, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

PICTURE_FILTER = "Smears (*.png *.jpg *.jpeg *.tif *.tiff *.bmp *.svs *.ndpi);;All (*)"

_GROUP_HINT = (
    "Patient or slide that all of these pictures are of. Pictures of one group are "
    "never parted between training and measuring. Empty: each is its own group."
)


class AddDialog(QDialog):
    """Gathers pictures, then tells them all at once; does not block."""

    smearsChosen = Signal(list, str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Add smears")
        self.setMinimumSize(560, 320)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Pictures to add")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.group = QLineEdit(self)
        self.group.setPlaceholderText("Optional: one patient or slide for all of these")
        self.group.setToolTip(_GROUP_HINT)
        self.files = QPushButton("Files\u2026", self)
        self.folder = QPushButton("OME-Zarr folder\u2026", self)
        self.remove = QPushButton("Remove", self)
        kinds = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(kinds.Ok | kinds.Cancel, self)
        self._lay_out()
        self.files.clicked.connect(self._ask_files)
        self.folder.clicked.connect(self._ask_folder)
        self.remove.clicked.connect(self._remove)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.accepted.connect(self._tell)
        self._follow()

    def _lay_out(self) -> None:
        words = QLabel("PNG, JPEG, TIFF, OME-TIFF files, and OME-Zarr folders.", self)
        words.setObjectName("muted")
        row = QHBoxLayout()
        row.addWidget(self.files)
        row.addWidget(self.folder)
        row.addStretch(1)
        row.addWidget(self.remove)
        form = QFormLayout()
        form.addRow("Patient or slide", self.group)
        column = QVBoxLayout(self)
        column.addWidget(words)
        column.addWidget(self.list, 1)
        column.addLayout(row)
        column.addLayout(form)
        column.addWidget(self.buttons)

    def take(self, paths: Iterable[str]) -> None:
        """Put pictures on the list, each once."""
        known = set(self.paths)
        for path in dict.fromkeys(paths):
            if path not in known:
                self.list.addItem(path)
                self.list.item(self.list.count() - 1).setToolTip(path)
        self._follow()

    @property
    def paths(self) -> list[str]:
        """The pictures chosen so far."""
        return [self.list.item(i).text() for i in range(self.list.count())]

    def _ask_files(self) -> None:
        dialog = QFileDialog(self, "Pictures", "", PICTURE_FILTER)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.take)
        dialog.open()

    def _ask_folder(self) -> None:
        dialog = QFileDialog(self, "OME-Zarr folder")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.filesSelected.connect(self.take)
        dialog.open()

    def _remove(self) -> None:
        for item in self.list.selectedItems():
            self.list.takeItem(self.list.row(item))
        self._follow()

    def _follow(self) -> None:
        some = self.list.count() > 0
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(some)
        self.remove.setEnabled(some)

    def _tell(self) -> None:
        self.smearsChosen.emit(self.paths, self.group.text().strip())
