from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.app.panels import Tab
from napari_cytosynth.core.errors import WorkerDiedError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Job, JobState
from napari_cytosynth.core.protocols import Batch
from napari_cytosynth.core.provenance import Assessment, Status
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.use_gate import UseAnswer
from napari_cytosynth.store import MemoryProject, create_project, open_project
from napari_cytosynth.synthesis.starter import load_training_thumbnails
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.tiny import tiny_synthetic
from napari_cytosynth.workflows.kept import vector_counts


def row_of(desk: Desk, code: str) -> Any:
    return next(row for row in desk.session.state.classes if row.code == code)


def stream(held: Desk, runner: HeldRunner, at_least: int) -> None:
    """Let the fill of BA run until so many cells passed."""
    while row_of(held, "BA").proposed < at_least:
        assert runner.step("fill:BA")


def test_a_fill_streams_into_tab_mosaic_and_counts(
    held: Desk, runner: HeldRunner
) -> None:
    views, state = held.views, held.session.state
    views.classes.fillAsked.emit("BA")
    form = views.synthesize.shown("show_form")
    assert (form.code, form.real) == ("BA", 0)
    assert "unverified" in form.warning
    views.synthesize.fillAsked.emit("BA", 6, "latent", {})
    assert state.fill_class == ""
    assert row_of(held, "BA").filling
    stream(held, runner, 1)
    some = len(state.synthetic)
    assert 0 < some < 6 or some == 6
    assert len(views.review.shown("show_cards")) == some
    mosaic = views.canvas.shown("show_mosaic")
    assert (mosaic.code, len(mosaic.tiles)) == ("BA", some)
    assert "Synthetic" in mosaic.title
    assert "unverified" in mosaic.title
    assert views.synthesize.shown("show_fills")[0].key == "fill:BA"
    runner.release("fill:BA")
    assert row_of(held, "BA").proposed == 6
    assert not row_of(held, "BA").filling
    assert views.synthesize.shown("show_fills") == ()
    outcome = views.synthesize.shown("show_outcome")
    assert outcome.startswith("6 of 6 BA passed")
    assert outcome.endswith("6 BA cells wait for your verdict in the tab Synthetic.")
    assert views.canvas.shown("show_mosaic") is None


def test_vectors_fill_the_classifier_and_no_tab(desk: Desk) -> None:
    desk.label_truly(60)
    code = max(desk.session.state.classes, key=lambda row: row.labelled).code
    views, fills = desk.views, desk.session.fills
    views.classes.fillAsked.emit(code)
    form = views.synthesize.shown("show_form")
    assert form.generators == ("latent", "lora", "embedding")
    assert "never shown as pictures" in form.warning_of("embedding")
    assert "Needs a GPU" in form.warning_of("lora")
    assert form.warning_of("latent") == ""
    views.synthesize.fillAsked.emit(code, 3, "embedding", {})
    assert "if the use gate opens" in views.synthesize.shown("show_outcome")
    kept = fills.vectors[code]
    assert 0 < kept <= 3
    head = desk.session.project.model("head")
    assert head is not None
    answer = UseAnswer.from_json(head.meta["use_gate"])
    assert len(answer.differences) == 10
    assert bool(head.meta["kept"]) == answer.opened
    assert desk.session.state.use_gate == str(answer)
    assert row_of(desk, code).proposed == row_of(desk, code).accepted == 0
    assert not desk.session.state.synthetic
    views.classes.fillAsked.emit(code)
    form = views.synthesize.shown("show_form")
    assert form.vectors == kept
    assert f"in place of the {kept} kept" in form.warning_of("embedding")
    views.synthesize.removeAsked.emit(code)
    assert vector_counts(desk.session.project) == {}
    assert "were removed" in views.synthesize.shown("show_outcome")


def test_kept_vectors_are_there_after_reopening(open_desk: Any) -> None:
    first = open_desk()
    first.label_truly(60)
    code = max(first.session.state.classes, key=lambda row: row.labelled).code
    first.session.fill(code, 2, "embedding")
    again = open_desk(first.session.project)
    assert again.session.fills.vectors == first.session.fills.vectors != {}


def test_no_vectors_without_a_real_cell(desk: Desk) -> None:
    desk.views.classes.fillAsked.emit("BA")
    form = desk.views.synthesize.shown("show_form")
    assert form.generators == ("latent", "lora")
    desk.session.fill("BA", 2, "embedding")
    assert "none is labelled yet" in desk.session.state.failure


def test_the_form_asks_for_options_of_the_generator(desk: Desk) -> None:
    views = desk.views
    views.classes.fillAsked.emit("BA")
    offered = views.synthesize.shown("show_form").settings["latent"]
    chosen = {setting.name: setting.value for setting in offered}
    assert {"strategy", "strength", "steps"} <= set(chosen)
    views.synthesize.fillAsked.emit("BA", 2, "latent", chosen | {"steps": 3})
    (job,) = desk.session.project.jobs()
    assert job.data["options"] == {"steps": 3}, "what is at its default is no option"
    assert job.data["generator"] == "latent"


def test_a_manner_that_needs_a_real_cell_is_refused_before_anything_is_learned(
    desk: Desk,
) -> None:
    desk.views.synthesize.fillAsked.emit("BA", 2, "latent", {"strategy": "variation"})
    assert "no labelled cell of class 'BA'" in desk.session.state.failure
    assert not desk.session.project.jobs()


def test_synthetic_cells_count_apart_from_real_ones(desk: Desk) -> None:
    desk.session.fill("BA", 4)
    desk.session.judging.judge(True)
    row = row_of(desk, "BA")
    assert (row.labelled, row.accepted, row.proposed) == (0, 1, 3)
    assert len(desk.session.index) == 60


def test_accept_and_reject_by_key_and_undo(desk: Desk) -> None:
    desk.session.fill("BA", 4)
    desk.session.set_tab(Tab.SYNTHETIC)
    review, state = desk.views.review, desk.session.state
    first, second = state.synthetic[:2]
    assert state.review == first
    review.keyPressed.emit("a")
    assert state.review == second
    review.keyPressed.emit("r")
    cards = review.shown("show_cards")
    assert [cards[i].badge for i in range(3)] == ["accepted", "rejected", "proposed"]
    assert all(cards[i].synthetic and not cards[i].verified for i in range(4))
    mosaic = desk.views.canvas.shown("show_mosaic")
    assert [tile.id for tile in mosaic.tiles] == [state.synthetic[i] for i in (0, 2, 3)]
    review.keyPressed.emit("Ctrl+Z")
    assert state.review == second
    assert cards[1].badge == "proposed"
    review.keyPressed.emit("Ctrl+Z")
    assert state.review == first
    assert row_of(desk, "BA").accepted == 0
    review.keyPressed.emit("Ctrl+Y")
    assert row_of(desk, "BA").accepted == 1
    accepted = desk.session.project.synthetic("BA", Status.ACCEPTED)
    assert [cell.id for cell in accepted] == [first]


def test_details_say_how_it_was_made(desk: Desk) -> None:
    desk.session.fill("BA", 2)
    lines = desk.views.review.shown("show_details")
    assert any("Unverified" in line for line in lines)
    assert any("seed 0" in line for line in lines)
    desk.views.review.cellChosen.emit(1)
    assert desk.session.state.review == desk.session.state.synthetic[1]
    desk.views.review.verdictGiven.emit(False)
    assert row_of(desk, "BA").proposed == 1


def test_the_closest_real_cell_is_shown_beside_a_synthetic_one(desk: Desk) -> None:
    project, review = desk.session.project, desk.views.review
    (plain,) = tiny_synthetic(project.taxonomy, "BA", 1)
    assessed = replace(
        plain,
        assessments=(
            Assessment("agreement", 0.9, passed=True, reason="It looks like one."),
            Assessment("copy", 2.0, passed=True, reason="New.", nearest=7),
        ),
    )
    project.add_synthetic([assessed, plain])
    project.record(Author("Ada").label(CellId(7), "BA"))
    desk.session.reload()
    desk.session.fills.load()
    review.cellChosen.emit(0)
    crop, words = review.shown("show_nearest")
    assert np.array_equal(crop, project.crops([7])[0])
    assert words == "Closest real cell: 7, labelled BA"
    review.cellChosen.emit(1)
    assert review.shown("show_nearest") == (None, "")


def test_a_cancelled_fill_keeps_what_passed(held: Desk, runner: HeldRunner) -> None:
    held.session.fill("BA", 24)
    stream(held, runner, 2)
    kept = row_of(held, "BA").proposed
    held.views.synthesize.cancelAsked.emit("fill:BA")
    assert held.session.state.tasks == ()
    assert row_of(held, "BA").proposed == kept < 24
    assert not row_of(held, "BA").filling
    assert "stopped" in held.messages[-1]
    assert held.views.synthesize.shown("show_outcome") == (
        f"The fill of BA stopped early. {kept} BA cells wait for your verdict in the "
        "tab Synthetic."
    )
    assert not held.failures
    (job,) = [j for j in held.session.project.jobs() if j.key.startswith("fill:BA")]
    assert job.state is JobState.CANCELLED
    assert held.session.fill("BA", 4)


def test_two_fills_of_one_class_are_refused(held: Desk, runner: HeldRunner) -> None:
    assert held.session.fill("BA", 4)
    assert not held.session.fill("BA", 4)
    assert "already" in held.failures[-1]
    assert held.session.fill("MO", 4)
    assert [runner.count(f"fill:{code}") for code in ("BA", "MO")] == [1, 1]


def test_a_fill_that_closing_interrupted_goes_on_when_reopened(
    open_desk: Any, tmp_path: Path
) -> None:
    path = tmp_path / "smears.cytosynth"
    runner = HeldRunner()
    first = open_desk(create_project(path, built_in("pbc11")), runner=runner)
    first.session.fill("BA", 12)
    stream(first, runner, 2)
    before = row_of(first, "BA").proposed
    runner.close()
    first.session.close()
    again = HeldRunner()
    second = open_desk(open_project(path), runner=again)
    again.release("load")
    assert row_of(second, "BA").proposed == before
    assert "fill:BA" in again.running()
    again.release("fill:BA")
    assert row_of(second, "BA").proposed == 12


class FrailCompute(FakeCompute):
    """A backend that is lost for good after its first draws, while ``frail``."""

    frail = True

    def generate(self, *asked: Any) -> Iterator[Batch]:
        made = super().generate(*asked)
        yield next(made)
        if self.frail:
            raise WorkerDiedError("The worker ended. Start another.")
        yield from made


def fills_of(project: Any) -> list[Job]:
    return [job for job in project.jobs() if job.key.startswith("fill:")]


def test_a_fill_that_lost_its_worker_goes_on_when_reopened(
    open_desk: Any, tmp_path: Path
) -> None:
    path = tmp_path / "smears.cytosynth"
    first = open_desk(create_project(path, built_in("pbc11")), compute=FrailCompute())
    first.session.fill("BA", 24)
    assert "worker ended" in first.failures[-1]
    outcome = first.views.synthesize.shown("show_outcome")
    assert "stopped early" in outcome
    assert "in the tab Synthetic" in outcome
    first.session.close()
    second = open_desk(open_project(path))
    assert row_of(second, "BA").proposed == 24


def test_asking_again_goes_on_with_a_fill_that_lost_its_worker(open_desk: Any) -> None:
    compute = FrailCompute()
    desk = open_desk(compute=compute)
    desk.session.fill("BA", 24)
    (lost,) = fills_of(desk.session.project)
    compute.frail = False
    desk.session.fill("BA", 24)
    (job,) = fills_of(desk.session.project)
    assert (job.key, lost.state, job.state) == (
        lost.key,
        JobState.FAILED,
        JobState.DONE,
    )
    assert row_of(desk, "BA").proposed == 24


def test_closing_interrupts_the_fill_that_runs_not_one_that_was_cancelled(
    open_desk: Any, tmp_path: Path
) -> None:
    path, compute, runner = tmp_path / "a.cytosynth", FrailCompute(), HeldRunner()
    project = create_project(path, built_in("pbc11"))
    first = open_desk(project, compute=compute, runner=runner)
    first.session.fill("BA", 24)
    runner.release("fill:BA")
    compute.frail = False
    first.session.fill("BA", 6)
    runner.step("fill:BA", 2)
    first.views.synthesize.cancelAsked.emit("fill:BA")
    first.session.fill("BA", 24)  # goes on with the older of the two
    runner.step("fill:BA", 3)
    runner.close()
    first.session.close()
    with closing(open_project(path)) as again:
        assert [job.state for job in fills_of(again)] == [
            JobState.RUNNING,
            JobState.CANCELLED,
        ]


class MumRunner(HeldRunner):
    """A runner that is closed before it told that a task was cancelled."""

    def cancel(self, key: str) -> bool:
        for held in self._held:
            if held.key == key:
                held.task.close()
        return True


def test_a_fill_cancelled_just_before_closing_stays_cancelled(
    open_desk: Any, tmp_path: Path
) -> None:
    path, runner = tmp_path / "smears.cytosynth", MumRunner()
    first = open_desk(create_project(path, built_in("pbc11")), runner=runner)
    first.session.fill("BA", 24)
    stream(first, runner, 2)
    first.views.synthesize.cancelAsked.emit("fill:BA")
    runner.close()
    first.session.close()
    with closing(open_project(path)) as again:
        assert [job.state for job in fills_of(again)] == [JobState.CANCELLED]


def test_verdicts_are_there_after_reopening(open_desk: Any) -> None:
    project = MemoryProject(built_in("pbc11"))
    first = open_desk(project)
    first.session.fill("BA", 4)
    first.session.judging.judge(True)
    first.session.judging.judge(False)
    second = open_desk(project)
    shelf, ids = second.session.fills.shelf, second.session.state.synthetic
    assert [str(shelf[i].status) for i in ids] == [
        "accepted",
        "rejected",
        "proposed",
        "proposed",
    ]
    assert second.session.state.review == ids[2]


def test_an_unknown_class_or_generator_fails_with_a_sentence(desk: Desk) -> None:
    desk.session.fill("XYZ", 4)
    assert "XYZ" in desk.failures[-1]
    desk.session.fill("BA", 4, "no such generator")
    assert "no such generator" in desk.failures[-1]
    assert desk.session.state.tasks == ()
    outcome = desk.views.synthesize.shown("show_outcome")
    assert outcome.startswith(desk.failures[-1]), "the reason is there whole"
    assert outcome.endswith("stopped early. No cell had passed yet.")
    assert desk.session.fill("BA", 2)
    assert "no such" not in desk.views.synthesize.shown("show_outcome")


def test_the_class_filter_holds_for_synthetic_cells_too(desk: Desk) -> None:
    desk.session.fill("BA", 3)
    desk.session.fill("MO", 2)
    assert len(desk.session.state.synthetic) == 5
    desk.session.set_filter("MO")
    assert len(desk.session.state.synthetic) == 2
    assert desk.session.state.review in desk.session.state.synthetic


def test_a_click_on_the_mosaic_opens_the_tab_at_that_cell(
    held: Desk, runner: HeldRunner
) -> None:
    held.session.fill("BA", 4)
    stream(held, runner, 2)
    held.views.canvas.mosaicClicked.emit(1)
    assert held.session.state.tab is Tab.SYNTHETIC
    assert held.session.state.review == held.session.state.synthetic[1]


def test_the_form_is_put_away_when_no_class_is_asked_for(desk: Desk) -> None:
    desk.session.ask_fill("BA")
    assert desk.views.synthesize.shown("show_form").code == "BA"
    desk.session.ask_fill("")
    assert desk.views.synthesize.shown("show_form") is None


def test_what_the_gate_dropped_can_be_looked_at_and_counts_nowhere(desk: Desk) -> None:
    project, review = desk.session.project, desk.views.review
    plain, copied, sure = tiny_synthetic(project.taxonomy, "BA", 3)
    veto = Assessment("copy", 0.2, passed=False, reason="A copy of real cell 7.")
    passed = Assessment("agreement", 0.9, passed=True, reason="It looks like one.")
    project.add_synthetic(
        [
            replace(plain, verified=False),
            replace(copied, assessments=(passed, replace(veto, nearest=7))).judged(),
            sure,
        ]
    )
    first, dropped, last = (c.id for c in project.synthetic("BA"))
    project.set_synthetic_status([dropped], Status.DROPPED)
    desk.session.reload()
    desk.session.fills.load()
    state = desk.session.state
    assert state.synthetic == (first, last)
    assert row_of(desk, "BA").proposed == 2
    choices, chosen = review.shown("show_sieves")
    assert chosen == ""
    assert dict(choices) == {
        "": "all that passed the gate (2)",
        "proposed": "waiting for a verdict (2)",
        "accepted": "accepted (0)",
        "rejected": "rejected (0)",
        "unverified": "unverified (1)",
        "dropped": "dropped by the gate (1)",
        "refused:copy": "refused by copy (1)",
    }
    review.sieveChosen.emit("refused:copy")
    assert state.synthetic == (dropped,)
    assert state.review == dropped
    assert review.shown("show_details")[1] == "copy refused: A copy of real cell 7."
    card = review.shown("show_cards")[0]
    assert card.badge == "dropped"
    assert card.caption == "A copy of real cell 7."
    assert card.verdicts[0] == "agreement passed: It looks like one."
    crop, _ = review.shown("show_nearest")
    assert np.array_equal(crop, project.crops([7])[0])
    review.keyPressed.emit("a")
    assert "was dropped by the gate" in desk.failures[-1]
    assert ".." not in desk.failures[-1]
    assert row_of(desk, "BA").proposed == 2
    review.sieveChosen.emit("unverified")
    assert state.synthetic == (first,)
    review.sieveChosen.emit("")
    assert state.synthetic == (first, last)


def test_a_copy_of_a_training_cell_stands_beside_its_thumbnail(desk: Desk) -> None:
    project, review = desk.session.project, desk.views.review
    (plain,) = tiny_synthetic(project.taxonomy, "BA", 1)
    veto = Assessment("copy", 0.2, passed=False, reason="A copy.", nearest=7, trained=5)
    project.add_synthetic([replace(plain.judged(veto), status=Status.DROPPED)])
    desk.session.reload()
    desk.session.fills.load()
    review.sieveChosen.emit("dropped")
    crop, words = review.shown("show_nearest")
    assert crop.shape == (96, 96, 3)
    assert np.array_equal(crop[::6, ::6, 1], load_training_thumbnails()[0][5])
    assert "training cell of the shipped weights: 5" in words
