"""Takes pictures that are dropped, or opened as layers, into the open project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_cytosynth._gui.reader import SMEAR_KEY

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".zarr", ".svs", ".ndpi")

_DROPS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)

Take = Callable[[list[str]], None]


class DropTap(QObject):
    """Takes picture files that are dropped on the window; leaves the rest to napari."""

    def __init__(self, take: Take, parent: QObject) -> None:
        super().__init__(parent)
        self._take = take
        self._watched: list[QWidget] = []

    def watch(self, *widgets: QWidget) -> None:
        """Look at drops on these widgets, and on napari's canvas beside them."""
        for widget in widgets:
            widget.setAcceptDrops(True)
            widget.installEventFilter(self)
            self._watched.append(widget)

    def release(self) -> None:
        """Look at drops no longer."""
        for widget in self._watched:
            widget.removeEventFilter(self)
        self._watched.clear()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take drops of pictures only."""
        kind = event.type()
        if kind not in _DROPS:
            return False
        paths = pictures_of(event)
        if not paths:
            return False
        event.acceptProposedAction()
        if kind == QEvent.Type.Drop:
            # The dragging program waits until this event returns.
            QTimer.singleShot(0, lambda: self._take(paths))
        return True


def pictures_of(event: QDropEvent) -> list[str]:
    """Return the dropped files if all are pictures; else nothing."""
    urls = event.mimeData().urls() if event.mimeData() is not None else []
    paths = [str(Path(u.toLocalFile())) for u in urls if u.isLocalFile()]
    fits = all(Path(p).suffix.lower() in PICTURES for p in paths)
    return paths if paths and fits and len(paths) == len(urls) else []


def canvas_parent(window: QMainWindow) -> QWidget | None:
    """Return napari's widget that takes drops on the canvas."""
    for widget in window.findChildren(QWidget):
        if type(widget).__name__ == "QtViewer":
            return widget
    return None


def canvas_widget(window: QMainWindow) -> QWidget | None:
    """Return the native widget of napari's canvas, which gets its keys and clicks."""
    parent = canvas_parent(window)
    for widget in [] if parent is None else parent.findChildren(QWidget):
        if "CanvasBackend" in type(widget).__name__:
            return widget
    return None


class LayerTap:
    """Takes over smears that our reader or the sample put into the viewer as layers.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they appear.
    take : callable
        Told their uris.
    adopt : callable
        Offered each layer; False leaves it to be removed.
    """

    def __init__(
        self, viewer: Viewer, take: Take, adopt: Callable[[Layer], bool]
    ) -> None:
        self._viewer, self._take, self._offer = viewer, take, adopt
        viewer.layers.events.inserted.connect(self._inserted)
        self._adopt()

    def release(self) -> None:
        """Take over no more."""
        self._viewer.layers.events.inserted.disconnect(self._inserted)

    def _inserted(self, _event: object = None) -> None:
        # napari is in the middle of adding it: remove it once that is done.
        QTimer.singleShot(0, self._adopt)

    def _adopt(self) -> None:
        found = [x for x in self._viewer.layers if SMEAR_KEY in x.metadata]
        uris = [str(layer.metadata.pop(SMEAR_KEY)) for layer in found]
        for layer in found:
            if not self._offer(layer):
                self._viewer.layers.remove(layer)
        if uris:
            self._take(uris)
