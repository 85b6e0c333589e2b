"""Real Qt on a real (or virtual) display; skipped, saying so, where there is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

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
    from qtpy.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
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
