"""Measures how long the window stands still."""

from __future__ import annotations

import time
from collections import deque

from qtpy.QtCore import QObject, Qt, QTimer

BEAT_MS = 10
LONG_SECONDS = 0.1
KEPT_BLOCKS = 1000


class Heartbeat(QObject):
    """A timer that should fire every few milliseconds; a late beat is a blocked window.

    Attributes
    ----------
    longest : float
        Longest block since :meth:`reset`, seconds.
    blocks : deque of (float, float)
        When a block longer than 0.1 s ended (``perf_counter``), and how long it was.
    last : float
        When the timer fired last (``perf_counter``).
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.longest = 0.0
        self.blocks: deque[tuple[float, float]] = deque(maxlen=KEPT_BLOCKS)
        self.last = time.perf_counter()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin to measure."""
        self.reset()
        self._timer.start()

    def stop(self) -> None:
        """End measuring; the figure stays."""
        self._timer.stop()

    def reset(self) -> None:
        """Forget what was measured."""
        self.last = time.perf_counter()
        self.longest = 0.0
        self.blocks.clear()

    def _beat(self) -> None:
        now = time.perf_counter()
        gap = now - self.last - BEAT_MS / 1000
        self.last = now
        self.longest = max(self.longest, gap)
        if gap > LONG_SECONDS:
            self.blocks.append((now, gap))
