"""Reads what may block in a thread, so that who waits for it can leave at any time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

QUIET_SECONDS = 0.25
"""A reader hears that there is nothing new at least so often."""

ROOM = 4
"""Items read ahead of a slow reader; then the source waits for it."""

_Put = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class _End:
    error: Exception | None = None


def listened(
    source: Callable[[], Generator[T, None, None]], hang_up: Callable[[], None]
) -> Generator[T | None, None, None]:
    """Yield what a source gives, and None while it is quiet.

    Parameters
    ----------
    source : callable
        Called, read and closed in a thread of its own; may block. Its errors are raised
        here.
    hang_up : callable
        Called when the reader leaves before the end: makes a source that blocks give
        up. The reader does not wait for it.
    """
    inbox: queue.Queue[object] = queue.Queue(ROOM)
    left, ended = threading.Event(), False

    def put(item: object) -> bool:
        while not left.is_set():
            try:
                inbox.put(item, timeout=QUIET_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    threading.Thread(target=_read, args=(source, put), daemon=True).start()
    try:
        while True:
            item: object = _next(inbox)
            ended = isinstance(item, _End)
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item  # type: ignore[misc]  # only the source's items, and None
    finally:
        if not ended:
            left.set()
            hang_up()


def _next(inbox: queue.Queue[object]) -> object:
    try:
        return inbox.get(timeout=QUIET_SECONDS)
    except queue.Empty:
        return None


def _read(source: Callable[[], Generator[T, None, None]], put: _Put) -> None:
    end = _End()
    try:
        with closing(source()) as items:
            for item in items:
                if not put(item):
                    return
    except Exception as error:  # noqa: BLE001  crosses the thread unchanged
        end = _End(error)
    put(end)
