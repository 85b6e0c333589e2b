"""Hands at the real window: keys, clicks, drops and pictures, as a person does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from napari.viewer import Viewer
from PIL import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_cytosynth._gui.adopt import canvas_parent, canvas_widget
from napari_cytosynth._gui.classlist import FILL
from napari_cytosynth._gui.heartbeat import Heartbeat
from napari_cytosynth._gui.launch import open_or_create, window_for
from napari_cytosynth._gui.main import Window
from napari_cytosynth._gui.pictures import spin
from napari_cytosynth.app.panels import Tab
from napari_cytosynth.core.project import Project
from napari_cytosynth.worker import WorkerProcess

SIZE = (1600, 1000)
PATIENCE = 900.0

log = logging.getLogger("drive")


def wait(what: str, until: Callable[[], bool]) -> None:
    """Let the window work until something holds."""
    assert spin(PATIENCE, until), f"{what} did not happen within {PATIENCE:.0f} s"


def picture_of(window: Window, path: Path) -> None:
    """Keep a picture of the whole window, once it is painted."""
    spin(1.0)
    shot = window.viewer.window.screenshot(canvas_only=False, flash=False)
    Image.fromarray(shot[..., :3]).save(path, quality=82)


@contextmanager
def window_on(project: Project, reader: str) -> Iterator[Window]:
    """Open a window on a project, and close it."""
    viewer = Viewer(title="CytoSynth")
    viewer.window.resize(*SIZE)
    window = window_for(viewer, project, annotator=reader)
    window.show()
    yield window
    viewer.close()
    window.close()


class Hands:
    """What a person at the window can do.

    Parameters
    ----------
    project : Path
        Folder of the project; made if it is not there.
    images : Path
        Where pictures of the window go.

    Attributes
    ----------
    longest : dict of str to float
        Seconds that the window stood still at most before each picture.
    """

    def __init__(self, project: Path, images: Path) -> None:
        self.project, self.images = project, images
        self.images.mkdir(parents=True, exist_ok=True)
        self.longest: dict[str, float] = {}
        self.step = 0
        self.open()

    def open(self) -> None:
        """Open the project in a new window."""
        self.viewer = Viewer(title="CytoSynth")
        self.viewer.window.resize(*SIZE)
        project = open_or_create(self.project, "marrow21")
        self.worker = WorkerProcess()
        self.window: Window = window_for(
            self.viewer, project, annotator="driver", compute=self.worker
        )
        self.window.show()
        self.session = self.window.session
        spin(1.0)
        self.window.heartbeat.reset()

    @property
    def grid(self) -> QWidget:
        """The queue."""
        return self.window.docks.panels.annotate.grid

    @property
    def canvas(self) -> QWidget:
        """The native widget of the canvas."""
        found = canvas_widget(self.grid.window())
        assert found is not None
        return found

    def key(self, keys: str) -> None:
        """Press keys in the queue, as a person at the keyboard does."""
        for key in keys:
            QTest.keyClick(self.grid, key)
        spin(0.05)

    def named_key(self, key: Qt.Key, *, ctrl: bool = False) -> None:
        """Press a key that has a name."""
        held = Qt.KeyboardModifier
        modifier = held.ControlModifier if ctrl else held.NoModifier
        QTest.keyClick(self.grid, key, modifier)
        spin(0.05)

    def settle(self) -> None:
        """Wait until nothing runs."""
        wait("all tasks done", lambda: not self.session.state.tasks)

    def picture(self, name: str) -> None:
        """Keep a picture of the whole window, and the longest block up to it."""
        self.longest[name] = self.window.heartbeat.longest
        self.step += 1
        path = self.images / f"{self.step:02d}-{name}.jpg"
        picture_of(self.window, path)
        self.window.heartbeat.reset()
        log.info("%s (longest block %.0f ms)", path.name, self.longest[name] * 1000)

    def place_on_canvas(self, x: float, y: float) -> QPoint:
        """Return the canvas pixel of a place of the smear."""
        left, top, width, height = self.window.canvas.view_rectangle
        size = self.canvas.size()
        return QPoint(
            round((x - left) / width * size.width()),
            round((y - top) / height * size.height()),
        )

    def drop(self, paths: list[Path]) -> None:
        """Drop files on the canvas, as a file manager does."""
        target = canvas_parent(self.grid.window())
        assert target is not None
        files = QMimeData()
        files.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        given = (
            Qt.DropAction.CopyAction,
            files,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(target, QDragEnterEvent(QPoint(90, 90), *given))
        QApplication.sendEvent(target, QDropEvent(QPointF(90, 90), *given))

    def press_fill(self, code: str, count: int) -> None:
        """Press *Fill* in the row of a class, and confirm the form."""
        table = self.window.docks.panels.classes.table
        row = [r.code for r in table.classes.rows].index(code)
        index = table.classes.index(row, FILL)
        table.scrollTo(index)
        place = table.visualRect(index).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        panel = self.window.docks.panels.synthesize
        wait("the form opens", lambda: panel.form is not None)
        panel.form["count"].value = count
        self.picture(f"fill-form-{code}")
        QTest.mouseClick(panel.start, Qt.MouseButton.LeftButton)

    def click_tab(self, tab: Tab) -> None:
        """Click a tab of the queue."""
        bar = self.window.docks.panels.annotate.tools.tabs
        place = bar.tabRect(list(Tab).index(tab)).center()
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=place)
        wait(f"tab {tab}", lambda: self.session.state.tab is tab)

    def click_card(self, row: int) -> None:
        """Scroll to a card and click it."""
        columns = self.grid.model().columns
        index = self.grid.model().index(row // columns, row % columns)
        self.grid.scrollTo(index)
        spin(0.1)
        place = self.grid.visualRect(index).center()
        QTest.mouseClick(self.grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
        spin(0.2)


def bare_napari() -> dict[str, float]:
    """Return the longest block, in seconds, of napari alone as it adds such layers."""
    viewer = Viewer(title="bare napari")
    viewer.window.resize(*SIZE)
    heartbeat, rng = Heartbeat(viewer.window._qt_window), np.random.default_rng(0)
    heartbeat.start()
    made: dict[str, Callable[[], object]] = {
        "picture": lambda: viewer.add_image(
            rng.integers(0, 255, (2048, 2048, 3), np.uint8)
        ),
        "points": lambda: viewer.add_points(2000 * rng.random((400, 2))),
        "vectors": lambda: viewer.add_vectors(2000 * rng.random((40, 2, 2))),
    }
    longest = {}
    for name, make in made.items():
        spin(1.5)
        heartbeat.reset()
        make()
        spin(1.5)
        longest[name] = heartbeat.longest
    viewer.close()
    return longest
