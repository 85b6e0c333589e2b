"""Audit cards: nothing shows them, and only what the queue dealt measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_cytosynth.app.panels import Sort, Tab
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import EventKind, Mode
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.workflows.splitting import splits_of


def held_out_of(desk: Desk) -> set[int]:
    project = desk.session.project
    return set(project.cells().ids[splits_of(project).audit].tolist())


def audit_cards(desk: Desk) -> list[CellId]:
    """Return the audit cards of the queue that are not labelled, in its order."""
    session, held_out = desk.session, held_out_of(desk)
    shown = (CellId(int(i)) for i in session.state.listing.ids)
    return [c for c in shown if c in held_out and not session.index.label(c)]


def audit_card(desk: Desk) -> CellId:
    return audit_cards(desk)[0]


def mode_of(desk: Desk, cell: CellId) -> Mode:
    label = desk.session.project.journal.label(cell)
    assert label is not None
    return label.mode


def walk_to(desk: Desk, cell: CellId) -> None:
    """Go through the grid from its top until the queue deals this one."""
    desk.session.move(-len(desk.session.state.listing))
    for _ in range(len(desk.session.state.listing)):
        if desk.session.state.focus == cell:
            return
        desk.session.next()
    raise AssertionError(f"the queue never dealt cell {cell}")


def said(desk: Desk) -> dict[int, tuple[str, str, str]]:
    """Return the words of each card in the grid that has no label."""
    cards = desk.views.annotate.shown("show_cards")
    made = (cards[row] for row in range(len(cards)))
    return {c.id: (c.caption, c.guess, c.badge) for c in made if not c.code}


# Nothing tells them apart


def test_an_audit_card_says_its_place_only_and_so_do_some_chosen_ones(
    taught: Desk,
) -> None:
    assert taught.session.state.model
    cards = taught.views.annotate.shown("show_cards")
    n, drawn = len(cards), set(audit_cards(taught))
    silent, told = set(), set()
    for cell, (caption, guess, badge) in said(taught).items():
        place = f"card {cards.row_of(cell) + 1} of {n}"
        (silent if caption == place else told).add(cell)
        assert (guess, badge) == ("", "")
    assert drawn < silent, "a reader who met silence knew that it is an audit card"
    assert len(silent - drawn) >= len(drawn)
    assert told
    assert told <= set(taught.session.state.listing.reasons)


@pytest.mark.parametrize("sort", list(Sort))
def test_nor_does_an_audit_card_in_a_queue_that_is_filtered_or_sorted(
    taught: Desk, sort: Sort
) -> None:
    session = taught.session
    session.set_sort(sort)
    for code in ("", *session.project.taxonomy.codes):
        session.set_filter(code)
        words = said(taught)
        assert {told[1:] for told in words.values()} <= {("", "")}
        for cell in audit_cards(taught):
            assert words[cell][0].startswith("card ")


def test_after_its_label_a_chosen_card_says_why_and_silence_tells_nothing(
    taught: Desk,
) -> None:
    session = taught.session
    taught.label_truly(25)
    cards = taught.views.annotate.shown("show_cards")
    listing, journal = session.state.listing, session.project.journal
    told, silent = set(), set()
    for row, cell in enumerate(listing.ids.tolist()):
        if session.index.label(CellId(cell)) and cell in listing.reasons:
            (silent if cards[row].caption.startswith("card ") else told).add(cell)
    modes = {c: journal.label(CellId(c)).mode for c in told | silent}
    assert told
    assert {modes[c] for c in told} == {Mode.TEACH}
    assert Mode.TEACH in {modes[c] for c in silent}


def test_a_guess_changes_nothing_on_the_canvas(taught: Desk) -> None:
    taught.views.canvas.viewMoved.emit(0, 0, 1e4, 1e4)
    marks = taught.views.canvas.shown("show_cells")
    index = taught.session.index
    rows = index.table.rows(marks.ids)
    assert (index.guesses[rows] >= 0).any()
    assert np.array_equal(marks.classes, index.labels[rows])


def test_predicted_leaves_the_audit_cards_at_hand_out(taught: Desk) -> None:
    waiting = set(audit_cards(taught))
    assert waiting
    taught.session.set_tab(Tab.PREDICTED)
    listed = set(taught.session.state.listing.ids.tolist())
    assert not waiting & listed
    assert any(guess for _, guess, _ in said(taught).values())


# What measures


def test_audit_cards_are_recorded_as_such(taught: Desk) -> None:
    events = taught.session.project.journal.events()
    audit = {
        e.cell for e in events if e.kind is EventKind.LABEL and e.mode is Mode.AUDIT
    }
    assert 1 <= len(audit) <= 5
    assert {e.cell for e in events if e.kind is EventKind.AUDIT_DRAW} == audit


def test_a_card_that_was_next_measures_though_it_was_clicked(desk: Desk) -> None:
    card = audit_card(desk)
    row = desk.session.state.listing.row_of(card)
    walk_to(desk, CellId(int(desk.session.state.listing.ids[row - 1])))
    desk.views.annotate.cellChosen.emit(row)
    desk.session.label("BA")
    assert mode_of(desk, card) is Mode.AUDIT


@pytest.mark.parametrize("way", ["smear", "grid", "jump"])
def test_a_card_that_was_looked_for_measures_nothing(desk: Desk, way: str) -> None:
    session = desk.session
    first, card = audit_cards(desk)[:2]
    row = session.state.listing.row_of(card)
    if way == "smear":
        session.focus_cell(card)
    elif way == "grid":
        desk.views.annotate.cellChosen.emit(row)
    else:
        session.move(row - session.state.listing.row_of(session.state.focus))
    assert session.state.focus == card
    session.label("BA")
    assert mode_of(desk, card) is Mode.TEACH
    assert not session.project.journal.is_audit(card)
    walk_to(desk, first)
    session.label("BA")
    assert mode_of(desk, first) is Mode.AUDIT


def test_a_card_that_was_dealt_measures_after_a_look_at_its_neighbour(
    desk: Desk,
) -> None:
    card = audit_card(desk)
    walk_to(desk, card)
    desk.session.focus_cell(next(c for c in desk.truth if c != card))
    desk.session.focus_cell(card)
    desk.session.label("BA")
    assert mode_of(desk, card) is Mode.AUDIT


def test_a_held_out_cell_is_browsed_in_predicted_and_measures_nothing(
    taught: Desk,
) -> None:
    session, journal = taught.session, taught.session.project.journal
    session.set_tab(Tab.PREDICTED)
    listed = session.state.listing.ids.tolist()
    cell = CellId(next(i for i in listed if i in held_out_of(taught)))
    taught.views.annotate.cellChosen.emit(listed.index(cell))
    session.label("BA")
    assert mode_of(taught, cell) is Mode.TEACH
    assert not journal.is_audit(cell)


def test_an_audit_label_taken_back_is_audit_when_given_again(desk: Desk) -> None:
    card = audit_card(desk)
    walk_to(desk, card)
    desk.session.label("BA")
    desk.session.undo()
    desk.session.label("MO")
    assert mode_of(desk, card) is Mode.AUDIT


def test_an_audit_label_stays_one_however_its_cell_is_found_again(desk: Desk) -> None:
    journal = desk.session.project.journal
    while not any(e.mode is Mode.AUDIT for e in journal.events()):
        desk.label_truly(1)
    cell = CellId(next(e.cell for e in journal.events() if e.mode is Mode.AUDIT))
    desk.session.focus_cell(cell)
    desk.session.label("BA")
    assert mode_of(desk, cell) is Mode.AUDIT


# The draw


def test_no_filter_and_no_sort_chooses_among_audit_cards(taught: Desk) -> None:
    session, dealt = taught.session, audit_cards(taught)
    assert len(dealt) >= 2
    lists = 0
    for sort in Sort:
        session.set_sort(sort)
        for code in ("", *session.project.taxonomy.codes):
            session.set_filter(code)
            cards = session.state.listing.ids
            found = audit_cards(taught)
            assert found == dealt[: len(found)], (sort, code)
            if not code and sort is Sort.WORTH:
                continue
            others = len(cards) - len(found)
            assert len(found) == min(-(-others // 9), len(dealt)), (sort, code)
            lists += bool(code and others)
    assert lists >= 3


@pytest.mark.parametrize("sort", list(Sort))
def test_a_filtered_and_sorted_queue_audits(taught: Desk, sort: Sort) -> None:
    session = taught.session
    session.set_sort(sort)
    code = max(session.state.classes, key=lambda row: row.predicted or 0).code
    session.set_filter(code)
    card = audit_card(taught)
    walk_to(taught, card)
    session.label("BA")
    assert mode_of(taught, card) is Mode.AUDIT


def test_a_cell_labelled_unasked_stays_in_the_draw_as_if_unlabelled(
    held: Desk, runner: HeldRunner
) -> None:
    desk, session = held, held.session
    desk.views.canvas.viewMoved.emit(0, 0, 1e4, 1e4)
    card = audit_cards(desk)[1]
    session.focus_cell(card)
    session.label("BA")
    assert mode_of(desk, card) is Mode.TEACH
    session.set_filter("?")
    session.set_filter("")
    runner.release("learn")
    assert card in session.state.listing.ids
    assert session.index.label(card) == "BA"
    cards = desk.views.annotate.shown("show_cards")
    shown = cards[cards.row_of(card)]
    assert (shown.code, shown.colour, shown.symbol) == ("", "", "")
    walk_to(desk, card)
    assert desk.views.canvas.shown("show_focus").code == ""
    marks = desk.views.canvas.shown("show_cells")
    assert marks.classes[marks.ids.tolist().index(card)] == -1
    session.label("MO")
    assert mode_of(desk, card) is Mode.AUDIT
    assert cards[cards.row_of(card)].code == "MO"


def test_the_sample_is_the_head_of_a_fixed_order_whatever_is_labelled_unasked(
    open_desk: Any,
) -> None:
    """Readers look for what they like; the audit cells are the same."""
    samples = []
    for liked in ("", "BA", "LY"):
        desk = open_desk()
        session = desk.session
        for cell in sorted(held_out_of(desk)):
            if liked and desk.truth[CellId(cell)] == liked:
                session.focus_cell(CellId(cell))
                session.label(liked)
        session.set_filter("?")
        session.set_filter("")
        sample: set[CellId] = set()
        while len(sample) < 3:
            desk.label_truly(1)
            labels = session.project.journal.labels().items()
            sample = {cell for cell, label in labels if label.mode is Mode.AUDIT}
        samples.append(sample)
    assert samples[0] == samples[1] == samples[2]


def test_the_card_that_was_next_comes_after_a_cell_picked_on_the_smear(
    desk: Desk,
) -> None:
    card = audit_card(desk)
    walk_to(desk, card)
    listed = set(desk.session.state.listing.ids.tolist())
    desk.session.focus_cell(next(c for c in desk.truth if c not in listed))
    desk.session.label("BA")
    assert desk.session.state.focus == card


def test_another_order_of_the_queue_passes_no_card_by(desk: Desk) -> None:
    desk.session.move(5)
    focus = desk.session.state.focus
    desk.session.set_sort(Sort.SMEAR)
    assert desk.session.state.focus == focus == desk.session.state.listing.ids[0]
    rest = desk.session.index.table.rows(desk.session.state.listing.ids[1:])
    held_out = [int(c) in held_out_of(desk) for c in desk.session.state.listing.ids[1:]]
    smears = desk.session.index.table.smears[rest][~np.array(held_out)]
    assert (np.diff(smears) >= 0).all()
