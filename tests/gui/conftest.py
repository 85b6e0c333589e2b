"""Real Qt on a real (or virtual) display; skipped, saying so, where there is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


def _no_display() -> str:
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "no display: run under xvfb-run -a"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = _no_display()
    for item in items:
        if "tests/gui/" in str(item.path).replace(os.sep, "/"):
            item.add_marker(pytest.mark.gui)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _no_widget_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a top-level widget of ours behind."""
    if _no_display():
        yield
        return
    from qtpy.QtCore import QCoreApplication, QEvent

    app = request.getfixturevalue("qapp")
    before = set(map(id, app.topLevelWidgets()))
    yield
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        app.processEvents()
    left = [
        widget
        for widget in app.topLevelWidgets()
        if id(widget) not in before
        and type(widget).__module__.startswith("napari_cytosynth")
    ]
    assert not left, f"leaked top-level widgets: {left}"


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep napari's settings, ours included, out of the user's folder."""
    if _no_display():
        return
    from napari.settings import get_plugin_settings, get_settings

    folder = tmp_path_factory.mktemp("settings")
    get_settings(folder / "settings.yaml")
    get_plugin_settings(path_dir=folder)


@pytest.fixture
def viewer(qapp: Any) -> Iterator[Any]:
    """A real, shown viewer that is closed for good."""
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QApplication

    made = Viewer()
    made.window.resize(1200, 800)
    yield made
    made.close()
    for _ in range(5):
        QApplication.processEvents()


@pytest.fixture
def window(viewer: Any) -> Iterator[Any]:
    """The whole window over a tiny project in memory, with a backend of fakes."""
    with _shown(viewer, lambda _: None) as made:
        yield made


@pytest.fixture
def read_window(viewer: Any) -> Iterator[Any]:
    """The same, over cells whose vectors the attribute heads can read."""
    from napari_cytosynth.testing.readable import put_readable_vectors

    with _shown(viewer, put_readable_vectors) as made:
        yield made


@contextmanager
def _shown(viewer: Any, prepare: Callable[[Any], object]) -> Iterator[Any]:
    from napari_cytosynth._gui.main import build
    from napari_cytosynth._gui.runner import QtRunner
    from napari_cytosynth.app.session import Session
    from napari_cytosynth.core.taxonomies import built_in
    from napari_cytosynth.store import MemoryProject
    from napari_cytosynth.testing.desk import PaperOpener
    from napari_cytosynth.testing.fakes import FakeCompute
    from napari_cytosynth.testing.tiny import tiny_project

    project = MemoryProject(built_in("pbc11"))
    truth = tiny_project(project, smears=2, cells_per_smear=12)
    prepare(project)
    runner = QtRunner()
    session = Session(
        project, FakeCompute(), runner, annotator="reader", opener=PaperOpener()
    )
    made = build(viewer, session, runner)
    made.truth = truth
    made.show()
    yield made
    made.close()


@pytest.fixture
def canvas(viewer: Any) -> Callable[[], Any]:
    """Finds the native widget of the canvas."""
    from qtpy.QtWidgets import QApplication, QMainWindow

    from napari_cytosynth._gui.adopt import canvas_widget

    def find() -> Any:
        tops = QApplication.topLevelWidgets()
        found = [canvas_widget(w) for w in tops if isinstance(w, QMainWindow)]
        return next(widget for widget in reversed(found) if widget is not None)

    return find
