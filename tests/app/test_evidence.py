from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_cytosynth.app.figures import NOT_EVALUATED, curves, figure
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.evidence.record import CaseResult, ClassResult, Evidence
from napari_cytosynth.evidence.report import html_of
from napari_cytosynth.evidence.tabulated import lines_of
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic
from napari_cytosynth.workflows import fidelity


def evidence_with(recall: Interval | None) -> Evidence:
    macro = Interval(0.7, 0.6, 0.8, 90)
    cases = tuple(
        CaseResult(name, title, macro, {"BA": ClassResult(None, recall)})
        for name, title in (("none", "real cells"), ("synthetic", "with synthetic"))
    )
    return Evidence(
        verdict="no benefit found",
        caveats=("split by blocks",),
        cases=cases,
        differences=(),
        counts={"BA": {"real": 3, "synthetic": 5, "audit": 4}},
        seeds=(0, 1),
        seed=0,
        embedder="fake:1",
    )


def test_before_any_evaluation_nothing_is_claimed(desk: Desk) -> None:
    view = desk.views.evidence
    assert view.shown("show_curves") == ()
    assert view.shown("show_verdict") == (NOT_EVALUATED, ())


def test_curves_show_each_case_with_its_interval() -> None:
    macro, recall = curves(evidence_with(Interval(0.5, 0.3, 0.7, 12)))
    assert macro.cases == ("real cells", "with synthetic")
    assert macro.figures[0].text == "0.70 (0.60-0.80)"
    assert recall.title == "Recall of BA on audit cells"
    assert recall.figures[1].text == "0.50 (0.30-0.70)"


@pytest.mark.parametrize(
    "interval",
    [None, Interval(float("nan"), 0.0, 1.0, 3), Interval(0.5, 0.1, float("nan"), 3)],
)
def test_what_cannot_be_estimated_says_so(interval: Interval | None) -> None:
    assert figure(interval).text == "cannot be estimated yet"
    _, recall = curves(evidence_with(interval))
    assert recall.figures[0].value is None


def test_an_evaluation_runs_in_the_background_and_is_shown(
    held: Desk, runner: HeldRunner
) -> None:
    view = held.views.evidence
    view.evaluateAsked.emit()
    assert view.shown("show_busy").key == "evaluate"
    runner.release("evaluate")
    assert view.shown("show_busy") is None
    sentence, _ = view.shown("show_verdict")
    assert sentence.startswith("Cannot be estimated yet: ")
    assert sentence.endswith(".")


def test_the_report_is_the_one_of_the_command_line(desk: Desk, tmp_path: Path) -> None:
    view = desk.views.evidence
    assert view.shown("show_report") is False
    view.reportAsked.emit(str(tmp_path / "early.html"))
    assert not list(tmp_path.iterdir())
    desk.session.evaluating.start()
    assert view.shown("show_report") is True
    view.reportAsked.emit(str(tmp_path / "report.html"))
    evidence = desk.session.state.evidence
    appendix = run_to_end(desk.session.evaluating.appendix())
    page = html_of(evidence, appendix)
    assert (tmp_path / "report.html").read_text("utf-8") == page
    twin = json.loads((tmp_path / "report.json").read_text("utf-8"))
    inspection = twin.pop("inspection")
    assert twin == evidence.to_json()
    assert inspection["classes"] == appendix.inspection.to_json()["classes"]
    (tmp_path / "file").write_text("in the way")
    view.reportAsked.emit(str(tmp_path / "file" / "report.html"))
    assert "could not be written" in desk.session.state.failure


def test_macro_f1_names_its_classes() -> None:
    evidence = evidence_with(Interval(0.5, 0.3, 0.7, 12))
    counts = {
        "BA": {"real": 3, "synthetic": 5, "audit": 4},
        "LY": {"real": 9, "synthetic": 0, "audit": 30},
    }
    macro, _ = curves(replace(evidence, counts=counts))
    assert macro.title == "Macro-F1 on audit cells, over 1 of 2 classes: LY"


def test_the_last_evaluation_is_there_after_reopening(open_desk: Any) -> None:
    first = open_desk()
    first.session.evaluating.start()
    said = first.views.evidence.shown("show_verdict")
    second = open_desk(first.session.project)
    assert second.views.evidence.shown("show_verdict") == said


def _filled(desk: Desk) -> str:
    """Label cells and accept synthetic ones of a class."""
    project = desk.session.project
    code = project.taxonomy.cell_codes[0]
    desk.label_truly(30)
    author = desk.session.state.author()
    made = project.add_synthetic(tiny_synthetic(project.taxonomy, code, 12))
    project.record(*(author.verdict(cell.id, accept=True) for cell in made))
    return code


def test_fidelity_and_memorisation_are_shown_with_their_n(desk: Desk) -> None:
    view = desk.views.evidence
    assert view.shown("show_inspected") == ()
    code = _filled(desk)
    desk.session.evaluating.start()
    shown = view.shown("show_inspected")
    assert shown == lines_of(desk.session.state.inspection)
    assert {line.code for line in shown} == {code, "all"}
    assert any(line.n for line in shown)
    assert all(line.n or line.synthetic for line in shown)


def test_kept_figures_are_shown_again_and_not_measured_again(
    open_desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_desk()
    _filled(first)
    first.session.evaluating.start()
    shown = first.views.evidence.shown("show_inspected")
    assert shown
    for name in ("inspect_synthetic", "measure_fidelity", "measure_agreement"):
        monkeypatch.setattr(fidelity, name, pytest.fail)
    second = open_desk(first.session.project)
    assert second.views.evidence.shown("show_inspected") == shown


def test_labels_after_an_evaluation_make_it_old(desk: Desk) -> None:
    desk.session.evaluating.start()
    assert not any("older" in c for c in desk.views.evidence.shown("show_verdict")[1])
    desk.label_truly(3)
    _, limits = desk.views.evidence.shown("show_verdict")
    assert limits[0] == "older than your last 3 labels; evaluate again"
    desk.session.evaluating.start()
    assert not any("older" in c for c in desk.views.evidence.shown("show_verdict")[1])


def test_the_class_dock_tells_the_split_before_any_evaluation(open_desk: Any) -> None:
    project = MemoryProject(built_in("pbc11"))
    truth = tiny_project(project, smears=2)
    few = open_desk(project)
    few.truth = truth
    few.label_truly(2)
    caveat = few.views.classes.shown("show_caveat")
    assert "not by patient" in caveat
    found = replace(evidence_with(None), caveats=(caveat, "wide", "few"))
    few.session.state.evidence = found
    assert few.views.classes.shown("show_caveat") == f"{caveat}; 2 more under Evidence"


def test_a_late_answer_of_an_older_evaluation_is_dropped(
    held: Desk, runner: HeldRunner
) -> None:
    held.session.evaluating.start()
    held.session.evaluating.start()
    runner.release("evaluate")
    assert held.session.state.evidence is None
    runner.release("evaluate")
    assert held.session.state.evidence is not None
