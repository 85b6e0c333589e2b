"""What waits to be drawn: of each kind only the newest, in a fixed order."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

DRAW_SECONDS = 0.025
"""Drawing longer than this goes on in the next turn: napari is slow to make a layer."""


class DrawQueue(QObject):
    """Draws at the end of a turn: one key moves many things, drawn only once.

    Parameters
    ----------
    order : tuple of str
        Kinds, in the order in which they are drawn.
    parent : QObject
        Owns this.
    """

    def __init__(self, order: tuple[str, ...], parent: QObject) -> None:
        super().__init__(parent)
        self._order = order
        self._waiting: dict[str, Callable[[], None]] = {}
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._draw_some)

    def put(self, kind: str, draw: Callable[[], None]) -> None:
        """Draw this soon, in place of what waits of its kind."""
        self._waiting[kind] = draw
        if not self._soon.isActive():
            self._soon.start(0)

    def flush(self) -> None:
        """Draw now what waits."""
        self._soon.stop()
        while self._waiting:
            self._draw_next()

    def clear(self) -> None:
        """Forget what waits."""
        self._soon.stop()
        self._waiting.clear()

    def _draw_some(self) -> None:
        """Draw what waits; after a long piece, the window breathes before the next."""
        end = time.monotonic() + DRAW_SECONDS
        while self._waiting:
            self._draw_next()
            if self._waiting and time.monotonic() > end:
                self._soon.start(0)
                return

    def _draw_next(self) -> None:
        kind = next(kind for kind in self._order if kind in self._waiting)
        self._waiting.pop(kind)()
