"""The map of cells in the real window, with real events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_cytosynth._gui.mapart import cloud_image
from napari_cytosynth._gui.mapdock import MAP_DOCK
from napari_cytosynth._gui.mapview import MapLens
from napari_cytosynth.app.map_views import Clouds
from napari_cytosynth.app.scene import Rectangle

Ctrl = Qt.KeyboardModifier.ControlModifier
Shift = Qt.KeyboardModifier.ShiftModifier
Left = Qt.MouseButton.LeftButton


@pytest.fixture
def opened(qtbot: QtBot, window: Any) -> Any:
    """The window with its map open and laid out."""
    session = window.session
    qtbot.waitUntil(
        lambda: not session.state.tasks and len(session.state.listing) > 0,
        timeout=20_000,
    )
    assert window.map.widget is None, "nothing is made before it is asked for"
    QTest.mouseClick(window.docks.panels.status.map, Left)
    qtbot.waitUntil(lambda: window.map.widget.plot.art.dots is not None, timeout=20_000)
    qtbot.waitUntil(
        lambda: len(window.map.widget.plot.art.dots.places) > 0, timeout=20_000
    )
    return window


def send(plot: Any, kind: QEvent.Type, place: QPointF, held: Any = Shift) -> None:
    where = QPointF(plot.mapToGlobal(place.toPoint()))
    QApplication.sendEvent(plot, QMouseEvent(kind, place, where, Left, Left, held))


def encircle(plot: Any) -> None:
    """Draw around everything."""
    size = plot.size()
    corners = [(2, 2), (size.width() - 2, 2), (size.width() - 2, size.height() - 2)]
    corners.append((2, size.height() - 2))
    send(plot, QEvent.Type.MouseButtonPress, QPointF(*corners[0]))
    for corner in corners[1:]:
        send(plot, QEvent.Type.MouseMove, QPointF(*corner))
    send(plot, QEvent.Type.MouseButtonRelease, QPointF(*corners[-1]))


def test_a_click_on_a_dot_focuses_its_cell_and_the_mark_follows(
    qtbot: QtBot, opened: Any
) -> None:
    plot, session = opened.map.widget.plot, opened.session
    found = session.atlas.map
    at = int(np.flatnonzero(found.ids != session.state.focus)[3])
    pixel = plot.lens.pixel(*found.places[at].tolist()).toPoint()
    QTest.mouseClick(plot, Left, pos=pixel)
    near = np.hypot(*(found.places - found.places[at]).T) < plot.lens.units(1)
    assert session.state.focus in found.ids[near]
    assert plot.overlay.focus is not None
    before = plot.overlay.focus
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert plot.overlay.focus != before, "the queue's next cell is marked"


def test_cells_encircled_get_a_label_after_a_yes_and_lose_it_in_one_undo(
    qtbot: QtBot, opened: Any
) -> None:
    widget, session = opened.map.widget, opened.session
    encircle(widget.plot)
    many = len(session.index)
    assert widget.taken.isVisible()
    assert widget.taken.words.toolTip() == f"{many} cells taken"
    key = session.project.taxonomy["MO"].keys
    QTest.keyClick(widget.plot, key)
    box = widget.asked
    assert f"{many} cells as MO, Monocyte" in box.text()
    assert not session.project.journal.labels()
    QTest.keyClick(box, Qt.Key.Key_Escape)
    assert not session.project.journal.labels(), "Escape labels nothing"
    QTest.mouseClick(widget.taken.label, Left)
    box = widget.asked
    yes = next(b for b in box.buttons() if b.text().startswith("Label"))
    QTest.mouseClick(yes, Left)
    assert len(session.project.journal.labels()) == many
    assert not widget.taken.isVisible()
    QTest.keyClick(widget.plot, Qt.Key.Key_Z, Ctrl)
    assert not session.project.journal.labels()


def test_it_zooms_moves_and_comes_back_by_wheel_and_keys(
    qtbot: QtBot, opened: Any
) -> None:
    plot = opened.map.widget.plot
    whole = plot.lens.view
    middle = QPointF(plot.rect().center())
    wheel = QWheelEvent(
        middle,
        QPointF(plot.mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    with qtbot.waitSignal(plot.moved):
        QApplication.sendEvent(plot, wheel)
    assert plot.lens.view.width < whole.width
    near = plot.lens.view
    QTest.keyClick(plot, Qt.Key.Key_Right, Shift)
    assert plot.lens.view.x > near.x
    QTest.keyClick(plot, Qt.Key.Key_Minus, Ctrl)
    assert plot.lens.view.width > near.width
    with qtbot.waitSignal(plot.moved):
        QTest.keyClick(plot, Qt.Key.Key_0, Ctrl)
    # The bar of what was taken may have changed the height since.
    assert plot.lens.view.x + plot.lens.view.width / 2 == pytest.approx(0.5)


def test_the_dock_can_be_closed_and_asked_for_again(qtbot: QtBot, opened: Any) -> None:
    dock = opened.map.widget.parentWidget()
    assert isinstance(dock, QDockWidget)
    assert dock.windowTitle() == MAP_DOCK
    opened.viewer.window.remove_dock_widget(opened.map.widget)
    assert opened.map.widget is None
    opened.session.label("MO")
    opened.open_map()
    assert opened.map.widget is not None
    qtbot.waitUntil(
        lambda: (
            opened.map.widget.plot.art.dots is not None
            and bool(opened.map.widget.plot.art.dots.labelled.any())
        )
    )


def test_a_lens_keeps_what_is_under_the_pointer() -> None:
    lens = MapLens()
    lens.fit(300, 200)
    about = QPointF(40, 150)
    place = lens.place(about)
    lens.zoom(3, about)
    assert lens.place(about) == pytest.approx(place)
    assert lens.units(1) == pytest.approx(1.06 / 200 / 3)
    lens.resize(600, 400)
    assert lens.view.height == pytest.approx(1.06 / 3)
    pixel = lens.pixel(*lens.place(QPointF(7, 9)))
    assert (pixel.x(), pixel.y()) == pytest.approx((7, 9))
    for _ in range(40):
        lens.zoom(2, about)
    assert lens.view.height == pytest.approx(0.002)


def test_density_has_the_colour_of_its_class_and_none_where_no_cell_lies() -> None:
    clouds = Clouds(
        Rectangle(0, 0, 1, 1),
        np.array([[0, -1]], np.int16),
        np.array([[1.0, 0.0]], np.float32),
    )
    image = cloud_image(clouds, np.array([[255, 0, 0], [0, 0, 9]], np.uint8))
    assert image.pixelColor(0, 0).getRgb() == (255, 0, 0, 255)
    assert image.pixelColor(1, 0).alpha() == 0
