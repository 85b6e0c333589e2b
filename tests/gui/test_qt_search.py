"""Searches and fields in the real window."""

from __future__ import annotations

from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QContextMenuEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu

from napari_cytosynth._gui.classlist import KEY
from napari_cytosynth.core.geometry import Box

Left = Qt.MouseButton.LeftButton
LONG = 20_000


@pytest.fixture
def ready(window: Any, qtbot: QtBot) -> Any:
    """A window whose cells are ranked."""
    state = window.session.state
    qtbot.waitUntil(lambda: bool(window.session.learner.key), timeout=LONG)
    qtbot.waitUntil(lambda: not state.tasks and state.focus is not None, timeout=LONG)
    return window


def _ask_menu(view: Any, place: Any) -> None:
    port = view.viewport()
    asked = QContextMenuEvent(
        QContextMenuEvent.Reason.Mouse, place, port.mapToGlobal(place)
    )
    QApplication.sendEvent(port, asked)


def test_more_like_a_card_by_its_menu_and_back_by_escape(
    qtbot: QtBot, ready: Any
) -> None:
    annotate, state = ready.docks.panels.annotate, ready.session.state
    grid, third = annotate.grid, int(state.listing.ids[2])
    _ask_menu(grid, grid.visualRect(grid.model().index(0, 2)).center())
    menu = annotate.findChild(QMenu, "card menu")
    menu.actions()[0].trigger()
    menu.close()
    qtbot.waitUntil(lambda: bool(state.search), timeout=LONG)
    assert annotate.banner.isVisible()
    assert annotate.banner.title.text() == f"Cells like cell {third}."
    QTest.keyClick(grid, Qt.Key.Key_Escape)
    assert not annotate.banner.isVisible()
    assert state.search == ""


def test_the_button_of_the_banner_leads_back_and_gives_the_keys_back(
    qtbot: QtBot, ready: Any
) -> None:
    annotate, state = ready.docks.panels.annotate, ready.session.state
    QTest.keyClick(annotate.grid, "=")
    qtbot.waitUntil(lambda: bool(state.search), timeout=LONG)
    QTest.mouseClick(annotate.banner.back, Left)
    assert state.search == ""
    assert QApplication.focusWidget() in (annotate.grid, None)


def test_find_more_stands_in_the_menu_of_a_class(qtbot: QtBot, ready: Any) -> None:
    widget, state = ready.docks.panels.classes, ready.session.state
    rows = widget.table.classes.rows
    at = [row.code for row in rows].index("BA")
    place = widget.table.visualRect(widget.table.classes.index(at, KEY)).center()
    _ask_menu(widget.table, place)
    menu = widget.findChild(QMenu, "class menu")
    next(a for a in menu.actions() if a.text() == "Find more BA").trigger()
    menu.close()
    qtbot.waitUntil(lambda: bool(state.failure), timeout=LONG)
    assert "no example of BA" in state.failure


def test_the_equals_key_on_the_canvas_searches_too(qtbot: QtBot, ready: Any) -> None:
    ready.canvas.keyPressed.emit("=")
    qtbot.waitUntil(lambda: bool(ready.session.state.search), timeout=LONG)


def test_next_field_outlines_and_frames_it(qtbot: QtBot, ready: Any) -> None:
    annotate, state = ready.docks.panels.annotate, ready.session.state
    QTest.mouseClick(annotate.tools.field, Left)
    qtbot.waitUntil(lambda: state.outlined is not None, timeout=LONG)
    ready.canvas.flush()
    mark = state.outlined
    layer = next(la for la in ready.viewer.layers if la.name.startswith("Field"))
    assert layer.visible
    assert len(layer.data) == 4 * (1 + len(mark.places))
    x, y, width, height = ready.canvas.view_rectangle
    assert x <= mark.box.x
    assert y <= mark.box.y
    assert x + width >= mark.box.x + mark.box.width
    assert y + height >= mark.box.y + mark.box.height
    assert min(width / mark.box.width, height / mark.box.height) < 1.2
    QTest.keyClick(annotate.grid, Qt.Key.Key_Escape)
    ready.canvas.flush()
    assert not layer.visible


def test_places_are_drawn_in_another_colour(ready: Any) -> None:
    from napari_cytosynth.app.scene import FieldMark

    smear = ready.session.state.smear
    places = (Box(10.0, 10.0, 40.0, 40.0), Box(80.0, 10.0, 40.0, 40.0))
    for shown in (places[:1], places, ()):
        ready.canvas.show_field(FieldMark(smear, Box(0.0, 0.0, 200.0, 200.0), shown))
        ready.canvas.flush()
        layer = next(la for la in ready.viewer.layers if la.name.startswith("Field"))
        colours = {tuple(c) for c in layer.edge_color.round(3).tolist()}
        assert len(layer.data) == 4 * (1 + len(shown))
        assert len(colours) == 1 + bool(shown)
