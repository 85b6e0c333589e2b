"""Names of keys, and the layer bindings that make digits on the canvas harmless.

In napari a digit deletes: on a Points layer ``1`` removes the selected points, on a
Shapes layer ``3`` does, and ``viewer.bind_key`` on a digit never fires. So our keys
live in our own focused widgets, and our layers bind what could do harm.
"""

from __future__ import annotations

import string
from collections.abc import Callable

from napari.layers import Layer
from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import QWidget

_NAMED = {
    Qt.Key.Key_Space: "Space",
    Qt.Key.Key_Return: "Return",
    Qt.Key.Key_Enter: "Return",
    Qt.Key.Key_Escape: "Escape",
    Qt.Key.Key_Delete: "Delete",
    Qt.Key.Key_Backspace: "Backspace",
    Qt.Key.Key_Tab: "Tab",
    Qt.Key.Key_Left: "Left",
    Qt.Key.Key_Right: "Right",
    Qt.Key.Key_Up: "Up",
    Qt.Key.Key_Down: "Down",
    Qt.Key.Key_Home: "Home",
    Qt.Key.Key_End: "End",
    Qt.Key.Key_PageUp: "PageUp",
    Qt.Key.Key_PageDown: "PageDown",
}
_HISTORY = frozenset({"Ctrl+Z", "Ctrl+Y", "Ctrl+Shift+Z"})

_MOVES = (
    *("Space", "Escape", "Delete", "Backspace", "Home", "End"),
    *("Left", "Right", "Up", "Down", "PageUp", "PageDown"),
)

CANVAS_KEYS = {
    **{c: c for c in string.digits + string.ascii_lowercase},
    **{name: name for name in _MOVES},
    **{key: key for key in "=-/"},
    "Enter": "Return",
    "Control-Z": "Ctrl+Z",
    "Control-Y": "Ctrl+Y",
    "Control-Shift-Z": "Ctrl+Shift+Z",
}
"""napari's name of each key that our layers take, and ours."""


def key_name(event: QKeyEvent) -> str:
    """Return the name of a key as :mod:`napari_cytosynth.app.views` spells it.

    Empty for a modifier alone and for keys without a name.
    """
    held = event.modifiers()
    ctrl = bool(held & Qt.KeyboardModifier.ControlModifier)
    alt = bool(held & Qt.KeyboardModifier.AltModifier)
    shift = bool(held & Qt.KeyboardModifier.ShiftModifier)
    key = Qt.Key(event.key()) if event.key() in _KNOWN else None
    base = _NAMED.get(key, "") if key is not None else ""
    if not base and not ctrl and not alt:
        text = event.text().lower()
        return text if text.isprintable() and len(text) == 1 else ""
    if not base:
        base = QKeySequence(event.key()).toString() if event.key() < 0x01000000 else ""
    if not base:
        return ""
    front = [n for n, on in (("Ctrl", ctrl), ("Shift", shift), ("Alt", alt)) if on]
    return "+".join([*front, base])


_KNOWN = frozenset(int(key.value) for key in _NAMED)


class KeyTap(QObject):
    """Turns key events of one focused widget into names, before Qt's own shortcuts.

    Keys with Ctrl or Alt stay with napari's menus, but for undo and redo; Tab stays
    with Qt, so that the window can be walked by keyboard.
    """

    pressed = Signal(str)

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the keys that are ours."""
        kind = event.type()
        if kind not in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            return False
        name = key_name(event)
        if not _ours(name):
            return False
        event.accept()
        if kind == QEvent.Type.KeyPress:
            self.pressed.emit(name)
        return True


def _ours(name: str) -> bool:
    if not name or name == "Tab":
        return False
    return name in _HISTORY or not name.startswith(("Ctrl+", "Alt+", "Shift+"))


class LayerKeys:
    """Binds our keys on layer instances, and takes them back.

    Parameters
    ----------
    emit : callable
        Told the name of a key that was pressed on the canvas.
    """

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._layers: list[Layer] = []

    def bind(self, layer: Layer) -> None:
        """Take all keys of :data:`CANVAS_KEYS` on this layer."""
        for napari_name, name in CANVAS_KEYS.items():
            layer.bind_key(napari_name, self._handler(name), overwrite=True)
        self._layers.append(layer)

    def release(self) -> None:
        """Give all keys back."""
        for layer in self._layers:
            for napari_name in CANVAS_KEYS:
                layer.bind_key(napari_name, None)
        self._layers.clear()

    def _handler(self, name: str) -> Callable[[Layer], None]:
        def pressed(_layer: Layer) -> None:
            self._emit(name)

        return pressed
