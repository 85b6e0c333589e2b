"""Puts one window together: session, presenters, docks, canvas; and takes it apart."""

from __future__ import annotations

import logging
from typing import cast

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_cytosynth._gui.activity import Activity
from napari_cytosynth._gui.adopt import DropTap, LayerTap, canvas_parent
from napari_cytosynth._gui.canvas import CanvasAdapter
from napari_cytosynth._gui.dialogs import Dialogs
from napari_cytosynth._gui.docks import Docks
from napari_cytosynth._gui.heartbeat import Heartbeat
from napari_cytosynth._gui.runner import QtRunner
from napari_cytosynth._gui.settings import keep_annotator
from napari_cytosynth._gui.turns import QuickTurns
from napari_cytosynth.app.panels import Tab
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.views import Views
from napari_cytosynth.app.window import Presenters, present

_log = logging.getLogger(__name__)

CLOSE_SECONDS = 3.0
"""How long running tasks get to clean up before the backend is closed under them."""

BELOW_HEIGHT = 330
CLASSES_DOCK = "CytoSynth classes"
QUEUE_DOCK = "CytoSynth queue"


class Window(QObject):
    """One session in one napari viewer. Keep it: it owns everything of ours.

    Parameters
    ----------
    viewer : napari.Viewer
        Arrives here and is never looked up.
    session : Session
        Closed by :meth:`close`.
    runner : QtRunner
        The one that ``session`` was given; closed by :meth:`close`.

    Attributes
    ----------
    session : Session
        What is open.
    docks : Docks
        The widgets; ``docks.panels`` are the views.
    heartbeat : Heartbeat
        Longest block of the window.
    """

    closed = Signal()

    def __init__(self, viewer: Viewer, session: Session, runner: QtRunner) -> None:
        super().__init__()
        self.viewer, self.session, self._runner = viewer, session, runner
        self.canvas = CanvasAdapter(viewer, self)
        self.docks = Docks(self.canvas, viewer.theme)
        self.heartbeat, self._turns = Heartbeat(self), QuickTurns()
        # mypy takes the protocol's members as settable, and so as invariant.
        views = cast("Views", self.docks.panels)
        self.presenters: Presenters | None = present(session, views)
        self.dialogs = Dialogs(session, self.docks.right)
        self._activity = Activity(runner, session.jobs.cancel)
        self._drops = DropTap(session.open_smears, self)
        self._closing = False
        self._hosts: list[QWidget] = []
        self._layers: LayerTap | None = None
        self._wire()

    def _wire(self) -> None:
        panels = self.docks.panels
        panels.canvas.clicked.connect(self._back_to_queue)
        panels.canvas.doubleClicked.connect(self._back_to_queue)
        panels.canvas.mosaicClicked.connect(self._back_to_queue)
        panels.classes.keyPressed.connect(self._on_class_key)
        panels.classes.classChosen.connect(self._back_to_queue)
        panels.synthesize.formClosed.connect(self._on_form_closed)
        self.docks.actions.asked.connect(self.dialogs.open)
        panels.status.scaleAsked.connect(lambda: self.dialogs.open("scale"))
        self.session.events.tab.connect(self._on_tab)
        self.session.events.annotator.connect(keep_annotator)
        self.session.events.failed.connect(self._on_failed)
        self.viewer.events.theme.connect(self._on_theme)

    def show(self, host: QWidget | None = None) -> None:
        """Dock the widgets, begin the session, give the keyboard to the queue.

        Parameters
        ----------
        host : QWidget, optional
            Holds the class list already; without one it gets a dock of its own.
        """
        window = self.viewer.window
        self._hosts = [self.docks.below, host or self.docks.right]
        if host is None:
            window.add_dock_widget(
                self.docks.right,
                name=CLASSES_DOCK,
                area="right",
                add_vertical_stretch=False,
            )
        window.add_dock_widget(
            self.docks.below,
            name=QUEUE_DOCK,
            area="bottom",
            add_vertical_stretch=False,
        )
        for widget in self._hosts:
            widget.installEventFilter(self)
        # napari hands plugins proxies of its widgets; Qt knows the real ones.
        main, below = self.docks.below.window(), self.docks.below.parentWidget()
        if isinstance(main, QMainWindow) and isinstance(below, QDockWidget):
            main.resizeDocks([below], [BELOW_HEIGHT], Qt.Orientation.Vertical)
            main.installEventFilter(self)
            self._drops.watch(self.docks.below, self.docks.right)
            canvas = canvas_parent(main)
            if canvas is not None:
                self._drops.watch(canvas)
        self.canvas.warm()
        self._turns.begin()
        self.session.start()
        self._layers = LayerTap(
            self.viewer, self.session.open_smears, self.canvas.adopt
        )
        self.heartbeat.start()
        QTimer.singleShot(0, self._back_to_queue)

    def close(self) -> None:
        """Stop what runs, keep what was finished, leave the viewer as it was."""
        if self._closing:
            return
        self._closing = True
        self.heartbeat.stop()
        self._turns.end()
        self._drops.release()
        if self._layers is not None:
            self._layers.release()
        self.viewer.events.theme.disconnect(self._on_theme)
        if not self._runner.close(CLOSE_SECONDS):
            _log.warning("A task still runs; its backend is closed under it.")
        self._activity.close()
        self.session.close()
        self._runner.close(CLOSE_SECONDS)
        self.dialogs.close()
        self.canvas.close()
        self.presenters = None
        self._take_docks_off()
        self.closed.emit()

    def _take_docks_off(self) -> None:
        for widget in self._hosts:
            widget.removeEventFilter(self)
            try:
                self.viewer.window.remove_dock_widget(widget)
            except (LookupError, RuntimeError):
                # It was taken off by hand, or the whole window is gone already.
                widget.hide()
            widget.deleteLater()
        self.docks.right.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Close with the window, or when the user takes a dock off."""
        gone = event.type() == QEvent.Type.ParentChange and (
            isinstance(watched, QWidget) and watched.parent() is None
        )
        hidden = (
            event.type() == QEvent.Type.Hide
            and isinstance(watched, QMainWindow)
            and not event.spontaneous()
        )
        if hidden:
            self.close()
        elif gone and not self._closing:
            QTimer.singleShot(0, self.close)
        return False

    def _back_to_queue(self, *_: object) -> None:
        if not self._closing:
            self.docks.panels.annotate.take_keys()

    def _on_tab(self, tab: Tab) -> None:
        self.canvas.follow_mosaic(tab is Tab.SYNTHETIC)
        self._back_to_queue()

    def _on_class_key(self, key: str) -> None:
        panels, tab = self.docks.panels, self.session.state.tab
        if tab is Tab.SYNTHETIC:
            panels.review.keyPressed.emit(key)
        elif tab is not Tab.EVIDENCE:
            panels.annotate.keyPressed.emit(key)

    def _on_form_closed(self) -> None:
        self.session.ask_fill("")
        self._back_to_queue()

    def _on_failed(self, sentence: str) -> None:
        _log.warning("%s", sentence)

    def _on_theme(self, event: object) -> None:
        self.docks.show_theme(self.viewer.theme)


def build(viewer: Viewer, session: Session, runner: QtRunner) -> Window:
    """Bind a session to a viewer; ``show()`` the result."""
    return Window(viewer, session, runner)
