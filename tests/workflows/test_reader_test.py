"""The blinded reader test: what is dealt, what is kept, what is told, and when."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId, SyntheticId
from napari_cytosynth.core.journal import Author, EventKind
from napari_cytosynth.core.project import JobState, Project
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.evidence.reader import Shown, score
from napari_cytosynth.metrics.discrimination import Answers, d_prime
from napari_cytosynth.metrics.intervals import wilson
from napari_cytosynth.store import MemoryProject, create_project, open_project
from napari_cytosynth.testing.tiny import tiny_detections, tiny_project, tiny_synthetic
from napari_cytosynth.workflows.reader_test import (
    ReaderTest,
    call,
    calls_of,
    compressed,
    deal,
    finish,
    offer,
    open_test,
    pictures_of,
    read_as,
    results,
)
from napari_cytosynth.workflows.splitting import held_out_cells

ADA = Author("Ada")


def filled(project: Project, *, painted: int = 6) -> None:
    """All real cells labelled, and painted ones of three classes by two strategies."""
    truth = tiny_project(project, smears=8, cells_per_smear=22)
    project.record(*(ADA.label(cell, code) for cell, code in truth.items()))
    for seed, code in enumerate(("BA", "EO", "LY")):
        cells = tiny_synthetic(project.taxonomy, code, painted, seed=100 * seed)
        project.add_synthetic(
            [
                replace(c, provenance=replace(c.provenance, config={"strategy": how}))
                for c, how in zip(cells, ["class", "variation"] * painted, strict=False)
            ]
        )


@pytest.fixture
def project() -> MemoryProject:
    made = MemoryProject(built_in("pbc11"))
    filled(made)
    return made


def dealt(project: Project, seed: int = 0, cells: int = 36) -> ReaderTest:
    return deal(project, "Ada", np.random.default_rng(seed), cells=cells)


def answered(project: Project, test: ReaderTest, *, right: int) -> None:
    """Call the first ``right`` cells what they are, and the rest the other."""
    for place, shown in enumerate(test.cells):
        call(project, test, place, shown.synthetic == (place < right), ADA)


def test_both_kinds_are_of_the_same_classes_in_the_same_numbers(
    project: MemoryProject,
) -> None:
    test = dealt(project)
    kinds = Counter((shown.code, shown.synthetic) for shown in test.cells)
    assert kinds == {(c, s): 6 for c in ("BA", "EO", "LY") for s in (True, False)}
    assert len({(s.synthetic, s.number) for s in test.cells}) == 36
    labels = project.journal.labels()
    for shown in test.cells:
        if not shown.synthetic:
            assert labels[CellId(shown.number)].code == shown.code
            assert not shown.how
        else:
            assert shown.how in {"tiny, class", "tiny, variation"}
    small = Counter((s.code, s.synthetic) for s in dealt(project, cells=20).cells)
    assert sum(small.values()) == 20
    assert max(small.values()) - min(small.values()) <= 1


def test_what_is_offered_is_what_is_dealt(project: MemoryProject) -> None:
    assert offer(project) == (36, "")
    assert len(dealt(project, cells=36).cells) == 36


def test_where_cells_are_missing_the_offer_counts_them() -> None:
    few = MemoryProject(built_in("pbc11"))
    filled(few, painted=1)
    cells, why = offer(few)
    assert cells == 6
    assert "of such pairs there are 3." in why
    assert "In all there are 3 such synthetic cells, and " in why


def test_held_out_cells_come_first(project: MemoryProject) -> None:
    held_out = set(held_out_cells(project).tolist())
    labels = project.journal.labels()
    there = Counter(labels[CellId(n)].code for n in held_out)
    shown = [s for s in dealt(project).cells if not s.synthetic]
    for code in ("BA", "EO", "LY"):
        mine = [s.number in held_out for s in shown if s.code == code]
        assert sum(mine) == min(there[code], len(mine))


def test_no_blank_rim_betrays_a_real_cell(project: MemoryProject) -> None:
    rng, rim = np.random.default_rng(5), set()
    for smear in project.smears():
        found = tiny_detections(20, rng)
        found.boxes[:, 0] = np.where(np.arange(20) % 2, smear.width - 60, 10)
        crops = np.full((20, 96, 96, 3), 200, np.uint8)
        ids = project.add_cells(smear.id, found, crops).tolist()
        project.record(*(ADA.label(CellId(n), "BA") for n in ids))
        rim.update(ids)
    shown = [s for s in dealt(project).cells if not s.synthetic]
    assert sum(s.code == "BA" for s in shown) == 6
    assert not rim & {s.number for s in shown}


def test_the_order_betrays_nothing(project: MemoryProject) -> None:
    orders = [
        [shown.synthetic for shown in dealt(project, seed).cells] for seed in range(40)
    ]
    shares = np.mean(orders, axis=0)
    assert shares.min() > 0.15
    assert shares.max() < 0.85
    runs = [sum(a != b for a, b in itertools.pairwise(o)) for o in orders]
    assert 14 < np.mean(runs) < 22  # 18 by chance; 1 if sorted, 35 if in turns
    assert dealt(project, 3).cells == dealt(project, 3).cells


def test_refused_cells_are_not_shown_and_rejected_ones_are(
    project: MemoryProject,
) -> None:
    ids = [cell.id for cell in project.synthetic("BA")]
    project.set_synthetic_status(ids[:1], Status.DROPPED)
    project.record(ADA.verdict(ids[1], accept=False))
    shown = {s.number for s in dealt(project).cells if s.synthetic and s.code == "BA"}
    assert shown == {int(number) for number in ids[1:]}


def test_a_real_cell_is_not_shown_beside_its_variation() -> None:
    project = MemoryProject(built_in("pbc11"))
    truth = tiny_project(project, smears=6, cells_per_smear=11)
    basophils = [cell for cell, code in truth.items() if code == "BA"]
    project.record(*(ADA.label(cell, "BA") for cell in basophils))
    painted = tiny_synthetic(project.taxonomy, "BA", len(basophils))
    project.add_synthetic(
        [
            replace(
                cell,
                provenance=replace(cell.provenance, config={"parent": int(parent)}),
            )
            for cell, parent in zip(painted, basophils, strict=True)
        ]
    )
    for seed in range(10):
        try:
            test = dealt(project, seed, cells=10)
        except InputError:  # six cells and their six variations make three pairs
            continue
        parents = {
            cell.provenance.config["parent"]
            for cell in project.synthetic()
            if int(cell.id) in {s.number for s in test.cells if s.synthetic}
        }
        assert not parents & {s.number for s in test.cells if not s.synthetic}


def test_too_few_cells_are_no_test(project: MemoryProject) -> None:
    empty = MemoryProject(built_in("pbc11"))
    with pytest.raises(InputError, match="there are 0"):
        dealt(empty)
    with pytest.raises(InputError, match="there are 4"):
        dealt(project, cells=8)
    assert not project.jobs()


def test_both_kinds_pass_through_the_same_compression(project: MemoryProject) -> None:
    test = dealt(project)
    pictures = pictures_of(project, test)
    assert pictures.shape == (36, 96, 96, 3)
    for shown, seen in zip(test.cells, pictures, strict=True):
        if shown.synthetic:
            raw = next(c.pixels for c in project.synthetic() if c.id == shown.number)
        else:
            (raw,) = project.crops([shown.number])
        assert seen.dtype == np.uint8
        np.testing.assert_array_equal(seen, compressed(raw))
        assert not np.array_equal(seen, raw)
        assert np.abs(seen.astype(int) - raw).mean() < 4


def test_nothing_is_told_before_the_end(project: MemoryProject) -> None:
    test = dealt(project)
    for place in range(35):
        call(project, test, place, True, ADA)
    with pytest.raises(InputError, match="1 of 36 cells were not called yet"):
        finish(project, test)
    assert results(project) == ()
    assert read_as(project) == {}
    call(project, test, 35, True, ADA)
    result = finish(project, test)
    assert results(project)[0].over_all == result.over_all
    assert set(read_as(project)) == {s.number for s in test.cells if s.synthetic}


def test_the_figures_are_those_of_the_answers(project: MemoryProject) -> None:
    test = dealt(project)
    answered(project, test, right=30)
    result = finish(project, test)
    hits = sum(s.synthetic for s in test.cells[:30])
    alarms = sum(not s.synthetic for s in test.cells[30:])
    expected = Answers(hits, 18, alarms, 18)
    assert result.over_all.answers == expected
    assert result.over_all.accuracy == wilson(30, 36)
    assert result.over_all.d_prime == d_prime(expected)
    assert set(result.by_class) == {"BA", "EO", "LY"}
    assert set(result.by_strategy) == {"tiny, class", "tiny, variation"}
    for part in (result.by_class, result.by_strategy):
        assert sum(d.answers.hits for d in part.values()) == hits
        assert sum(d.answers.synthetic for d in part.values()) == 18
    assert sum(d.answers.alarms for d in result.by_class.values()) == alarms
    assert all(d.answers.real == 18 for d in result.by_strategy.values())
    assert "told from real ones" in result.sentence


def test_one_who_guesses_is_not_said_to_tell_them_apart() -> None:
    cells = [Shown(i % 2 == 0, i, "BA", "g" if i % 2 == 0 else "") for i in range(40)]
    result = score(cells, [i % 4 < 2 for i in range(40)], ("reader:1", "Ada", ""))
    assert result.over_all.d_prime.value == 0
    assert "not told apart better than by chance" in result.sentence
    assert math.isclose(result.over_all.accuracy.value, 0.5)


def test_a_call_judges_labels_and_undoes_nothing(project: MemoryProject) -> None:
    test = dealt(project)
    (synthetic,) = (s for s in test.cells if s.synthetic and s.number == 1)
    project.record(ADA.verdict(SyntheticId(1), accept=True))
    before = project.journal.labels(), project.cells().ids.tolist()
    step = project.journal.undo_step("Ada")
    call(project, test, test.cells.index(synthetic), False, ADA)
    answered(project, test, right=0)
    assert (project.journal.labels(), project.cells().ids.tolist()) == before
    assert project.journal.undo_step("Ada") == step
    assert project.journal.verdict(SyntheticId(1)) is True
    assert [c.status for c in project.synthetic()].count(Status.ACCEPTED) == 1
    assert {e.kind for e in project.journal.calls(test.key)} == {EventKind.CALL}


def test_the_last_call_of_a_cell_holds(project: MemoryProject) -> None:
    test = dealt(project)
    for said in (True, False, True):
        call(project, test, 4, said, ADA)
        assert calls_of(project, test) == {4: said}
    assert len(project.journal.calls(test.key)) == 3


def test_a_test_broken_off_goes_on_in_another_session(tmp_path: Path) -> None:
    path = tmp_path / "p.cytosynth"
    made = create_project(path, built_in("pbc11"))
    filled(made)
    test = dealt(made)
    for place in range(10):
        call(made, test, place, test.cells[place].synthetic, ADA)
    made.close()
    with open_project(path) as again:
        found = open_test(again, "Ada")
        assert found == test
        assert open_test(again, "Bob") is None
        assert set(calls_of(again, found)) == set(range(10))
        answered(again, found, right=36)
        assert finish(again, found).over_all.accuracy.value == 1
        assert open_test(again, "Ada") is None
    with open_project(path) as third:
        (result,) = results(third)
        assert result.over_all.answers.correct == 36


def test_a_new_test_ends_the_open_one_without_a_result(project: MemoryProject) -> None:
    first = dealt(project)
    call(project, first, 0, True, ADA)
    second = dealt(project, 1)
    assert second.key != first.key
    assert open_test(project, "Ada") == second
    assert [j.state for j in project.jobs()] == [JobState.CANCELLED, JobState.RUNNING]
    answered(project, second, right=36)
    finish(project, second)
    assert [r.test for r in results(project)] == [second.key]


def test_another_reader_cannot_answer(project: MemoryProject) -> None:
    test = dealt(project)
    with pytest.raises(InputError, match="dealt to Ada, and Bob answered"):
        call(project, test, 0, True, Author("Bob"))
    assert not project.journal.calls(test.key)


@pytest.mark.parametrize(
    "event",
    [
        ADA.call("reader:1", ("painted", 1), "real"),
        ADA.call("reader:1", ("real", 1), "fake"),
        ADA.call("", ("real", 1), "real"),
        ADA.call("reader:1", ("real", 9_999), "real"),
        ADA.call("reader:1", ("synthetic", 9_999), "real"),
    ],
)
def test_a_call_of_what_cannot_be_is_refused(
    project: MemoryProject, event: object
) -> None:
    with pytest.raises(InputError):
        project.record(event)  # type: ignore[arg-type]
    assert not project.journal.calls("reader:1")
