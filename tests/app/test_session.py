from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_cytosynth.app.cards import CellCards
from napari_cytosynth.app.cellindex import NONE
from napari_cytosynth.app.panels import OPINION, Quality, Sort, Tab, TaskStatus
from napari_cytosynth.core.errors import StorageError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.quality import Flaw
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.testing.fakes import FAKE_EMBEDDERS, FAKE_GENERATORS
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.suggest import suggest


def test_start_shows_a_queue_and_focuses_its_first_card(desk: Desk) -> None:
    assert len(desk.session.state.listing) == 30
    assert desk.session.state.focus == desk.session.state.listing.ids[0]
    assert desk.session.state.smear == desk.session.index.table.smear_of(
        desk.session.state.focus
    )


def test_a_label_is_kept_counted_and_moves_on(desk: Desk) -> None:
    cell = desk.session.state.focus
    assert desk.session.label("MO")
    assert desk.session.project.journal.label(cell).code == "MO"
    assert desk.session.index.label(cell) == "MO"
    assert next(r for r in desk.session.state.classes if r.code == "MO").labelled == 1
    assert desk.session.state.focus != cell
    assert desk.session.state.focus is not None


def test_an_unknown_class_is_refused_and_nothing_moves(desk: Desk) -> None:
    cell = desk.session.state.focus
    assert not desk.session.label("XYZ")
    assert desk.session.state.focus == cell
    assert "XYZ" in desk.failures[-1]
    assert not desk.session.project.journal.labels()


def test_no_label_without_a_name(open_desk: Any) -> None:
    desk = open_desk(annotator="")
    assert desk.views.status.count("ask_annotator") == 1
    cell = desk.session.state.focus
    assert not desk.session.label("MO")
    assert desk.session.state.focus == cell
    assert "name" in desk.failures[-1]
    desk.views.status.annotatorGiven.emit(" Ada ")
    assert desk.session.label("MO")
    assert desk.session.project.journal.label(cell).annotator == "Ada"


class FullDisk(MemoryProject):
    """A project whose disk is full as soon as ``full`` is set."""

    full = False

    def record(self, *events: Any) -> Any:
        if self.full:
            raise StorageError("The disk is full. Free some space and label again.")
        return super().record(*events)


def test_a_failed_commit_is_told_and_the_focus_stays(open_desk: Any) -> None:
    project = FullDisk(built_in("pbc11"))
    desk = open_desk(project)
    cell, classes = desk.session.state.focus, desk.session.state.classes
    project.full = True
    for act in (
        lambda: desk.session.label("MO"),
        desk.session.skip,
        desk.session.remove_cell,
        lambda: desk.session.comment("odd"),
    ):
        assert not act()
        assert desk.session.state.focus == cell
        assert desk.session.index.label(cell) == ""
        assert desk.session.state.classes == classes
        assert "disk is full" in desk.failures[-1]
    assert len(desk.failures) == 4
    project.full = False
    assert desk.session.label("MO")


def test_undo_and_redo_without_limit_bring_the_focus_back(desk: Desk) -> None:
    cells = desk.label_truly(8)
    for cell in reversed(cells):
        assert desk.session.undo()
        assert desk.session.state.focus == cell
        assert desk.session.index.label(cell) == ""
    assert not desk.session.undo()
    assert "nothing to undo" in desk.messages[-1]
    for cell in cells:
        assert desk.session.redo()
        assert desk.session.state.focus == cell
        assert desk.session.index.label(cell) == desk.truth[cell]
    assert not desk.session.redo()
    assert int(desk.session.index.counts.sum()) == 8


def test_a_label_after_undo_forgets_what_could_be_redone(desk: Desk) -> None:
    cell = desk.session.state.focus
    desk.session.label("MO")
    desk.session.undo()
    assert desk.session.state.history[1] == f"label MO of cell {cell}"
    desk.session.label("BA")
    assert desk.session.state.history == (f"label BA of cell {cell}", "")


def test_skip_passes_over_and_does_not_come_back_at_once(desk: Desk) -> None:
    cell = desk.session.state.focus
    assert desk.session.skip()
    assert desk.session.state.focus != cell
    seen = set(desk.label_truly(20))
    assert cell not in seen
    assert desk.session.index.label(cell) == ""


def test_a_removed_cell_leaves_the_grid_and_undo_brings_it_back(desk: Desk) -> None:
    cell, n = desk.session.state.focus, len(desk.session.index)
    assert desk.session.remove_cell()
    assert desk.session.state.focus not in (cell, None)
    assert desk.session.state.listing.row_of(cell) is None
    assert len(desk.session.index) == n - 1
    assert desk.session.undo()
    assert desk.session.state.focus == cell
    assert len(desk.session.index) == n
    assert desk.session.label("MO")


def test_a_cell_struck_out_is_learnt_like_a_label(
    held: Desk, runner: HeldRunner
) -> None:
    assert runner.count("learn") == 0
    held.session.remove_cell()
    assert runner.count("learn") == 1


def test_removing_a_labelled_cell_takes_its_label_out_of_the_counts(
    desk: Desk,
) -> None:
    cell = desk.session.state.focus
    desk.session.label("MO")
    desk.session.focus_cell(cell)
    desk.session.remove_cell()
    assert int(desk.session.index.counts.sum()) == 0
    desk.session.undo()
    assert int(desk.session.index.counts.sum()) == 1


def test_comment_and_second_opinion_show_on_the_card(desk: Desk) -> None:
    cell = desk.session.state.focus
    row = desk.session.state.listing.row_of(cell)
    desk.session.comment("vacuoles?")
    assert desk.views.annotate.shown("show_cards")[row].badge == "comment"
    desk.session.second_opinion()
    assert desk.views.annotate.shown("show_cards")[row].badge == "second opinion"
    assert desk.session.state.focus == cell


def test_one_queue_goes_through_several_smears(desk: Desk) -> None:
    seen = set()
    for _ in range(20):
        seen.add(desk.session.state.smear)
        assert desk.session.state.smear == desk.session.index.table.smear_of(
            desk.session.state.focus
        )
        desk.label_truly(1)
    assert len(seen) >= 3


def test_a_fresh_ranking_never_moves_the_card_under_the_eye(
    held: Desk, runner: HeldRunner
) -> None:
    desk = held
    desk.label_truly(3)
    focus, row = (
        desk.session.state.focus,
        desk.session.state.listing.row_of(desk.session.state.focus),
    )
    behind = desk.session.state.listing.ids[: row + 1].tolist()
    ahead = desk.session.state.listing.ids[row + 1 :].tolist()
    runner.release("learn")
    desk.session.set_strategy("random")
    runner.release("rank")
    assert desk.session.state.focus == focus
    assert desk.session.state.listing.row_of(focus) == row
    assert desk.session.state.listing.ids[: row + 1].tolist() == behind
    assert desk.session.state.listing.ids[row + 1 :].tolist() != ahead
    assert len(set(desk.session.state.listing.ids.tolist())) == len(
        desk.session.state.listing
    )


def test_a_superseded_ranking_is_dropped(held: Desk, runner: HeldRunner) -> None:
    desk = held
    desk.session.set_strategy("entropy")
    desk.session.set_strategy("random")
    before = desk.session.state.listing
    runner.release("rank")
    assert desk.session.state.listing == before
    runner.release("rank")
    assert desk.session.state.listing != before


def test_labels_given_while_learning_cause_one_more_round(
    held: Desk, runner: HeldRunner
) -> None:
    held.label_truly(5)
    assert runner.count("learn") == 1
    runner.release("learn")
    assert runner.count("learn") == 1
    runner.release("learn")
    assert runner.count("learn") == 0


def test_the_model_learns_and_its_guesses_fill_the_rows(taught: Desk) -> None:
    version = taught.session.state.model
    assert version
    assert sum(row.predicted or 0 for row in taught.session.state.classes) == 35
    events = taught.session.project.journal.events()
    assert {event.model for event in events} == {""}
    taught.label_truly(1)
    assert taught.session.project.journal.events()[-1].model == version


def test_filter_and_sort_resolve_to_listings(taught: Desk) -> None:
    desk = taught
    index = desk.session.index
    desk.session.set_tab(Tab.PREDICTED)
    all_predicted = desk.session.state.listing.ids
    waiting = set(index.table.ids[index.labels == NONE])
    assert waiting >= set(all_predicted)
    assert 0 < len(waiting) - len(all_predicted) < 6
    worth = index.confidence[index.table.rows(all_predicted)]
    assert (np.diff(worth) >= 0).all()
    desk.session.set_sort(Sort.SURE)
    sure = index.confidence[index.table.rows(desk.session.state.listing.ids)]
    assert (np.diff(sure) <= 0).all()
    desk.session.set_sort(Sort.SMEAR)
    smears = index.table.smears[index.table.rows(desk.session.state.listing.ids)]
    assert (np.diff(smears) >= 0).all()
    code = index.guess(CellId(int(all_predicted[0])))[0]
    desk.session.set_filter(code)
    assert 0 < len(desk.session.state.listing) < len(all_predicted)
    assert all(
        index.guess(CellId(i))[0] == code for i in desk.session.state.listing.ids
    )


def test_blind_hides_everything_that_tells_a_prediction(taught: Desk) -> None:
    desk = taught
    desk.session.focus_cell(CellId(int(desk.session.state.listing.ids[-1])))
    desk.session.set_blind(True)
    cards = desk.views.annotate.shown("show_cards")
    told = [(cards[i].caption, cards[i].guess) for i in range(len(cards))]
    assert set(told) == {("", "")}
    assert all(row.predicted is None for row in desk.session.state.classes)
    desk.session.set_tab(Tab.PREDICTED)
    assert len(desk.session.state.listing) == 0


def test_events_are_silent_if_nothing_changed(desk: Desk) -> None:
    told: list[str] = []
    for name in ("focus", "smear", "filter", "sort", "tab", "strategy", "blind"):
        desk.session.events[name].connect(lambda *_, n=name: told.append(n))
    state = desk.session.state
    desk.session.focus_cell(state.focus)
    desk.session.set_filter(state.filter)
    desk.session.set_sort(state.sort)
    desk.session.set_tab(state.tab)
    desk.session.set_blind(state.blind)
    assert told == []


def test_everything_is_there_after_reopening(open_desk: Any) -> None:
    project = MemoryProject(built_in("pbc11"))
    first = open_desk(project)
    cells = first.label_truly(12)
    first.session.undo()
    second = open_desk(project)
    labelled = {c: second.session.index.label(c) for c in cells[:-1]}
    assert labelled == {c: first.truth[c] for c in cells[:-1]}
    assert second.session.index.label(cells[-1]) == ""
    assert (
        second.session.state.history[1]
        == f"label {first.truth[cells[-1]]} of cell {cells[-1]}"
    )
    assert second.session.redo()
    assert second.session.state.focus == cells[-1]
    assert not set(second.session.state.listing.ids.tolist()) & set(cells[:-1])


def test_a_learning_error_is_told_and_labelling_goes_on(desk: Desk) -> None:
    desk.session.state.strategy = "no such strategy"
    assert desk.session.label("MO")
    assert "no such strategy" in desk.failures[-1]
    assert desk.session.state.tasks == ()
    assert desk.session.label("BA")


@pytest.mark.parametrize("steps", [(1, 1, -1), (5, -9), (99, -99)])
def test_moves_stop_at_the_ends(desk: Desk, steps: tuple[int, ...]) -> None:
    row = 0
    for step in steps:
        desk.session.move(step)
        row = min(max(row + step, 0), len(desk.session.state.listing) - 1)
        assert desk.session.state.listing.row_of(desk.session.state.focus) == row


def cut_every_third(desk: Desk) -> set[int]:
    """Flag every third cell of the project as cut."""
    index = desk.session.index
    flaws = np.zeros(len(index.table), np.uint8)
    flaws[::3] = Flaw.CUT
    index.set_flaws(index.table.ids, flaws)
    return set(index.table.ids[::3].tolist())


def draws_of(desk: Desk) -> set[int]:
    """Return the audit cards of the ranking at hand."""
    found = suggest(desk.session.project, desk.session.learner.key, head=None, n=30)
    return set(found.draws.tolist())


def test_flagged_cells_are_listed_alone_with_the_audit_cards(taught: Desk) -> None:
    session, cut = taught.session, cut_every_third(taught)
    session.set_quality(Quality.CUT)
    listed = session.state.listing.ids.tolist()
    strangers = [i for i in listed if i not in cut]
    assert set(listed) & cut
    assert len(strangers) <= -(-len(listed) // 9)
    assert set(strangers) <= draws_of(taught)
    assert not any(session.index.label(CellId(i)) for i in set(listed) & cut)


def test_flagged_cells_are_hidden_among_predictions(taught: Desk) -> None:
    session, cut = taught.session, cut_every_third(taught)
    session.set_tab(Tab.PREDICTED)
    session.set_quality(Quality.HIDDEN)
    assert len(session.state.listing)
    assert not set(session.state.listing.ids.tolist()) & cut
    session.set_quality(Quality.ONLY)
    assert set(session.state.listing.ids.tolist()) <= cut


def test_flagged_cells_come_last_among_predictions(taught: Desk) -> None:
    session, cut = taught.session, cut_every_third(taught)
    session.set_tab(Tab.PREDICTED)
    flagged = [i in cut for i in session.state.listing.ids.tolist()]
    assert any(flagged)
    assert flagged == sorted(flagged)


def test_an_empty_list_says_why(desk: Desk, taught: Desk) -> None:
    session = taught.session
    session.state.tasks = ()
    assert "Nothing here waits" in session.lists.why_empty()
    session.state.tasks = (TaskStatus("learn", "Learning"),)
    assert "learning" in session.lists.why_empty()
    session.state.tasks = ()
    session.set_quality(Quality.BLURRED)
    assert "None of the unlabelled cells here is blurred" in session.lists.why_empty()
    session.set_quality(Quality.ONLY)
    assert "here is flagged" in session.lists.why_empty()
    session.set_quality(Quality.LAST)
    session.set_filter(OPINION)
    assert "second opinion" in session.lists.why_empty()
    assert "second opinion" in taught.views.annotate.shown("show_nothing")
    session.set_filter("BA")
    assert "No cell here is BA" in session.lists.why_empty()
    desk.session.set_tab(Tab.PREDICTED)
    assert "No model yet" in desk.session.lists.why_empty()
    assert "No model yet" in desk.views.annotate.shown("show_nothing")
    desk.session.set_blind(True)
    assert "Predictions are hidden" in desk.session.lists.why_empty()


def test_no_filter_of_flaws_drops_an_audit_card(taught: Desk) -> None:
    session = taught.session
    before = [i for i in session.state.listing.ids.tolist() if i in draws_of(taught)]
    assert before
    every = session.index.table.ids
    session.index.set_flaws(every, np.full(len(every), Flaw.BLURRED, np.uint8))
    for quality in Quality:
        session.set_quality(quality)
        after = [i for i in session.state.listing.ids.tolist() if i in before]
        assert after == before[: len(after)]
        assert bool(after) == bool(len(session.state.listing))


def test_a_card_says_what_is_wrong_with_its_picture(taught: Desk) -> None:
    session, cut = taught.session, cut_every_third(taught)
    cards = CellCards(session, session.state.listing, session.crops)
    told = {cards[row].id: cards[row].flaws for row in range(len(cards))}
    assert told == {i: "cut" if i in cut else "" for i in told}
    session.set_blind(True)
    assert any(cards[row].flaws for row in range(len(cards)))


def test_flaws_stay_with_their_cells_when_others_come(taught: Desk) -> None:
    session, cut = taught.session, cut_every_third(taught)
    session.reload()
    assert {i for i in cut if session.index.flaw(CellId(i))} == cut


@pytest.fixture
def two_embedders(open_desk: Any, runner: HeldRunner) -> Desk:
    """Return a desk whose backend knows a second embedder."""
    known = {**FAKE_EMBEDDERS, "morphology": FAKE_EMBEDDERS[DEFAULT_EMBEDDER]}
    compute = InlineCompute(embedders=known, generators=FAKE_GENERATORS)
    desk: Desk = open_desk(compute=compute, runner=runner)
    runner.release("learn")
    return desk


def test_another_embedder_is_taken_up_once_every_cell_has_its_vector(
    two_embedders: Desk, runner: HeldRunner
) -> None:
    held = two_embedders
    session, project = held.session, held.session.project
    held.label_truly(6)
    runner.release("learn")
    runner.release("learn")
    old, cells = session.learner.key, project.cells().ids
    session.set_embedder("morphology")
    assert session.state.tasks[-1].title == "Embedding by morphology"
    assert runner.step("embed", 2)
    assert session.state.tasks[-1].total == len(cells)
    assert (session.state.embedder, session.learner.key) == ("starter", old)
    runner.release("embed")
    assert session.state.embedder == "morphology"
    runner.release("learn")
    new = session.learner.key
    assert new != old
    assert np.isfinite(project.embeddings(new, cells)).all()
    assert session.learner.head is not None
    assert project.model("head").meta["embedder"] == new


def test_another_embedder_leaves_the_search_that_went_by_other_vectors(
    two_embedders: Desk, runner: HeldRunner
) -> None:
    held = two_embedders
    session = held.session
    held.label_truly(6)
    runner.release("learn")
    runner.release("learn")
    code = next(c for c in held.truth.values() if session.index.first_labelled(c))
    session.searching.find_class(code)
    runner.release("search")
    runner.release("search-draw")
    session.set_embedder("morphology")
    runner.release("embed")
    runner.release("learn")
    assert runner.count("search") == 0
    assert session.state.search == ""
    assert not held.failures


def test_the_embedder_in_use_named_again_stops_the_change(
    two_embedders: Desk, runner: HeldRunner
) -> None:
    session, old = two_embedders.session, two_embedders.session.learner.key
    session.set_embedder("morphology")
    runner.step("embed", 1)
    session.set_embedder("starter")
    assert runner.count("embed") == 0
    assert session.state.tasks == ()
    assert (session.state.embedder, session.learner.key) == ("starter", old)


def test_an_embedder_that_fails_is_told_and_not_taken_up(desk: Desk) -> None:
    old = desk.session.learner.key
    desk.session.set_embedder("no such embedder")
    assert "no such embedder" in desk.failures[-1]
    assert (desk.session.state.embedder, desk.session.learner.key) == ("starter", old)
    assert desk.session.label("MO")


def test_the_focused_cell_is_said_to_be_flawed_in_words(taught: Desk) -> None:
    session = taught.session
    focus = session.state.focus
    assert focus is not None
    flaws = np.array([Flaw.BLURRED | Flaw.CUT], np.uint8)
    session.index.set_flaws(np.array([focus], np.int64), flaws)
    session.events.predictions.emit()
    lines = taught.views.annotate.shown("show_details")
    assert lines[0] == "The picture is blurred, cut."
    session.next()
    lines = taught.views.annotate.shown("show_details")
    assert not any("picture is" in line for line in lines)
