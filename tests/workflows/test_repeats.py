"""Cards that a reader labelled before, dealt as if he had not."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.rereading import REPEAT_APART, REPEAT_FROM, due_repeats
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.repeats import agreements, with_repeats
from napari_cytosynth.workflows.splitting import held_out_cells
from napari_cytosynth.workflows.suggest import Suggestion, suggest

ADA, BOB = Author("Ada"), Author("Bob")


@pytest.fixture
def project() -> MemoryProject:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, smears=6, cells_per_smear=60)
    return project


def train_ids(project: MemoryProject) -> list[CellId]:
    held = held_out_cells(project)
    ids = project.cells().ids
    return [CellId(int(i)) for i in ids[~np.isin(ids, held)]]


def label(project: MemoryProject, n: int, author: Author = ADA) -> list[CellId]:
    cells = train_ids(project)[:n]
    project.record(*(author.label(cell, "BA") for cell in cells))
    return cells


def dealt(project: MemoryProject, reader: str = "Ada", seed: int = 0) -> Suggestion:
    plain = suggest(project, "no vectors", head=None, n=100, seed=seed)
    return with_repeats(project, plain, reader, seed=seed)


def test_none_before_a_hundred_labels(project: MemoryProject) -> None:
    label(project, REPEAT_FROM - 1)
    assert len(dealt(project).repeats) == 0


def test_one_card_in_twenty_is_an_early_one_of_this_reader(
    project: MemoryProject,
) -> None:
    cells = label(project, REPEAT_FROM)
    found = [dealt(project, seed=seed) for seed in range(40)]
    counts = [len(f.repeats) for f in found]
    assert np.mean(counts) / np.mean([len(f.query.ids) for f in found]) == (
        pytest.approx(1 / 20, abs=0.005)
    )
    for suggestion in found:
        query, ids = suggestion.query, suggestion.query.ids.tolist()
        assert set(suggestion.repeats.tolist()) <= set(cells[:-REPEAT_APART])
        assert len(ids) == len(set(ids)) == len(query.reasons) == len(query.utilities)
        rows = [ids.index(i) for i in suggestion.repeats.tolist()]
        assert np.isnan(query.utilities[rows]).all()
        assert {query.reasons[row] for row in rows} <= {""}
        assert not suggestion.audit[rows].any()
    places = {f.query.ids.tolist().index(int(f.repeats[0])) for f in found}
    assert len(places) > 20
    # No ranking can choose which: they come in one order, whatever the seed.
    first = max(found, key=lambda f: len(f.repeats)).repeats.tolist()
    for suggestion in found:
        known = suggestion.repeats.tolist()
        assert sorted(known) == sorted(first[: len(known)])


def test_nobody_elses_nor_imported_ones(project: MemoryProject) -> None:
    label(project, 120, BOB)
    assert len(dealt(project).repeats) == 0
    assert len(dealt(project, "").repeats) == 0
    assert len(dealt(project, "Bob").repeats) > 0
    label(project, 120, Author("Ada", Mode.IMPORT))
    assert len(dealt(project).repeats) == 0


def test_remarks_skips_and_second_looks_are_left_alone(project: MemoryProject) -> None:
    cells = label(project, 120)
    first, second, third, fourth = cells[:4]
    project.record(
        ADA.comment(first, "odd"),
        ADA.skip(second),
        ADA.second_opinion(third),
        ADA.label(fourth, "EO"),
    )
    due = due_repeats(project.journal, "Ada")
    assert set(due) == set(cells[4:-REPEAT_APART]) | {cells[-REPEAT_APART]}


def test_held_out_cells_that_are_dealt_anew_anyway_are_not_repeated(
    project: MemoryProject,
) -> None:
    held = [CellId(int(i)) for i in held_out_cells(project)][:60]
    project.record(*(ADA.label(cell, "BA") for cell in held))
    label(project, 100)
    assert not set(dealt(project).repeats.tolist()) & set(held)


def test_agreement_counts_what_was_given_again_unawares(
    project: MemoryProject,
) -> None:
    cells = label(project, 40)
    for cell in cells[:20]:
        project.record(ADA.label(cell, "EO"))
    # Ten of BA and ten of EO are read again; two of EO become BA.
    for cell in (*cells[20:30], *cells[:10]):
        code = "BA" if cell in (*cells[20:30], *cells[:2]) else "EO"
        project.record(ADA.label(cell, code, repeat=True))
    # What he knew that he had labelled, and what another reader says, is no repeat.
    project.record(ADA.label(cells[35], "EO"), BOB.label(cells[36], "EO", repeat=True))
    (ada,) = agreements(project.journal)
    assert (ada.annotator, ada.n, ada.agreed) == ("Ada", 20, 18)
    assert ada.kappa is not None
    assert ada.kappa.value == pytest.approx(0.8)
    assert "18 of 20 alike, kappa 0.80 (" in str(ada)
    (target,) = project.journal.undo_step("Ada")
    project.record(ADA.undo(target.id))
    (target,) = project.journal.undo_step("Ada")
    project.record(ADA.undo(target.id))
    (ada,) = agreements(project.journal)
    assert ada.n == 19


def test_under_ten_repeats_it_cannot_be_estimated(project: MemoryProject) -> None:
    cells = label(project, 20)
    project.record(*(ADA.label(cell, "BA", repeat=True) for cell in cells[:7]))
    (ada,) = agreements(project.journal)
    assert ada.kappa is None
    assert str(ada) == (
        "Ada on cells labelled twice unawares: 7 of 7 alike, kappa cannot be estimated "
        "yet."
    )
