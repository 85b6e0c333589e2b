"""Long work as plain generators, and the runner that drives them.

A ``Task[T]`` yields :class:`Progress` at least once a second and returns a ``T``. The
same generator runs in a test, on the command line and in the viewer's thread pool; only
the :class:`Runner` differs. Clean-up sits in ``finally``: to cancel, the runner closes
the generator between two yields.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from napari_cytosynth.core.errors import Cancelled

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is.

    Parameters
    ----------
    done, total : int
        Steps done and steps in all; ``total`` 0 means unknown.
    note : str
        What is being done, for a person.
    payload : object
        A partial result to show at once, such as a batch of accepted cells.
    """

    done: int
    total: int
    note: str = ""
    payload: object = None


Task: TypeAlias = Generator[Progress, None, T]


class Runner(Protocol):
    """Drives tasks. A newer task of the same key supersedes the older one."""

    def start(
        self,
        key: str,
        task: Task[T],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_done: Callable[[T], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run ``task``; late answers of a superseded task are dropped."""
        ...

    def cancel(self, key: str) -> bool:
        """Ask the task of this key to stop; False if none runs."""
        ...

    def running(self) -> tuple[str, ...]:
        """Return the keys of the tasks under way."""
        ...


def run_to_end(
    task: Task[T], on_progress: Callable[[Progress], None] | None = None
) -> T:
    """Drive a task in this thread and return its result.

    Raises
    ------
    Cancelled
        If ``on_progress`` raises it; the task is closed first.
    """
    try:
        while True:
            progress = next(task)
            if on_progress is not None:
                on_progress(progress)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        task.close()


class InlineRunner:
    """Runs each task at once, in the caller's thread: for tests and command line."""

    def __init__(self) -> None:
        self._cancelled: set[str] = set()
        self._stack: list[str] = []

    def start(
        self,
        key: str,
        task: Task[T],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_done: Callable[[T], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run ``task`` to its end before returning."""
        self._cancelled.discard(key)
        self._stack.append(key)

        def step(progress: Progress) -> None:
            if key in self._cancelled:
                raise Cancelled(f"Task '{key}' was cancelled.")
            if on_progress is not None:
                on_progress(progress)

        try:
            result: Any = run_to_end(task, step)
        except Exception as error:
            if on_error is None:
                raise
            on_error(error)
        else:
            if on_done is not None:
                on_done(result)
        finally:
            self._stack.remove(key)

    def cancel(self, key: str) -> bool:
        """Stop the task at its next yield."""
        self._cancelled.add(key)
        return key in self._stack

    def running(self) -> tuple[str, ...]:
        """Return the keys of the tasks under way."""
        return tuple(self._stack)
