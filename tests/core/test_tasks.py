"""Tasks end, fail and are cancelled; clean-up always runs."""

import pytest

from napari_cytosynth.core.errors import Cancelled, InputError
from napari_cytosynth.core.tasks import InlineRunner, Progress, Task, run_to_end


def counting(n: int, log: list[str]) -> Task[int]:
    try:
        for i in range(n):
            yield Progress(i, n, payload=i)
        log.append("done")
        return n
    finally:
        log.append("clean")


def failing() -> Task[int]:
    yield Progress(0, 1)
    raise InputError("no")


def test_result_and_progress() -> None:
    log: list[str] = []
    seen: list[object] = []
    assert run_to_end(counting(3, log), lambda p: seen.append(p.payload)) == 3
    assert seen == [0, 1, 2]
    assert log == ["done", "clean"]


def test_error_in_progress_closes_the_task() -> None:
    log: list[str] = []

    def stop(progress: Progress) -> None:
        if progress.done == 1:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        run_to_end(counting(3, log), stop)
    assert log == ["clean"]


def test_runner_reports_done_and_errors() -> None:
    runner = InlineRunner()
    told: list[object] = []
    runner.start("a", counting(2, []), on_done=told.append)
    runner.start("b", failing(), on_done=told.append, on_error=told.append)
    assert told[0] == 2
    assert isinstance(told[1], InputError)
    assert runner.running() == ()


def test_runner_raises_what_nobody_catches() -> None:
    runner = InlineRunner()
    with pytest.raises(InputError):
        runner.start("a", failing())
    assert runner.running() == ()


def test_runner_cancels_between_yields() -> None:
    runner = InlineRunner()
    log: list[str] = []
    told: list[Exception] = []

    def on_progress(progress: Progress) -> None:
        assert runner.running() == ("a",)
        if progress.done == 1:
            assert runner.cancel("a")

    runner.start("a", counting(5, log), on_progress=on_progress, on_error=told.append)
    assert isinstance(told[0], Cancelled)
    assert log == ["clean"]
    assert not runner.cancel("a")


def test_cancelled_key_can_run_again() -> None:
    runner = InlineRunner()
    assert not runner.cancel("a")
    told: list[int] = []
    runner.start("a", counting(2, []), on_done=told.append)
    assert told == [2]
