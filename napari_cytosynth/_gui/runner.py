"""Runs tasks in threads and answers in the window's thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qtpy.QtCore import QObject, QTimer, Signal

from napari_cytosynth.core.errors import Cancelled
from napari_cytosynth.core.tasks import Progress, Task

T = TypeVar("T")

DRAIN_SECONDS = 0.02
"""Longest that one pass delivers answers before the window may breathe."""


@dataclass(eq=False)
class _Job:
    """One task under way; its thread fills ``inbox``, the window's empties it."""

    key: str
    task: Task[Any]
    on_progress: Callable[[Progress], None] | None
    on_done: Callable[[Any], None] | None
    on_error: Callable[[Exception], None] | None
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    inbox: deque[tuple[str, Any]] = field(default_factory=deque)
    superseded: bool = False


class QtRunner(QObject):
    """Implements :class:`napari_cytosynth.core.tasks.Runner` for the viewer.

    Each task runs in a thread of its own; progress, result and error reach the
    callbacks in the thread of this object. Of progress without a payload only the
    newest is delivered. A superseded task is closed between two yields and its late
    answers are dropped; the newer one starts once the older has cleaned up, so two
    tasks of one key never overlap.
    """

    taskStarted = Signal(str)
    taskProgressed = Signal(str, object)
    taskEnded = Signal(str)
    _wake = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[str, _Job] = {}
        self._all: list[_Job] = []
        self._threads: dict[_Job, threading.Thread] = {}
        self._closed = False
        self._draining = False
        self._wake.connect(self._drain)

    def start(
        self,
        key: str,
        task: Task[T],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_done: Callable[[T], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run ``task`` in a thread; a running task of the same key is superseded."""
        if self._closed:
            task.close()
            return
        older = self._jobs.get(key)
        if older is not None:
            older.superseded = True
            older.stop.set()
        job = _Job(key, task, on_progress, on_done, on_error)
        self._jobs[key] = job
        self._all.append(job)
        thread = threading.Thread(
            target=self._work, args=(job, older), name=f"cytosynth-{key}", daemon=True
        )
        self._threads[job] = thread
        if older is None:
            self.taskStarted.emit(key)
        thread.start()

    def cancel(self, key: str) -> bool:
        """Ask the task of this key to stop; its ``on_error`` is told Cancelled."""
        job = self._jobs.get(key)
        if job is None:
            return False
        job.stop.set()
        return True

    def running(self) -> tuple[str, ...]:
        """Return the keys of the tasks under way."""
        return tuple(self._jobs)

    def close(self, timeout: float = 10.0) -> bool:
        """Stop all tasks, wait for their clean-up, deliver nothing more.

        Returns
        -------
        bool
            False if a task was still busy after ``timeout`` seconds.
        """
        self._closed = True
        for job in self._all:
            job.superseded = True
            job.stop.set()
        end = time.monotonic() + timeout
        for thread in list(self._threads.values()):
            thread.join(max(0.0, end - time.monotonic()))
        self._threads = {j: t for j, t in self._threads.items() if t.is_alive()}
        self._jobs.clear()
        self._all = list(self._threads)
        return not self._threads

    def _work(self, job: _Job, older: _Job | None) -> None:
        """Drive one task, in a thread of its own; touches no Qt but a signal."""
        if older is not None:
            older.ended.wait()
        try:
            for progress in _steps(job):
                self._post(job, "progress", progress)
        except Exception as error:  # noqa: BLE001  crosses the thread unchanged
            self._post(job, "error", error)
        finally:
            job.ended.set()

    def _post(self, job: _Job, kind: str, value: Any) -> None:
        if isinstance(value, _Result):
            kind, value = "done", value.value
        job.inbox.append((kind, value))
        if not self._closed:
            self._wake.emit()

    def _drain(self) -> None:
        # A callback may spin the event loop (napari's progress bars do): answers that
        # come meanwhile wait, or they would overtake the one being delivered.
        if self._draining:
            QTimer.singleShot(0, self._drain)
            return
        self._draining = True
        try:
            self._deliver_some()
        finally:
            self._draining = False

    def _deliver_some(self) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        for job in list(self._all):
            while job.inbox:
                kind, value = job.inbox.popleft()
                if kind == "progress" and _stale(value, job.inbox):
                    continue
                self._deliver(job, kind, value)
                if time.monotonic() > end:
                    QTimer.singleShot(0, self._drain)
                    return

    def _deliver(self, job: _Job, kind: str, value: Any) -> None:
        if kind != "progress":
            self._forget(job)
        if job.superseded or self._closed:
            return
        callbacks = {"progress": job.on_progress, "done": job.on_done}
        callback = callbacks.get(kind, job.on_error)
        if callback is not None:
            callback(value)
        elif kind == "error" and not isinstance(value, Cancelled):
            raise value
        if kind == "progress":
            self.taskProgressed.emit(job.key, value)

    def _forget(self, job: _Job) -> None:
        if job in self._all:
            self._all.remove(job)
        self._threads.pop(job, None)
        if self._jobs.get(job.key) is job:
            del self._jobs[job.key]
            self.taskEnded.emit(job.key)


@dataclass(frozen=True)
class _Result:
    value: Any


def _steps(job: _Job) -> Any:
    """Yield the task's progress, then its :class:`_Result`; close it in any case."""
    try:
        while not job.stop.is_set():
            try:
                progress = next(job.task)
            except StopIteration as stop:
                yield _Result(stop.value)
                return
            yield progress
    finally:
        job.task.close()
    raise Cancelled(f"'{job.key}' was stopped. What was finished before is kept.")


def _stale(value: Progress, behind: deque[tuple[str, Any]]) -> bool:
    """Tell whether newer progress waits behind one that carries no payload."""
    return value.payload is None and bool(behind) and behind[0][0] == "progress"
