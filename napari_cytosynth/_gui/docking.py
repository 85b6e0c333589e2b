"""Puts our widgets into napari's docks, and takes them off again."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_cytosynth._gui.docks import Docks

BELOW_HEIGHT = 330
CLASSES_DOCK = "CytoSynth classes"
QUEUE_DOCK = "CytoSynth queue"


def take_off(viewer: Viewer, widget: QWidget) -> None:
    """Take a widget out of its dock, and delete it."""
    try:
        viewer.window.remove_dock_widget(widget)
    except (LookupError, RuntimeError, AttributeError):
        # It was taken off by hand, or the whole window is gone already: when it quits,
        # napari lets go of its own window before that is hidden.
        widget.hide()
    widget.deleteLater()


class Docking(QObject):
    """The docks of one session in one viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window gets the docks.
    docks : Docks
        The widgets.
    parent : QObject
        Owns this.
    """

    gone = Signal()
    """The user took a dock off, or the window is closing."""

    def __init__(self, viewer: Viewer, docks: Docks, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._docks = viewer, docks
        self._hosts: list[QWidget] = []

    @property
    def main(self) -> QMainWindow | None:
        """The window, as Qt knows it; napari hands plugins a proxy of it."""
        main = self._docks.below.window()
        return main if isinstance(main, QMainWindow) else None

    @property
    def right(self) -> QWidget:
        """What is docked on the right."""
        return self._hosts[1] if self._hosts else self._docks.right

    def put(self, host: QWidget | None = None) -> None:
        """Dock the widgets.

        Parameters
        ----------
        host : QWidget, optional
            Holds the class list already; without one it gets a dock of its own.
        """
        self._hosts = [self._docks.below, host or self._docks.right]
        if host is None:
            self._add(self._docks.right, CLASSES_DOCK, "right")
        self._add(self._docks.below, QUEUE_DOCK, "bottom")
        for widget in self._hosts:
            widget.installEventFilter(self)
        main, below = self.main, self._docks.below.parentWidget()
        if main is not None and isinstance(below, QDockWidget):
            main.resizeDocks([below], [BELOW_HEIGHT], Qt.Orientation.Vertical)
            main.installEventFilter(self)

    def _add(self, widget: QWidget, name: str, area: str) -> None:
        self._viewer.window.add_dock_widget(
            widget, name=name, area=area, add_vertical_stretch=False
        )

    def bring_forward(self) -> None:
        """Show docks that are hidden, or lie behind others."""
        for widget in self._hosts:
            dock = widget.parentWidget()
            if isinstance(dock, QDockWidget):
                dock.show()
                dock.raise_()

    def take_off(self) -> None:
        """Leave the window as it was."""
        for widget in self._hosts:
            widget.removeEventFilter(self)
            take_off(self._viewer, widget)
        self._docks.right.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tell that the window closes, or that the user took a dock off."""
        off = event.type() == QEvent.Type.ParentChange and (
            isinstance(watched, QWidget) and watched.parent() is None
        )
        hidden = (
            event.type() == QEvent.Type.Hide
            and isinstance(watched, QMainWindow)
            and not event.spontaneous()
        )
        if hidden:
            self.gone.emit()
        elif off:
            QTimer.singleShot(0, self.gone.emit)
        return False
