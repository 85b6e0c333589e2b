"""Puts one window together: session, presenters, docks, canvas; and takes it apart."""

from __future__ import annotations

import logging
from typing import cast

from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_cytosynth._gui.activity import Activity
from napari_cytosynth._gui.adopt import DropTap, LayerTap, canvas_parent
from napari_cytosynth._gui.canvas import CanvasAdapter
from napari_cytosynth._gui.dialogs import Dialogs
from napari_cytosynth._gui.docking import Docking
from napari_cytosynth._gui.docks import Column, Docks
from napari_cytosynth._gui.heartbeat import Heartbeat
from napari_cytosynth._gui.mapdock import MapDock
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
    map : MapDock
        The map of cells, once it was asked for.
    heartbeat : Heartbeat
        Longest block of the window.
    """

    closed = Signal()

    def __init__(self, viewer: Viewer, session: Session, runner: QtRunner) -> None:
        super().__init__()
        self.viewer, self.session, self._runner = viewer, session, runner
        self.canvas = CanvasAdapter(viewer, self)
        self.docks = Docks(self.canvas, viewer.theme)
        self.docks.below.owner = self
        self._docking = Docking(viewer, self.docks, self)
        self.map = MapDock(viewer, session, self)
        self.heartbeat, self._turns = Heartbeat(self), QuickTurns()
        # mypy takes the protocol's members as settable, and so as invariant.
        views = cast("Views", self.docks.panels)
        self.presenters: Presenters | None = present(session, views)
        self.dialogs = Dialogs(session, self.docks.right, self._back_to_queue)
        self._activity = Activity(runner, session.jobs.cancel)
        self._drops = DropTap(session.open_smears, self)
        self._closing = False
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
        panels.annotate.sharesAsked.connect(lambda: self.dialogs.open("shares"))
        panels.review.blindedAsked.connect(lambda: self.dialogs.open("blinded"))
        panels.status.mapAsked.connect(self.open_map)
        panels.status.scaleAsked.connect(lambda: self.dialogs.open("scale"))
        self.session.events.tab.connect(self._on_tab)
        self.session.events.annotator.connect(keep_annotator)
        self.session.events.failed.connect(self._on_failed)
        self.viewer.events.theme.connect(self._on_theme)
        self._docking.gone.connect(self.close)

    def show(self, host: QWidget | None = None) -> None:
        """Dock the widgets, begin the session, give the keyboard to the queue.

        Parameters
        ----------
        host : QWidget, optional
            Holds the class list already; without one it gets a dock of its own.
        """
        self._docking.put(host)
        main = self._docking.main
        if main is not None:
            self._drops.watch(self.docks.below, self.docks.right)
            canvas = canvas_parent(main)
            if canvas is not None:
                self._drops.watch(canvas)
        self.canvas.warm()
        self._turns.begin()
        self.session.start()
        self._layers = LayerTap(self.viewer, self._take_layers, self.canvas.adopt)
        self.heartbeat.start()
        QTimer.singleShot(0, self._back_to_queue)

    def bring_forward(self) -> None:
        """Show the docks, and give the keyboard to the queue."""
        self._docking.bring_forward()
        self._back_to_queue()

    def open_map(self) -> None:
        """Show the map of cells, which is made at the first time."""
        if self.presenters is not None and not self._closing:
            self.map.open(self.presenters.annotate.keyboard, self._docking.right)

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
        self.map.close()
        self.session.close()
        self._runner.close(CLOSE_SECONDS)
        self.dialogs.close()
        self.canvas.close()
        self.presenters = None
        self._docking.take_off()
        self.closed.emit()

    def _take_layers(self, uris: list[str]) -> None:
        """Open what came as layers; with them went what was selected, and the keys."""
        self.session.open_smears(uris)
        self.canvas.select()
        self._back_to_queue()

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
        self.map.show_theme(self.viewer.theme)


def build(viewer: Viewer, session: Session, runner: QtRunner) -> Window:
    """Bind a session to a viewer; ``show()`` the result."""
    return Window(viewer, session, runner)


def window_in(viewer: Viewer) -> Window | None:
    """Return the window that a viewer holds, or None."""
    for there in viewer.window.dock_widgets.values():
        if isinstance(there, Column) and isinstance(there.owner, Window):
            return there.owner
    return None
