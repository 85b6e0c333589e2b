"""Which fields teach most: worth, repeats, and what else is there."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.learning.fields import FieldCells


def _cells(
    fields: list[int],
    worth: list[float],
    points: list[list[float]],
    known: list[list[float]] | None = None,
    extra: list[float] | None = None,
) -> FieldCells:
    return FieldCells(
        np.array(fields, np.intp),
        np.array(worth, np.float64),
        np.array(points, np.float32).reshape(-1, 2),
        np.array(known or [], np.float32).reshape(-1, 2),
        np.array(extra or [0.0] * (max(fields, default=0) + 1)),
    )


def test_the_field_of_the_larger_sum_comes_first() -> None:
    cells = _cells(
        [0, 1, 1], [1.0, 0.8, 0.7], [[0, 0], [100, 0], [0, 100]], extra=[0.0, 0.0]
    )
    assert [field for field, _ in cells.best(5)] == [1, 0]
    assert 1.3 < cells.best(5)[0][1] < 1.5


def test_cells_that_repeat_each_other_count_little_more_than_one() -> None:
    alike = [[0.0, 0.0], [0.001, 0.0], [0.0, 0.001]]
    cells = _cells(
        [0, 0, 0, 1, 1],
        [1.0, 1.0, 1.0, 0.8, 0.8],
        [*alike, [50.0, 0.0], [0.0, 60.0]],
    )
    # The usual distance to the nearest is that within the cluster: widen it by known.
    first, second = cells.best(2)
    assert {first[0], second[0]} == {0, 1}
    spread = _cells(
        [0, 0, 0, 1, 1, 2, 2, 2, 2, 2],
        [1.0, 1.0, 1.0, 0.8, 0.8] + [0.0] * 5,
        [*alike, [50.0, 0.0], [0.0, 60.0], *([300.0 + 40 * i, 0.0] for i in range(5))],
        extra=[0.0, 0.0, 0.0],
    )
    assert spread.best(1)[0][0] == 1


def test_what_is_labelled_or_counted_before_adds_nothing() -> None:
    points = [[0.0, 0.0], [9.0, 0.0], [9.0, 0.0]]
    cells = _cells([0, 1, 2], [1.0, 0.9, 0.8], points, known=[[0.0, 0.0]])
    found = cells.best(3)
    assert [field for field, _ in found] == [1]


def test_places_are_worth_something_without_a_cell() -> None:
    cells = _cells([0], [0.4], [[0.0, 0.0]], extra=[0.0, 0.6, 0.0])
    assert cells.best(3) == [(1, 0.6), (0, 0.4)]


def test_greedy_and_lazy_agree() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 2)).astype(np.float32)
    fields, worth = rng.integers(0, 12, 60), rng.random(60)
    cells = FieldCells(fields, worth, points, points[:0], np.zeros(12))
    lazy = cells.best(12)
    gains = [adds for _, adds in lazy]
    assert gains == sorted(gains, reverse=True)
    assert sum(gains) <= worth.sum() + 1e-9
    assert len({field for field, _ in lazy}) == len(lazy)


def test_no_fields() -> None:
    none = FieldCells(
        np.zeros(0, np.intp),
        np.zeros(0),
        np.zeros((0, 2), np.float32),
        np.zeros((0, 2), np.float32),
        np.zeros(0),
    )
    assert none.best(3) == []
