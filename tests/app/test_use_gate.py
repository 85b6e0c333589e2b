"""The viewer's training obeys the use gate, asks it in the background, and says so."""

from __future__ import annotations

from typing import Any

from napari_cytosynth.core.errors import WorkerError
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.tasks import Progress
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.testing.tiny import tiny_synthetic
from napari_cytosynth.workflows import use_gate


def accept(desk: Desk, code: str, n: int) -> None:
    project = desk.session.project
    made = project.add_synthetic(tiny_synthetic(project.taxonomy, code, n))
    project.record(*(Author("reader").verdict(cell.id, True) for cell in made))
    desk.session.learner.refit()


def synthetic_in_head(desk: Desk) -> Any:
    head = desk.session.project.model("head")
    assert head is not None
    return head.meta["synthetic"]


def test_nothing_synthetic_nothing_asked(taught: Desk, runner: HeldRunner) -> None:
    assert taught.session.state.use_gate == ""
    assert not taught.session.jobs.is_running("use-gate")


def test_shut_until_asked_then_obeyed_and_said(
    taught: Desk, runner: HeldRunner
) -> None:
    desk, view = taught, taught.views.evidence
    accept(desk, "BA", 4)
    runner.release("learn")
    assert synthetic_in_head(desk) == {}
    assert "not asked yet" in desk.session.state.use_gate
    assert desk.session.jobs.is_running("use-gate")
    # Labels go on meanwhile, and do not ask twice.
    desk.session.learner.refit()
    runner.release("learn")
    runner.release("use-gate")
    runner.release("learn")
    (job,) = [j for j in desk.session.project.jobs() if j.key == "use-gate"]
    answer = use_gate.UseAnswer.from_json(job.data["answer"])
    assert desk.session.state.use_gate == str(answer)
    assert f"training: {answer}" in view.shown("show_verdict")[1]
    assert bool(synthetic_in_head(desk)) == answer.opened
    assert not desk.session.jobs.is_running("use-gate")


def test_a_gate_that_fails_is_told_once(
    taught: Desk, runner: HeldRunner, monkeypatch: Any
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        yield Progress(0, 1, "asking")
        raise WorkerError("The gate stopped. Ask again.")

    monkeypatch.setattr(use_gate, "ask", broken)
    accept(taught, "BA", 4)
    runner.release("learn")
    runner.release("use-gate")
    assert taught.session.state.failure == "The gate stopped. Ask again."
    taught.session.learner.refit()
    runner.release("learn")
    assert not taught.session.jobs.is_running("use-gate")
