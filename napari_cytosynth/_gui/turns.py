"""Gives the window's thread its turn soon, while other threads compute.

Every OpenGL call lets go of the interpreter's lock. A thread that computes then takes
it, and by default keeps it for 5 ms: a frame of some hundred calls took half a second.
"""

from __future__ import annotations

import sys

SWITCH_SECONDS = 0.0005
"""Longest that a thread in Python keeps another one waiting, while a window is open."""


class QuickTurns:
    """Shortens the turns of all threads between :meth:`begin` and :meth:`end`."""

    def __init__(self) -> None:
        self._before = 0.0

    def begin(self) -> None:
        """Shorten the turns."""
        if not self._before:
            self._before = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)

    def end(self) -> None:
        """Give the turns back their length. Idempotent."""
        if self._before:
            sys.setswitchinterval(self._before)
            self._before = 0.0
