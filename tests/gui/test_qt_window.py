"""The whole window with real events, over a tiny project in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QContextMenuEvent, QDragEnterEvent, QDropEvent, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu, QPushButton

from napari_cytosynth._gui.classlist import FILL, KEY, LABELLED, figures_of
from napari_cytosynth.app.panels import OPINION, Quality, Tab
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.quality import Flaw

Ctrl = Qt.KeyboardModifier.ControlModifier
Left = Qt.MouseButton.LeftButton
_TIP = Qt.ItemDataRole.ToolTipRole


def settled(window: Any) -> bool:
    return not window.session.state.tasks and len(window.session.state.listing) > 0


@pytest.fixture
def ready(qtbot: QtBot, window: Any) -> Any:
    qtbot.waitUntil(lambda: settled(window), timeout=20_000)
    window.canvas.flush()
    return window


def labels(window: Any) -> dict[int, str]:
    found = window.session.project.journal.labels()
    return {int(cell): label.code for cell, label in found.items()}


def test_one_key_labels_and_moves_on(qtbot: QtBot, ready: Any) -> None:
    cell, grid = ready.session.state.focus, ready.docks.panels.annotate.grid
    QTest.keyClick(grid, "7")
    assert labels(ready) == {int(cell): "BA"}
    assert ready.session.state.focus != cell
    QTest.keyClick(grid, Qt.Key.Key_Z, Ctrl)
    assert labels(ready) == {}
    QTest.keyClick(grid, Qt.Key.Key_Y, Ctrl)
    assert labels(ready) == {int(cell): "BA"}


def test_the_class_list_labels_filters_and_fills(qtbot: QtBot, ready: Any) -> None:
    table = ready.docks.panels.classes.table
    row = [r.code for r in table.classes.rows].index("MO")

    def click(column: int) -> None:
        place = table.visualRect(table.classes.index(row, column)).center()
        QTest.mouseClick(table.viewport(), Left, pos=place)

    click(KEY)
    assert list(labels(ready).values()) == ["MO"]
    click(LABELLED)
    assert ready.session.state.filter == "MO"
    click(FILL)
    panel = ready.docks.panels.synthesize
    assert panel.form is not None
    assert "MO" in panel.title.text()
    QTest.mouseClick(panel.leave, Left)
    assert panel.form is None
    click(FILL)
    assert panel.form is not None, "Fill opens its form again after Close"


def test_a_fill_streams_and_is_judged_by_key(qtbot: QtBot, ready: Any) -> None:
    panel = ready.docks.panels.synthesize
    ready.session.ask_fill("BA")
    panel.form["count"].value = 4
    QTest.mouseClick(panel.start, Left)
    project = ready.session.project
    qtbot.waitUntil(lambda: len(project.synthetic("BA")) >= 4, timeout=20_000)
    qtbot.waitUntil(lambda: settled(ready), timeout=20_000)
    ready.session.set_tab(Tab.SYNTHETIC)
    grid = ready.docks.panels.review.grid
    assert QApplication.focusWidget() in (grid, None)
    QTest.keyClick(grid, "a")
    QTest.keyClick(grid, "r")
    assert len(project.synthetic("BA", Status.ACCEPTED)) == 1
    assert len(project.synthetic("BA", Status.REJECTED)) == 1
    assert not project.synthetic("BA")[0].verified
    ready.canvas.flush()
    assert "SYNTHETIC" in ready.canvas._layers.mosaic.layer.name


def test_no_key_on_the_canvas_takes_anything_away(
    qtbot: QtBot, ready: Any, canvas: Any
) -> None:
    cells = ready.session.project.cells().ids.tolist()
    layers = list(ready.viewer.layers)
    assert len(layers) >= 3
    for layer in layers:
        ready.viewer.layers.selection.active = layer
        for key in "1234567890":
            if hasattr(layer, "selected_data"):
                layer.selected_data = set(range(min(3, len(layer.data))))
            QTest.keyClick(canvas(), key)
    qtbot.waitUntil(lambda: settled(ready), timeout=20_000)
    assert ready.session.project.cells().ids.tolist() == cells
    assert list(ready.viewer.layers) == layers
    assert labels(ready), "a digit on the canvas labels"


def test_a_click_on_a_cell_focuses_it(qtbot: QtBot, ready: Any, canvas: Any) -> None:
    table, state = ready.session.index.table, ready.session.state
    here = table.ids[table.smears == state.smear]
    other = next(int(i) for i in here if i != state.focus)
    x, y = table.box(other).centre
    ready.canvas.centre_on(x, y)
    ready.canvas.flush()
    native = canvas()
    QTest.mouseClick(native, Left, pos=native.rect().center())
    assert state.focus == other


def test_a_drag_with_shift_draws_a_box_and_a_click_with_it_marks(
    qtbot: QtBot, ready: Any, canvas: Any
) -> None:
    table, state = ready.session.index.table, ready.session.state
    x, y = table.box(state.focus).centre
    ready.canvas.centre_on(x, y)
    ready.canvas.flush()
    drawn: list[tuple[float, ...]] = []
    marked: list[tuple[float, float]] = []
    ready.canvas.boxDrawn.connect(lambda *box: drawn.append(box))
    ready.canvas.centreMarked.connect(lambda *place: marked.append(place))
    native, shift = canvas(), Qt.KeyboardModifier.ShiftModifier
    middle = native.rect().center()
    before = ready.viewer.scene.camera.center
    QTest.mousePress(native, Left, shift, middle - QPoint(40, 30))
    for step in (-20, 0, 20, 40):
        move = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(middle + QPoint(step, step)),
            QPointF(native.mapToGlobal(middle + QPoint(step, step))),
            Left,
            Left,
            shift,
        )
        QApplication.sendEvent(native, move)
    QTest.mouseRelease(native, Left, shift, middle + QPoint(40, 40))
    ((left, top, width, height),) = drawn
    assert left < x < left + width
    assert top < y < top + height
    assert width / height == pytest.approx(80 / 70, rel=0.05)
    assert ready.viewer.scene.camera.center == pytest.approx(before)
    QTest.mouseClick(native, Left, shift, middle)
    assert marked[0] == pytest.approx((x, y), abs=1.0)


def test_a_class_is_merged_by_its_menu(qtbot: QtBot, ready: Any) -> None:
    widget = ready.docks.panels.classes
    rows = widget.table.classes.rows
    at = [row.code for row in rows].index("BNE")
    place = widget.table.visualRect(widget.table.classes.index(at, KEY)).center()
    port = widget.table.viewport()
    asked = QContextMenuEvent(
        QContextMenuEvent.Reason.Mouse, place, port.mapToGlobal(place)
    )
    QApplication.sendEvent(port, asked)
    menu = widget.findChild(QMenu, "class menu")
    merges = next(a.menu() for a in menu.actions() if a.menu() is not None)
    next(a for a in merges.actions() if a.text().startswith("SNE")).trigger()
    menu.close()
    assert ready.session.project.journal.merged("BNE") == "SNE"
    assert figures_of(rows[at]).startswith("counts as SNE")


def test_second_opinions_are_a_filter_of_the_grid(qtbot: QtBot, ready: Any) -> None:
    cell, annotate = ready.session.state.focus, ready.docks.panels.annotate
    QTest.keyClick(annotate.grid, "?")
    box = annotate.tools.filter
    box.setCurrentIndex(box.findData(OPINION))
    box.activated.emit(box.currentIndex())
    assert ready.session.state.listing.ids.tolist() == [cell]


def test_our_layers_cannot_be_edited(ready: Any) -> None:
    assert all(not layer.editable for layer in ready.viewer.layers)


def test_the_scale_bar_is_on_and_given_back(qtbot: QtBot, ready: Any) -> None:
    viewer = ready.viewer
    bar = viewer.canvas.overlays.scale_bar
    assert bar.visible
    callbacks = ready.canvas._mouse._before
    ready.close()
    assert not bar.visible
    assert list(viewer.layers) == []
    assert list(viewer.mouse_double_click_callbacks) == callbacks
    assert "CytoSynth queue" not in viewer.window.dock_widgets


def test_taking_a_dock_off_closes_the_session(qtbot: QtBot, ready: Any) -> None:
    ready.viewer.window.remove_dock_widget(ready.docks.below)
    qtbot.waitUntil(lambda: ready._closing)
    assert list(ready.viewer.layers) == []


def test_quitting_napari_closes_the_session_quietly(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So napari leaves its window behind by the time that it is hidden.
    with monkeypatch.context() as quit_:
        quit_.delattr(ready.viewer.window, "_qt_window")
        ready.close()
    assert ready.presenters is None


def test_dropped_pictures_join_the_project(
    qtbot: QtBot, ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[list[str]] = []
    monkeypatch.setattr(ready._drops, "_take", taken.append)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(Path("/a/field 1.png")))])

    def drop() -> None:
        given = (
            Qt.DropAction.CopyAction,
            mime,
            Left,
            Qt.KeyboardModifier.NoModifier,
        )
        below = ready.docks.below
        QApplication.sendEvent(below, QDragEnterEvent(QPoint(5, 5), *given))
        QApplication.sendEvent(below, QDropEvent(QPointF(5, 5), *given))

    drop()
    qtbot.waitUntil(lambda: bool(taken))
    assert taken == [[str(Path("/a/field 1.png"))]]
    mime.setUrls([QUrl.fromLocalFile("/a/notes.csv")])
    drop()
    qtbot.wait(50)
    assert len(taken) == 1


def test_predictions_can_be_hidden(qtbot: QtBot, ready: Any) -> None:
    blind = ready.docks.panels.annotate.tools.blind
    QTest.mouseClick(blind, Left, pos=blind.rect().center() / 2)
    blind.setChecked(True)
    assert ready.session.state.blind


def test_what_must_be_seen_is_there(ready: Any) -> None:
    strip = ready.docks.panels.status
    assert "Research use only" in strip.notice.text()
    assert strip.annotator.text() == "reader"
    names = [b.accessibleName() for b in ready.docks.below.findChildren(QPushButton)]
    assert all(isinstance(name, str) for name in names)
    for widget in (
        ready.docks.panels.annotate.grid,
        ready.docks.panels.review.grid,
        ready.docks.panels.classes.table,
    ):
        assert widget.accessibleName()


def test_the_mosaic_lies_beside_the_smear(ready: Any) -> None:
    _, left = ready.canvas._mosaic_corner()
    smear = ready.canvas._image.smear
    assert left > ready.canvas._bridge.length(smear.width)


def test_a_theme_change_repaints(ready: Any) -> None:
    before = ready.docks.panels.annotate.grid._delegate.colours
    ready.viewer.theme = "light"
    after = ready.docks.panels.annotate.grid._delegate.colours
    assert np.any(np.array([before.dark, after.dark]) != [True, True])
    ready.viewer.theme = "dark"


def test_no_torch_comes_with_the_window(ready: Any) -> None:
    code = (
        "import sys, napari_cytosynth._gui.launch as m; "
        "assert m.open_window and 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


def test_flagged_cells_are_chosen_above_the_grid(qtbot: QtBot, ready: Any) -> None:
    session, tools = ready.session, ready.docks.panels.annotate.tools
    index = session.index
    flaws = np.zeros(len(index.table), np.uint8)
    flaws[::2] = Flaw.BLURRED
    index.set_flaws(index.table.ids, flaws)
    assert tools.quality.currentData() is Quality.LAST
    tools.quality.setCurrentIndex(tools.quality.findData(Quality.BLURRED))
    tools.quality.activated.emit(tools.quality.currentIndex())
    assert session.state.quality is Quality.BLURRED
    listed = session.state.listing.ids
    flagged = [session.index.flaw(cell) for cell in listed]
    assert sum(map(bool, flagged)) >= 0.8 * len(listed)
    grid = ready.docks.panels.annotate.grid
    row = next(row for row, flaw in enumerate(flagged) if flaw)
    place = grid.model().index_of(row)
    qtbot.waitUntil(lambda: bool(grid.model().data(place, _TIP)), timeout=5000)
    assert "picture: blurred" in grid.model().data(place, _TIP)


def test_the_stain_of_another_smear_is_a_layer_to_switch_off(
    qtbot: QtBot, ready: Any
) -> None:
    other = 3 - int(ready.session.state.smear)
    ready.dialogs.open("stain")
    form = ready.dialogs.shown.form
    assert form["reference"].value == 0
    form["reference"].value = other
    ready.dialogs.shown.accept()

    def shown() -> list[Any]:
        ready.canvas.flush()
        layers = ready.viewer.layers
        return [layer for layer in layers if "looking only" in layer.name]

    qtbot.waitUntil(lambda: bool(shown()), timeout=10_000)
    (layer,) = shown()
    layers = list(ready.viewer.layers)
    assert layers.index(layer) == 1
    assert not layer.editable
    assert f"tiny-{other}.png" in layer.name
    layer.visible = False
    ready.canvas.centre_on(100.0, 100.0)
    ready.canvas.flush()
    assert not layer.visible
    layer.visible = True
    ready.session.stains.choose(None)
    ready.canvas.flush()
    assert not layer.visible
    ready.session.stains.choose(SmearId(other))
    ready.canvas.flush()
    assert layer.visible


def test_the_focused_cell_is_said_in_words(qtbot: QtBot, read_window: Any) -> None:
    window = read_window
    qtbot.waitUntil(lambda: settled(window), timeout=20_000)
    line = window.docks.panels.annotate.details
    window.session.set_tab(Tab.PREDICTED)
    qtbot.waitUntil(lambda: "granules 0." in line.text(), timeout=20_000)
    assert line.isVisible()
    window.session.set_blind(True)
    assert "granules" not in line.text()
