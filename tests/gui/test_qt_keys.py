from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.layers import Points, Shapes
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_cytosynth._gui.keys import CANVAS_KEYS, KeyTap, LayerKeys

Mod, Key = Qt.KeyboardModifier, Qt.Key


_MODIFIERS = (Key.Key_Shift, Key.Key_Control, Key.Key_Alt, Key.Key_Meta)


class Listener(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.leftover: list[int] = []
        KeyTap(self).pressed.connect(self.names.append)

    def keyPressEvent(self, event: Any) -> None:
        if event.key() not in _MODIFIERS:
            self.leftover.append(event.key())


@pytest.fixture
def listener(qtbot: QtBot) -> Iterator[Listener]:
    made = Listener()
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.mark.parametrize(
    ("key", "held", "name"),
    [
        (Key.Key_5, Mod.NoModifier, "5"),
        (Key.Key_G, Mod.NoModifier, "g"),
        (Key.Key_G, Mod.ShiftModifier, "g"),
        (Key.Key_Space, Mod.NoModifier, "Space"),
        (Key.Key_Return, Mod.NoModifier, "Return"),
        (Key.Key_Delete, Mod.NoModifier, "Delete"),
        (Key.Key_Left, Mod.NoModifier, "Left"),
        (Key.Key_Z, Mod.ControlModifier, "Ctrl+Z"),
        (Key.Key_Y, Mod.ControlModifier, "Ctrl+Y"),
        (Key.Key_Z, Mod.ControlModifier | Mod.ShiftModifier, "Ctrl+Shift+Z"),
    ],
)
def test_keys_have_the_names_of_the_views(
    listener: Listener, key: Qt.Key, held: Qt.KeyboardModifier, name: str
) -> None:
    QTest.keyClick(listener, key, held)
    assert listener.names == [name]
    assert listener.leftover == []


def test_a_question_mark_is_a_character(listener: Listener) -> None:
    QTest.keyClick(listener, "?")
    assert listener.names == ["?"]


@pytest.mark.parametrize(
    ("key", "held"),
    [
        (Key.Key_S, Mod.ControlModifier),
        (Key.Key_O, Mod.ControlModifier),
        (Key.Key_F5, Mod.NoModifier),
        (Key.Key_Shift, Mod.ShiftModifier),
    ],
)
def test_other_keys_stay_with_napari(
    listener: Listener, key: Qt.Key, held: Qt.KeyboardModifier
) -> None:
    QTest.keyClick(listener, key, held)
    assert listener.names == []


def points() -> Points:
    return Points(np.random.default_rng(0).random((9, 2)) * 50, size=4)


def shapes() -> Shapes:
    boxes = [np.array([[0, 0], [0, 5], [5, 5], [5, 0]]) + i for i in range(9)]
    return Shapes(boxes, shape_type="polygon")


@pytest.mark.parametrize("make", [points, shapes])
def test_digits_on_our_layers_delete_nothing(
    viewer: Any, canvas: Any, make: Any
) -> None:
    told: list[str] = []
    keys = LayerKeys(told.append)
    layer = viewer.layers.append(make()) or viewer.layers[-1]
    layer.metadata["ours"] = True
    keys.bind(layer)
    viewer.layers.selection.active = layer
    native = canvas()
    for digit in "1234567890":
        layer.selected_data = set(range(4))
        QTest.keyClick(native, digit)
    assert len(layer.data) == 9
    assert told == list("1234567890")


def test_without_our_keys_a_digit_does_delete(viewer: Any, canvas: Any) -> None:
    """What the bindings are for: napari's own layer loses its selected points."""
    viewer.layers.append(points())
    layer = viewer.layers[-1]
    viewer.layers.selection.active = layer
    layer.selected_data = {0, 1, 2}
    QTest.keyClick(canvas(), "1")
    assert len(layer.data) == 6


def test_keys_are_given_back(viewer: Any) -> None:
    told: list[str] = []
    keys = LayerKeys(told.append)
    viewer.layers.append(points())
    layer = viewer.layers[-1]
    before = dict(layer.keymap)
    keys.bind(layer)
    assert len(layer.keymap) == len(before) + len(CANVAS_KEYS)
    keys.release()
    assert dict(layer.keymap) == before
