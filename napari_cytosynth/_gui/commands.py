"""Commands in napari's menus and command palette."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtWidgets import QDockWidget

from napari_cytosynth._gui.settings import PLUGIN
from napari_cytosynth._gui.widget import CytoSynthWidget

_WIDGET = "CytoSynth"


def label_cells(viewer: Viewer) -> None:
    """Open the docks."""
    _opened(viewer)


def find_cells(viewer: Viewer) -> None:
    """Open the docks and, in an open project, the form *Find cells*."""
    widget = _opened(viewer)
    if widget.opened is not None:
        widget.opened.dialogs.open("find")


def fill_class(viewer: Viewer) -> None:
    """Open the docks and, in an open project, *Fill* for the rarest class."""
    widget = _opened(viewer)
    if widget.opened is not None:
        session = widget.opened.session
        rows = [row for row in session.state.classes if row.can_fill]
        session.ask_fill(min(rows, key=lambda row: row.labelled).code)


def _opened(viewer: Viewer) -> CytoSynthWidget:
    # napari's menu docks it under another name than its function does.
    for there in viewer.window.dock_widgets.values():
        if isinstance(there, CytoSynthWidget):
            dock = there.parentWidget()
            (dock if isinstance(dock, QDockWidget) else there).show()
            return there
    widget: CytoSynthWidget
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, _WIDGET)
    return widget
