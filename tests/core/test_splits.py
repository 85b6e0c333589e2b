"""Splits are fixed for ever."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cytosynth.core.cells import CellTable
from napari_cytosynth.core.errors import ProvenanceError
from napari_cytosynth.core.splits import (
    AUDIT_SHARE,
    BLOCK_UM,
    Split,
    hash_share,
    is_picture_group,
    picture_group,
    split_cells,
    split_of,
)
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.tiny import tiny_synthetic


def table(smears: list[int], xs: list[float] | None = None) -> CellTable:
    n = len(smears)
    boxes = np.zeros((n, 4), np.float32)
    boxes[:, 0] = xs if xs is not None else np.arange(n) * 10
    boxes[:, 2:] = 20
    return CellTable(
        np.arange(1, n + 1),
        np.array(smears, np.int64),
        boxes,
        np.ones(n, np.float32),
        np.zeros(n, bool),
    )


def test_known_keys_never_move() -> None:
    # Written down once: a change of the hash would mix training and audit cells.
    assert {key: split_of(key).value for key in ("p1", "p2", "p3", "p4", "p5")} == {
        "p1": "train",
        "p2": "train",
        "p3": "train",
        "p4": "audit",
        "p5": "train",
    }
    assert hash_share("p1") == pytest.approx(0.50451523, abs=1e-8)


def test_share_of_audit_groups() -> None:
    held_out = [split_of(f"patient {i}") is Split.AUDIT for i in range(4000)]
    assert np.mean(held_out) == pytest.approx(AUDIT_SHARE, abs=0.03)
    assert hash_share("x") != hash_share("x", "another salt")


@given(
    groups=st.lists(st.text(min_size=1, max_size=5), min_size=5, unique=True),
    more=st.lists(st.text(min_size=6, max_size=9), max_size=5, unique=True),
)
def test_adding_smears_moves_no_cell(groups, more) -> None:
    few = dict(enumerate(groups, 1))
    many = dict(enumerate([*groups, *more], 1))
    mpp = dict.fromkeys(many, 0.25)
    before = split_cells(table(list(few)), few, mpp)
    after = split_cells(table(list(many)), many, mpp)
    assert before.by_group
    assert before.caveat == ""
    np.testing.assert_array_equal(before.audit, after.audit[: len(few)])


@given(st.lists(st.integers(1, 8), min_size=1, max_size=50))
def test_no_group_stands_on_both_sides(smears) -> None:
    groups = {i: f"patient {i % 6}" for i in range(1, 9)}
    found = split_cells(table(smears), groups, dict.fromkeys(groups, 0.25))
    sides: dict[str, set[bool]] = {}
    for smear, audit in zip(smears, found.audit, strict=True):
        sides.setdefault(groups[smear], set()).add(bool(audit))
    assert all(len(side) == 1 for side in sides.values())


def test_pictures_without_a_group_are_no_patients() -> None:
    groups = {i: picture_group("field", f"{i}" * 16) for i in range(1, 7)}
    mpp = dict.fromkeys(groups, 0.25)
    cells = table(list(groups))
    found = split_cells(cells, groups, mpp, ungrouped=6)
    assert "by picture, not by patient: no groups" in found.caveat
    some = split_cells(cells, groups, mpp, ungrouped=2)
    assert "for 2 of 6 pictures" in some.caveat
    assert split_cells(cells, groups, mpp).caveat == ""
    np.testing.assert_array_equal(found.audit, split_cells(cells, groups, mpp).audit)
    assert is_picture_group(groups[1], "1" * 16)
    assert not is_picture_group("patient 7", "1" * 16)


def test_few_groups_are_split_by_blocks_and_say_so() -> None:
    mpp = 0.5
    wide = BLOCK_UM / mpp
    cells = table([1, 1, 1, 1], [0, wide - 30, wide, 2 * wide])
    found = split_cells(cells, {1: "p"}, {1: mpp})
    assert not found.by_group
    assert "blocks of 100 um" in found.caveat
    assert "fewer than 5 groups" in found.caveat
    assert found.keys.tolist() == ["p:0:0", "p:0:0", "p:1:0", "p:2:0"]


def test_blocks_are_micrometres_not_pixels() -> None:
    coarse = split_cells(table([1], [1000]), {1: "p"}, {1: 0.5})
    fine = split_cells(table([1], [2020]), {1: "p"}, {1: 0.25})
    assert coarse.keys.tolist() == fine.keys.tolist()


def test_no_cells() -> None:
    found = split_cells(CellTable.empty(), {}, {})
    assert found.audit.shape == (0,)


def test_synthetic_cells_are_refused() -> None:
    cell = tiny_synthetic(built_in("pbc11"), "BA", 1)
    for things in (cell[0], list(cell)):
        with pytest.raises(ProvenanceError, match="passed to a split"):
            split_cells(things, {}, {})
