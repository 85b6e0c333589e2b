"""Commands in napari's menus and command palette."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtWidgets import QDockWidget

from napari_cytosynth._gui.main import Window, window_in
from napari_cytosynth._gui.settings import PLUGIN
from napari_cytosynth._gui.widget import CytoSynthWidget

_WIDGET = "CytoSynth"


def label_cells(viewer: Viewer) -> None:
    """Show the docks of the open project, or the page that asks for one."""
    _opened(viewer)


def show_map(viewer: Viewer) -> None:
    """Show the docks and, in an open project, the map of cells."""
    window = _opened(viewer)
    if window is not None:
        window.open_map()


def find_cells(viewer: Viewer) -> None:
    """Show the docks and, in an open project, the form *Find cells*."""
    window = _opened(viewer)
    if window is not None:
        window.dialogs.open("find")


def fill_class(viewer: Viewer) -> None:
    """Show the docks and, in an open project, *Fill* for the rarest class."""
    window = _opened(viewer)
    if window is not None:
        session = window.session
        rows = [row for row in session.state.classes if row.can_fill]
        session.ask_fill(min(rows, key=lambda row: row.labelled).code)


def _opened(viewer: Viewer) -> Window | None:
    window = window_in(viewer)
    if window is not None:
        window.bring_forward()
        return window
    # napari's menu docks it under another name than its function does.
    for there in viewer.window.dock_widgets.values():
        if isinstance(there, CytoSynthWidget):
            dock = there.parentWidget()
            (dock if isinstance(dock, QDockWidget) else there).show()
            return None
    viewer.window.add_plugin_dock_widget(PLUGIN, _WIDGET)
    return None
