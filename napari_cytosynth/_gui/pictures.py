"""Pictures of the real window on a project: ``python -m ... PROJECT FOLDER``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QApplication

from napari_cytosynth._gui.launch import open_window
from napari_cytosynth._gui.main import Window
from napari_cytosynth.app.panels import Tab

SIZE = (1600, 1000)
SETTLE_SECONDS = 1.0
LEARN_SECONDS = 60.0


def spin(seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
    """Let the window work until a condition holds; False if it never did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        if until():
            return True
        time.sleep(0.005)
    return until()


def take(window: Window, path: Path) -> None:
    """Write a picture of the whole window."""
    spin(SETTLE_SECONDS)
    window.viewer.window.screenshot(str(path), canvas_only=False, flash=False)


def main(project: Path, folder: Path) -> None:
    """Open the window, take a picture of each tab, and close it."""
    window = open_window(project, annotator="demo", block=False)
    window.viewer.window.resize(*SIZE)
    try:
        spin(LEARN_SECONDS, lambda: not window.session.state.tasks)
        for tab in Tab:
            window.session.set_tab(tab)
            take(window, folder / f"window-{tab.value.lower()}.png")
    finally:
        window.viewer.close()
        window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
