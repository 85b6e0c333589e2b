"""Open a project in napari.

Example: cytosynth open smears.cytosynth
"""

from __future__ import annotations

from napari_cytosynth.cli.project import Annotator, BreakLock, ProjectPath, author_of


def run(
    path: ProjectPath, annotator: Annotator = "", break_lock: BreakLock = False
) -> None:
    """Open the window and return when it is closed."""
    from napari_cytosynth.cli.display import demand_display

    demand_display()
    from napari_cytosynth._gui.launch import open_window

    open_window(path, annotator=author_of(annotator).annotator, break_lock=break_lock)
