"""The widget that napari offers under Plugins > CytoSynth."""

from __future__ import annotations

from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_cytosynth._gui.launch import (
    holder_elsewhere,
    open_or_create,
    window_for,
)
from napari_cytosynth._gui.main import Window, window_in
from napari_cytosynth._gui.settings import keep_annotator, read_settings
from napari_cytosynth._gui.start import StartPage
from napari_cytosynth._gui.style import style_sheet
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.core.errors import CytoSynthError, ProjectLockedError


class CytoSynthWidget(QWidget):
    """Asks for a project, then shows its classes; the queue is docked below.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.

    Attributes
    ----------
    opened : Window or None
        The session's window, once a project is open.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.opened: Window | None = None
        # napari would put a stretch below a widget that does not want the height.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.setStyleSheet(style_sheet(Colours.of(napari_viewer.theme)))
        self.start: StartPage | None = None
        there = window_in(napari_viewer)
        if there is not None:
            there.bring_forward()
            there.session.state.say("CytoSynth is open in this window already.")
            QTimer.singleShot(0, self._take_off)
            return
        self.start = StartPage(read_settings(), self)
        self.start.openAsked.connect(self.open_project)
        self.start.takeOverAsked.connect(self.take_over)
        self._column.addWidget(self.start)

    def open_project(self, folder: str, taxonomy: str, annotator: str) -> None:
        """Open, or make, the project; a failure is told on the first page."""
        self._open(Path(folder).expanduser(), taxonomy, annotator, break_lock=False)

    def take_over(self, folder: str, taxonomy: str, annotator: str) -> None:
        """Open a project although another computer holds it."""
        self._open(Path(folder).expanduser(), taxonomy, annotator, break_lock=True)

    def _open(
        self, folder: Path, taxonomy: str, annotator: str, *, break_lock: bool
    ) -> None:
        project = None
        try:
            project = open_or_create(folder, taxonomy, break_lock=break_lock)
            self.opened = window_for(self._viewer, project, annotator=annotator)
        except (CytoSynthError, OSError) as error:
            if project is not None:
                project.close()
            self._tell(folder, error)
            return
        keep_annotator(annotator)
        self._drop_start()
        self._column.addWidget(self.opened.docks.right)
        self.opened.show(host=self)

    def _tell(self, folder: Path, error: Exception) -> None:
        """Say what failed; a lock of another computer can be taken over."""
        if self.start is None:
            return
        self.start.show_failure(str(error))
        holder = holder_elsewhere(folder)
        if isinstance(error, ProjectLockedError) and holder:
            self.start.offer_take_over(holder)

    def _take_off(self) -> None:
        """Leave again: napari docks what it made, though there is nothing to ask."""
        self._viewer.window.remove_dock_widget(self)
        self.deleteLater()

    def _drop_start(self) -> None:
        if self.start is not None:
            self._column.removeWidget(self.start)
            self.start.hide()
            self.start.deleteLater()
            self.start = None
