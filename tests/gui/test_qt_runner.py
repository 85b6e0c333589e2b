from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from napari_cytosynth._gui.runner import QtRunner
from napari_cytosynth.core.errors import Cancelled, InputError
from napari_cytosynth.core.tasks import Progress, Task


@pytest.fixture
def runner() -> Iterator[QtRunner]:
    made = QtRunner()
    yield made
    assert made.close()


def steps(n: int, result: Any, threads: list[int] | None = None) -> Task[Any]:
    for i in range(n):
        if threads is not None:
            threads.append(threading.get_ident())
        yield Progress(i + 1, n, payload=(i,))
    return result


class Gate:
    """A task that waits between two yields until it is let go."""

    def __init__(self, result: str = "late") -> None:
        self.open, self.entered = threading.Event(), threading.Event()
        self.closed = threading.Event()
        self._result = result

    def task(self) -> Task[str]:
        try:
            yield Progress(0, 2)
            self.entered.set()
            assert self.open.wait(10)
            yield Progress(1, 2)
            yield Progress(2, 2)
        finally:
            self.closed.set()
        return self._result


def test_work_in_a_thread_answers_in_ours(qtbot: QtBot, runner: QtRunner) -> None:
    worked: list[int] = []
    told: list[tuple[int, Any]] = []
    here = threading.get_ident()
    runner.start(
        "a",
        steps(3, "done", worked),
        on_progress=lambda p: told.append((threading.get_ident(), p.payload)),
        on_done=lambda r: told.append((threading.get_ident(), r)),
    )
    qtbot.waitUntil(lambda: len(told) == 4)
    assert told == [(here, (0,)), (here, (1,)), (here, (2,)), (here, "done")]
    assert here not in worked
    assert runner.running() == ()


def test_an_error_arrives_with_its_type(qtbot: QtBot, runner: QtRunner) -> None:
    def bad() -> Task[None]:
        yield Progress(0, 1)
        raise InputError("no such smear")

    errors: list[Exception] = []
    runner.start("a", bad(), on_error=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert type(errors[0]) is InputError


def test_cancel_closes_between_yields(qtbot: QtBot, runner: QtRunner) -> None:
    gate, errors, done = Gate(), [], []
    runner.start("a", gate.task(), on_error=errors.append, on_done=done.append)
    assert gate.entered.wait(10)
    assert runner.cancel("a")
    gate.open.set()
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], Cancelled)
    assert gate.closed.is_set()
    assert not done
    assert not runner.cancel("a")


def test_a_newer_task_supersedes(qtbot: QtBot, runner: QtRunner) -> None:
    old, told = Gate(), []
    runner.start("a", old.task(), on_done=told.append, on_error=told.append)
    assert old.entered.wait(10)

    def newer() -> Task[str]:
        assert old.closed.is_set(), "two tasks of one key overlap"
        yield Progress(0, 1)
        return "new"

    runner.start("a", newer(), on_done=told.append, on_error=told.append)
    old.open.set()
    qtbot.waitUntil(lambda: bool(told))
    qtbot.wait(20)
    assert told == ["new"]


def test_answers_never_overtake(qtbot: QtBot, runner: QtRunner) -> None:
    """A callback that spins the event loop gets no later answer meanwhile."""
    order: list[str] = []

    def on_progress(progress: Progress) -> None:
        order.append(f"begin {progress.done}")
        qtbot.wait(30)
        order.append(f"end {progress.done}")

    runner.start(
        "a", steps(2, "r"), on_progress=on_progress, on_done=lambda _: order.append("r")
    )
    qtbot.waitUntil(lambda: "r" in order)
    assert order == ["begin 1", "end 1", "begin 2", "end 2", "r"]


def test_plain_progress_is_thinned(qtbot: QtBot, runner: QtRunner) -> None:
    def busy() -> Task[int]:
        for i in range(5000):
            yield Progress(i + 1, 5000)
        return 1

    seen: list[int] = []
    done: list[int] = []
    runner.start("a", busy(), on_progress=lambda p: seen.append(p.done))
    runner.start("b", busy(), on_done=done.append)
    qtbot.waitUntil(lambda: bool(done) and not runner.running())
    assert seen == sorted(seen)
    assert seen[-1] == 5000


def test_close_stops_all_and_delivers_nothing(qtbot: QtBot) -> None:
    runner, gate, told = QtRunner(), Gate(), []
    runner.start("a", gate.task(), on_done=told.append, on_error=told.append)
    assert gate.entered.wait(10)
    gate.open.set()
    assert runner.close()
    assert gate.closed.is_set()
    qtbot.wait(20)
    assert told == []
    late = Gate()
    runner.start("b", late.task(), on_done=told.append)
    assert runner.running() == ()


def test_close_says_if_a_task_is_stuck(qtbot: QtBot) -> None:
    runner, gate = QtRunner(), Gate()
    runner.start("a", gate.task())
    assert gate.entered.wait(10)
    assert not runner.close(timeout=0.05)
    gate.open.set()
    assert runner.close()
