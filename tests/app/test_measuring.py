"""What the session measures in the background as labels come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_cytosynth.core.errors import WorkerError
from napari_cytosynth.core.tasks import Progress
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.workflows import progress


def test_a_curve_is_measured_once_there_is_a_head(
    taught: Desk, runner: HeldRunner
) -> None:
    assert taught.session.state.curve is None
    seen: list[object] = []
    taught.session.events.curve.connect(seen.append)
    runner.release("measure")
    curve = taught.session.state.curve
    assert seen == [curve]
    assert curve.points
    assert curve.points[-1].labels == curve.labels


def test_it_waits_until_labels_grew_by_a_tenth(
    taught: Desk, runner: HeldRunner
) -> None:
    runner.release("measure")
    taught.label_truly(1)
    runner.release("learn")
    assert runner.count("measure") == 0
    taught.label_truly(2)
    runner.release("learn")
    assert runner.count("measure") == 1


def test_an_earlier_curve_is_shown_at_once(
    taught: Desk, runner: HeldRunner, open_desk: Callable[..., Desk]
) -> None:
    runner.release("measure")
    curve = taught.session.state.curve
    later = HeldRunner()
    again = open_desk(taught.session.project, runner=later)
    later.release("learn")
    assert again.session.state.curve == curve
    assert later.count("measure") == 1


def test_what_fails_is_told_once(
    taught: Desk, runner: HeldRunner, monkeypatch: Any
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        yield Progress(0, 1)
        raise WorkerError("The fits stopped. Try again.")

    monkeypatch.setattr(progress, "measure_curve", broken)
    runner.release("measure")
    assert taught.failures[-1] == "The fits stopped. Try again."
    taught.session.learner.refit()
    runner.release("learn")
    assert runner.count("measure") == 0


def test_the_pace_is_this_readers(taught: Desk) -> None:
    pace = taught.session.measuring.pace()
    assert pace.labels == 24
    taught.session.set_annotator("Bob")
    assert taught.session.measuring.pace().labels == 0
