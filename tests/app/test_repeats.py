"""A repeat looks like any card, and the latest word stands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_cytosynth.app.cards import CellCards
from napari_cytosynth.app.panels import Sort
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.rereading import repeated
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.desk import Desk
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.splitting import held_out_cells


@pytest.fixture
def seated(open_desk: Callable[..., Desk]) -> tuple[Desk, CellId]:
    """Return a desk whose focus is on a repeat, and that cell."""
    project = MemoryProject(built_in("pbc11"))
    truth = tiny_project(project, smears=6, cells_per_smear=30)
    held = held_out_cells(project)
    ids = project.cells().ids
    train = [CellId(int(i)) for i in ids[~np.isin(ids, held)]]
    project.record(*(Author("Ada").label(cell, truth[cell]) for cell in train[:105]))
    desk = open_desk(project)
    desk.truth = truth
    session = desk.session
    for _ in range(60):
        repeats = session.ranking.repeats
        listed = session.state.listing.ids
        shown = [CellId(int(i)) for i in listed if i in repeats]
        if shown:
            session.focus_cell(shown[0])
            return desk, shown[0]
        session.learner.rerank()
    raise AssertionError("no repeat was dealt in sixty rankings")


def test_a_repeat_shows_no_label(seated: tuple[Desk, CellId]) -> None:
    desk, cell = seated
    session = desk.session
    assert session.index.label(cell) == desk.truth[cell]
    assert session.code(cell) == ""
    cards = CellCards(session, session.state.listing, session.crops)
    row = cards.row_of(cell)
    assert row is not None
    card = cards[row]
    assert (card.code, card.guess, card.badge) == ("", "", "")
    assert card.caption == f"card {row + 1} of {len(cards)}"
    mark = desk.views.canvas.shown("show_focus")
    assert mark.code == ""


def test_the_same_word_again_is_a_repeat_in_the_journal(
    seated: tuple[Desk, CellId],
) -> None:
    desk, cell = seated
    code = desk.truth[cell]
    assert desk.session.label(code)
    assert repeated(desk.session.project.journal) == {"Ada": [(code, code)]}
    assert desk.session.code(cell) == code
    assert not any("before" in said for said in desk.messages)


def test_another_word_stands_is_said_and_can_be_undone(
    seated: tuple[Desk, CellId],
) -> None:
    desk, cell = seated
    session, code = desk.session, desk.truth[cell]
    other = next(c for c in session.project.taxonomy.cell_codes if c != code)
    assert session.label(other)
    assert session.project.journal.label(cell).code == other
    assert repeated(session.project.journal) == {"Ada": [(code, other)]}
    assert any(f"{code} before, and {other} now" in said for said in desk.messages)
    assert session.undo()
    assert session.project.journal.label(cell).code == code
    assert repeated(session.project.journal) == {}


def test_a_skipped_repeat_keeps_its_label(seated: tuple[Desk, CellId]) -> None:
    desk, cell = seated
    assert desk.session.skip()
    assert desk.session.project.journal.label(cell).code == desk.truth[cell]


def test_no_other_list_holds_repeats(seated: tuple[Desk, CellId]) -> None:
    desk, cell = seated
    session = desk.session
    session.set_sort(Sort.SMEAR)
    assert session.code(cell) == desk.truth[cell]
    session.set_filter(desk.truth[cell])
    repeats = session.ranking.repeats
    others = session.state.listing.ids[session.state.listing.ids != cell]
    assert not np.isin(others, repeats).any()
