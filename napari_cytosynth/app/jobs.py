"""Starts tasks, shows what runs, drops late answers, and never loses an error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from napari_cytosynth.app.panels import TaskStatus
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import Cancelled, CytoSynthError
from napari_cytosynth.core.tasks import Progress, Runner, Task

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order(Generic[T]):
    """A task to run, and who hears of it.

    Parameters
    ----------
    key : str
        A newer order of the same key supersedes this one.
    title : str
        For a person: ``"Finding cells in field-03.png"``.
    task : Task
        What to run.
    on_done : callable
        Told the result.
    on_progress : callable, optional
        Told each step.
    on_error : callable, optional
        Told why it failed or was cancelled, before ``on_end``.
    on_end : callable, optional
        Told nothing, once, however it ended; not called when superseded.
    quiet : bool
        True: not shown among what runs.
    """

    key: str
    title: str
    task: Task[T]
    on_done: Callable[[T], None]
    on_progress: Callable[[Progress], None] | None = None
    on_error: Callable[[Exception], None] | None = None
    on_end: Callable[[], None] | None = None
    quiet: bool = False


class Jobs:
    """Runs orders for one session.

    Parameters
    ----------
    runner : Runner
        Drives the tasks and answers in the session's thread.
    state : SessionState
        Told of what runs, and of failures.
    """

    def __init__(self, runner: Runner, state: SessionState) -> None:
        self._runner, self._state = runner, state
        self._generation: dict[str, int] = {}
        self._cancelled: set[str] = set()

    def start(self, order: Order[T]) -> None:
        """Run an order; answers of an older one of the same key are dropped."""
        number = self._generation.get(order.key, 0) + 1
        self._generation[order.key] = number
        self._cancelled.discard(order.key)

        def fresh() -> bool:
            return self._generation[order.key] == number

        def progressed(progress: Progress) -> None:
            if fresh():
                self._show(order, progress)
                if order.on_progress is not None:
                    order.on_progress(progress)

        def done(result: Any) -> None:
            if fresh():
                self._forget(order.key)
                order.on_done(result)
                self._end(order)

        def failed(error: Exception) -> None:
            if fresh():
                self._forget(order.key)
                self.tell(order.title, error)
                if order.on_error is not None:
                    order.on_error(error)
                self._end(order)

        self._show(order, Progress(0, 0))
        self._runner.start(
            order.key, order.task, on_progress=progressed, on_done=done, on_error=failed
        )

    def cancel(self, key: str) -> bool:
        """Ask a task to stop; False if none of this key runs."""
        self._cancelled.add(key)
        return self._runner.cancel(key)

    def close(self) -> None:
        """Stop everything; no answer is delivered any more."""
        for key in self._generation:
            self._generation[key] += 1
            self._runner.cancel(key)
        self._state.tasks = ()

    def is_running(self, key: str) -> bool:
        """Tell whether an order of this key is under way."""
        return any(task.key == key for task in self._state.tasks)

    def is_unfinished(self, key: str) -> bool:
        """Tell whether an order is under way that nobody asked to stop."""
        return self.is_running(key) and key not in self._cancelled

    def tell(self, title: str, error: Exception) -> None:
        """Say what failed: in the window and in the log."""
        if isinstance(error, Cancelled):
            _log.info("%s: cancelled", title)
            self._state.say(f"{title}: stopped. What was finished is kept.")
            return
        if isinstance(error, CytoSynthError):
            _log.warning("%s: %s", title, error)
            self._state.fail(str(error))
            return
        _log.error("%s failed", title, exc_info=error)
        self._state.fail(
            f"{title} stopped by an unexpected {type(error).__name__}: {error}. "
            "Nothing that was saved is lost; the details are in the log."
        )

    def warn(self, sentence: str) -> None:
        """Say what the user must know of a result that is otherwise there."""
        _log.warning("%s", sentence)
        self._state.fail(sentence)

    def _end(self, order: Order[T]) -> None:
        if order.on_end is not None:
            order.on_end()

    def _show(self, order: Order[T], progress: Progress) -> None:
        if order.quiet:
            return
        status = TaskStatus(
            order.key, order.title, progress.done, progress.total, progress.note
        )
        tasks = self._state.tasks
        if any(task.key == status.key for task in tasks):
            shown = tuple(status if t.key == status.key else t for t in tasks)
        else:
            shown = (*tasks, status)
        self._state.tasks = shown

    def _forget(self, key: str) -> None:
        self._state.tasks = tuple(t for t in self._state.tasks if t.key != key)
