"""The interval of a share of cells, patients drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.core.splits import MIN_GROUPS
from napari_cytosynth.metrics.intervals import wilson
from napari_cytosynth.metrics.shares import share_among, too_few


def _groups(patients: int, each: int) -> np.ndarray:
    return np.array([f"p{i}" for i in range(patients) for _ in range(each)])


def test_patients_who_differ_make_the_interval_wider_than_wilson() -> None:
    groups = _groups(8, 25)
    hits = np.isin(groups, [f"p{i}" for i in range(4)])
    found, plain = share_among(hits, np.ones(200), groups), wilson(100, 200)
    assert (found.value, found.n) == (0.5, 200)
    assert found.high - found.low > 3 * (plain.high - plain.low)


def test_patients_who_are_alike_leave_it_about_as_wide() -> None:
    groups, hits = _groups(50, 4), np.tile([True, True, True, False], 50)
    found, plain = share_among(hits, np.ones(200), groups), wilson(150, 200)
    assert (found.low, found.high) == (plain.low, plain.high)


def test_it_covers_the_truth_of_other_patients_where_wilson_does_not() -> None:
    """Patients whose own share varies: 0.8 at the mean."""
    rng = np.random.default_rng(0)
    inside = {"groups": 0, "cells": 0}
    for _ in range(200):
        shares = rng.beta(4, 1, 20)
        groups = _groups(20, 10)
        hits = rng.random(200) < np.repeat(shares, 10)
        both = share_among(hits, np.ones(200), groups), wilson(int(hits.sum()), 200)
        for name, found in zip(inside, both, strict=True):
            inside[name] += found.low <= 0.8 <= found.high
    assert inside["groups"] / 200 > 0.88
    assert inside["cells"] / 200 < 0.85


def test_only_the_patients_asked_of_count() -> None:
    groups = _groups(MIN_GROUPS + 1, 10)
    asked = np.isin(groups, [f"p{i}" for i in range(MIN_GROUPS - 1)])
    hits = asked & (np.arange(len(groups)) % 2 == 0)
    n = int(asked.sum())
    assert share_among(hits, asked, groups) == wilson(n // 2, n)
    assert not too_few(groups)
    assert too_few(groups[asked])


def test_all_right_leaves_wilson_s_doubt() -> None:
    groups = _groups(10, 2)
    assert share_among(np.ones(20), np.ones(20), groups) == wilson(20, 20)


def test_means_over_runs_and_no_cell_at_all() -> None:
    groups = _groups(6, 2)
    some = share_among(np.full(12, 0.3), np.full(12, 0.9), groups)
    assert some.value == pytest.approx(1 / 3)
    assert some.n == 11
    nothing = share_among(np.zeros(12), np.zeros(12), groups)
    assert np.isnan(nothing.value)
    assert nothing.n == 0
