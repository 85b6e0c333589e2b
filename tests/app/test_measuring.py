"""What the session measures in the background as labels come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_cytosynth.app.panels import DOUBTED, Figure
from napari_cytosynth.core.errors import WorkerError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.learning.curve import CurvePoint, LearningCurve, Measure
from napari_cytosynth.learning.doubts import Doubt
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.workflows import progress
from napari_cytosynth.workflows.doubts import doubted_labels
from napari_cytosynth.workflows.splitting import held_out_cells


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


def test_it_waits_until_labels_grew_by_ten(taught: Desk, runner: HeldRunner) -> None:
    runner.release("measure")
    project, held = taught.session.project, set(taught.truth)
    open_ = sorted(held - set(project.journal.labels()))
    for count, due in ((9, 0), (1, 1)):
        for cell in open_[:count]:
            project.record(Author("Ada").label(cell, taught.truth[cell]))
        del open_[:count]
        taught.session.learner.refit()
        runner.release("learn")
        assert runner.count("measure") == due


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


def doubt(desk: Desk, runner: HeldRunner, count: int = 2) -> list[CellId]:
    """Have the model doubt labels that train; return the cells, in order."""
    runner.release("measure")
    journal = desk.session.project.journal
    trained = [
        CellId(cell)
        for cell, label in journal.labels().items()
        if label.mode is Mode.TEACH
    ]
    codes = desk.session.project.taxonomy.codes
    found = []
    for cell in trained[:count]:
        given = desk.truth[cell]
        other = next(code for code in codes if code != given)
        found.append(Doubt(cell, given, other, 0.04, 0.91))
    desk.session.state.doubts = tuple(found)
    return trained[:count]


def test_a_wrong_label_is_doubted_after_a_round(
    taught: Desk, runner: HeldRunner
) -> None:
    runner.release("measure")
    found = run_to_end(
        doubted_labels(taught.session.project, taught.session.learner.key)
    )
    assert taught.session.state.doubts == found.found


def test_doubted_labels_are_worked_through_by_the_class_keys(
    taught: Desk, runner: HeldRunner
) -> None:
    session, view = taught.session, taught.views.annotate
    first, second = doubt(taught, runner)
    view.filterChosen.emit(DOUBTED)
    assert session.state.listing.ids.tolist() == [first, second]
    assert session.state.focus == first
    card = view.shown("show_cards")[0]
    assert card.code == taught.truth[first]
    assert card.caption.endswith(f"0.91, labelled {card.code} 0.04")
    # The same key keeps it, and goes on to the next.
    assert session.label(taught.truth[first])
    assert session.state.focus == second
    other = session.state.doubts[1].likely
    assert session.label(other)
    assert session.project.journal.label(second).code == other
    assert "No further cell" in session.state.message
    # Neither is shown again.
    session.set_filter("")
    session.set_filter(DOUBTED)
    assert len(session.state.listing) == 0
    assert "doubts no label" in view.shown("show_nothing")


def test_a_kept_label_is_doubted_again_when_keeping_it_is_undone(
    taught: Desk, runner: HeldRunner
) -> None:
    session = taught.session
    (first,) = doubt(taught, runner, 1)
    session.set_filter(DOUBTED)
    assert session.label(taught.truth[first])
    assert session.undo()
    session.set_filter("")
    session.set_filter(DOUBTED)
    assert session.state.listing.ids.tolist() == [first]


def test_hidden_predictions_hide_what_is_doubted(
    taught: Desk, runner: HeldRunner
) -> None:
    doubt(taught, runner)
    taught.session.set_filter(DOUBTED)
    taught.session.set_blind(True)
    assert len(taught.session.state.listing) == 0
    assert "hidden" in taught.session.lists.why_empty()


def test_new_doubts_join_the_list_behind_the_focused_card(
    taught: Desk, runner: HeldRunner
) -> None:
    session = taught.session
    cells = doubt(taught, runner, 3)
    every = session.state.doubts
    session.state.doubts = every[:1]
    session.set_filter(DOUBTED)
    session.state.doubts = every
    assert session.state.listing.ids.tolist() == cells
    assert session.state.focus == cells[0]


def test_evidence_says_accuracy_forecast_and_doubts(
    taught: Desk, runner: HeldRunner
) -> None:
    session, view = taught.session, taught.views.evidence
    doubt(taught, runner, 1)
    lines = view.shown("show_progress")
    n = session.state.accuracy.n
    assert lines[0].startswith("Accuracy cannot be estimated yet")
    assert f"it takes, {n} are labelled" in lines[0]
    assert lines[1] == session.state.stopping.sentence
    assert lines[2] == f"Limit: {session.state.stopping.caveat}."
    assert lines[3].startswith("The model doubts 1 label:")
    # What is doubted is a prediction, and settled by the class key.
    session.set_blind(True)
    assert view.shown("show_progress") == lines[:3]
    session.set_blind(False)
    session.set_filter(DOUBTED)
    assert session.label(session.state.doubts[0].given)
    assert view.shown("show_progress") == lines[:3]


def test_ten_audit_cells_tell_the_accuracy(taught: Desk, runner: HeldRunner) -> None:
    session, author = taught.session, Author("Ada", Mode.AUDIT)
    for number in held_out_cells(session.project).tolist():
        cell = CellId(number)
        events = author.audit_draw(cell), author.label(cell, taught.truth[cell])
        session.project.record(*events)
    session.learner.refit()
    runner.release("learn")
    accuracy = session.state.accuracy
    assert accuracy.n >= 10
    assert accuracy.value is not None
    line = taught.views.evidence.shown("show_progress")[0]
    assert line == f"Accuracy on audit cells: {accuracy.text}, n = {accuracy.n}."


def test_the_curve_is_drawn_and_the_pace_told(taught: Desk) -> None:
    session = taught.session
    found = LearningCurve(
        Measure.AUDIT,
        (CurvePoint(10, Interval(0.4, 0.3, 0.5, 12)),),
        10,
        "fewer than 5 groups",
    )
    session.state.curve = found
    shown = taught.views.evidence.shown("show_learning")
    assert shown.measure == "accuracy on audit cells, n = 12"
    assert shown.points == ((10, Figure(0.4, 0.3, 0.5, 12)),)
    assert shown.caveat == "fewer than 5 groups"
    line = taught.views.status.shown("show_status")
    assert line.pace == session.measuring.pace().per_minute
    assert line.pace is not None
    session.state.curve = None
    assert taught.views.evidence.shown("show_learning").points == ()


def test_what_was_measured_of_other_vectors_is_not_shown(
    taught: Desk, runner: HeldRunner
) -> None:
    taught.session.measuring.follow("another:1")
    runner.release("measure")
    assert taught.session.state.curve is None
    assert taught.session.state.stopping is None
