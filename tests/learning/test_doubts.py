from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.learning.doubts import Doubts, confident_class, find_doubts
from napari_cytosynth.learning.fitting import fit_head
from tests.learning.toys import toy_cells

MANY = {"BA": 40, "LY": 80, "MO": 60, "SNE": 80}


def doubts_of(cells: LabelledCells) -> Doubts:
    return run_to_end(find_doubts(cells, fit_head))


def relabelled(cells: LabelledCells, rows: list[int], code: str) -> LabelledCells:
    codes = list(cells.codes)
    for row in rows:
        codes[row] = code
    return replace(cells, codes=tuple(codes))


def test_spoilt_labels_lead_the_list() -> None:
    cells = toy_cells(MANY, apart=2.0)
    rows = [i for i, code in enumerate(cells.codes) if code == "LY"][10:13]
    doubts = doubts_of(relabelled(cells, rows, "SNE"))
    spoilt = cells.ids[rows].tolist()
    first = doubts.found[: len(rows)]
    assert sorted(d.cell for d in first) == spoilt
    assert {(d.given, d.likely) for d in first} == {("SNE", "LY")}
    assert all(d.other > d.own for d in first)
    assert doubts.pairs["SNE", "LY"] >= len(rows)
    margins = [d.own - d.other for d in doubts.found]
    assert margins == sorted(margins)
    assert doubts.judged == len(cells)


def test_sound_labels_of_classes_far_apart_are_not_doubted() -> None:
    assert doubts_of(toy_cells(MANY, apart=2.0)).found == ()


def test_nobody_is_judged_by_his_own_group() -> None:
    # All cells of one group bear a wrong label: a head that saw them would believe it.
    cells = toy_cells(MANY, apart=1.0)
    own = (cells.groups == "g3") & (np.array(cells.codes) == "MO")
    rows = np.flatnonzero(own).tolist()
    doubts = doubts_of(relabelled(cells, rows, "BA"))
    assert set(cells.ids[rows].tolist()) <= {d.cell for d in doubts.found}


def test_few_cells_of_a_class_are_not_judged() -> None:
    cells = toy_cells({**MANY, "BA": 4}, apart=1.0)
    doubts = doubts_of(cells)
    assert doubts.unjudged == ("BA",)
    assert doubts.judged == len(cells) - 4
    assert all(d.given != "BA" for d in doubts.found)


@pytest.mark.parametrize("counts", [{"BA": 20}, {"BA": 1, "LY": 1}])
def test_too_little_to_judge_by(counts: dict[str, int]) -> None:
    assert doubts_of(toy_cells(counts)).found == ()


def test_no_label_at_all() -> None:
    cells = toy_cells({"BA": 3}).take(np.zeros(0, np.intp))
    assert doubts_of(cells) == Doubts(caveat=doubts_of(cells).caveat)


def test_too_few_groups_are_said() -> None:
    assert "too few groups" in doubts_of(toy_cells(MANY, groups=2)).caveat
    assert doubts_of(toy_cells(MANY)).caveat == ""


def test_the_threshold_is_the_mean_self_confidence() -> None:
    # Class 1 is predicted with 0.6 and 0.8 where it is labelled: 0.7 is confident.
    chances = np.array([[0.4, 0.6], [0.2, 0.8], [0.31, 0.69], [0.29, 0.71], [0.9, 0.1]])
    given = np.array([1, 1, 0, 0, 0])
    assert confident_class(chances, given).tolist() == [1, 1, 0, 1, 0]
