"""The dock of the map: made when somebody asks for it, gone when it is closed."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QWidget

from napari_cytosynth._gui.docking import take_off
from napari_cytosynth._gui.map import MapWidget
from napari_cytosynth._gui.style import style_sheet
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.keys import Keyboard
from napari_cytosynth.app.map import MapPresenter
from napari_cytosynth.app.session import Session

MAP_DOCK = "CytoSynth map"


class MapDock(QObject):
    """At most one map of a session.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window gets the dock.
    session : Session
        What the map shows.
    parent : QObject
        Owns this.

    Attributes
    ----------
    widget : MapWidget or None
        The map, while it is open.
    """

    def __init__(self, viewer: Viewer, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._session = viewer, session
        self.widget: MapWidget | None = None
        self._presenter: MapPresenter | None = None

    def open(self, keyboard: Keyboard, beside: QWidget) -> None:
        """Show the map, in one place with the dock that holds ``beside``."""
        if self.widget is None:
            self._make(keyboard, beside)
        widget = self.widget
        dock = None if widget is None else widget.parentWidget()
        if widget is not None and isinstance(dock, QDockWidget):
            dock.show()
            dock.raise_()
            widget.setFocus(Qt.FocusReason.OtherFocusReason)

    def _make(self, keyboard: Keyboard, beside: QWidget) -> None:
        widget = self.widget = MapWidget(Colours.of(self._viewer.theme))
        self.show_theme(self._viewer.theme)
        self._presenter = MapPresenter(self._session, widget, keyboard)
        self._viewer.window.add_dock_widget(
            widget, name=MAP_DOCK, area="right", add_vertical_stretch=False
        )
        widget.installEventFilter(self)
        dock, other = widget.parentWidget(), beside.parentWidget()
        main = beside.window()
        if isinstance(dock, QDockWidget) and isinstance(other, QDockWidget):
            main.tabifyDockWidget(other, dock)

    def show_theme(self, theme: str) -> None:
        """Take the colours of another theme."""
        if self.widget is not None:
            colours = Colours.of(theme)
            self.widget.setStyleSheet(style_sheet(colours))
            self.widget.show_colours(colours)

    def close(self) -> None:
        """Take the map off."""
        widget = self._let_go()
        if widget is not None:
            take_off(self._viewer, widget)

    def _let_go(self) -> MapWidget | None:
        widget, self.widget, self._presenter = self.widget, None, None
        if widget is not None:
            widget.removeEventFilter(self)
        return widget

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let go of the map where the user closed its dock."""
        closed = event.type() == QEvent.Type.ParentChange and watched is self.widget
        if closed and watched.parent() is None:
            widget = self._let_go()
            if widget is not None:
                QTimer.singleShot(0, widget.deleteLater)
        return False
