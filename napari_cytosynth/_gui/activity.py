"""Shows long work in napari's activity dock, with Cancel."""

from __future__ import annotations

import time
from collections.abc import Callable

from napari.utils import cancelable_progress

from napari_cytosynth._gui.runner import QtRunner
from napari_cytosynth.core.tasks import Progress

_QUIET = ("prefetch:", "rank", "refit", "learn", "measure")
"""Keys of work that is too small, or too frequent, to show."""

PATIENCE_SECONDS = 2.5
"""A task this young gets no bar."""

PACE_SECONDS = 1.0
"""Time between two moves of a bar: each makes napari work through the event loop."""


class Activity:
    """Mirrors the runner's tasks as napari progress bars.

    Parameters
    ----------
    runner : QtRunner
        Tells what starts, moves and ends.
    cancel : callable
        Told the key of a task that was cancelled in napari's dock.
    """

    def __init__(self, runner: QtRunner, cancel: Callable[[str], object]) -> None:
        self._runner, self._cancel = runner, cancel
        self._bars: dict[str, cancelable_progress] = {}
        self._next: dict[str, float] = {}
        runner.taskProgressed.connect(self._moved)
        runner.taskEnded.connect(self._ended)

    def close(self) -> None:
        """Take all bars away."""
        self._runner.taskProgressed.disconnect(self._moved)
        self._runner.taskEnded.disconnect(self._ended)
        for key in list(self._bars):
            self._ended(key)

    def _moved(self, key: str, progress: Progress) -> None:
        if key.startswith(_QUIET) or not progress.total:
            return
        now = time.monotonic()
        if now < self._next.setdefault(key, now + PATIENCE_SECONDS):
            return
        self._next[key] = now + PACE_SECONDS
        bar = self._bars.get(key)
        if bar is None:
            bar = cancelable_progress(
                total=progress.total,
                desc=key,
                cancel_callback=lambda: self._cancel(key),
                file=_NOWHERE,
            )
            self._bars[key] = bar
        if bar.is_canceled:
            self._cancel(key)
        bar.total = progress.total
        bar.n = progress.done
        bar.events.value(value=progress.done)

    def _ended(self, key: str) -> None:
        self._next.pop(key, None)
        bar = self._bars.pop(key, None)
        if bar is not None:
            bar.close()


class _Nowhere:
    """A terminal that is not there: tqdm writes to one, and we show bars in Qt."""

    def write(self, text: str) -> int:
        """Drop the text."""
        return len(text)

    def flush(self) -> None:
        """Do nothing."""


_NOWHERE = _Nowhere()
