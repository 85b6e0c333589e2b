"""Correcting for the number of questions: against closed testing by brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from napari_cytosynth.metrics.multiplicity import holm, holm_levels, two_sided
from napari_cytosynth.metrics.scores import interval_of


def closed_testing(p: np.ndarray) -> np.ndarray:
    """Correct each p by every family that it is of, each judged by Bonferroni's rule.

    Marcus, Peritz and Gabriel 1976; of Bonferroni's rule this is Holm's.
    """
    found = np.zeros(len(p))
    for size in range(1, len(p) + 1):
        for family in combinations(range(len(p)), size):
            least = min(1.0, size * min(p[number] for number in family))
            for number in family:
                found[number] = max(found[number], least)
    return found


def test_holm_is_the_step_down_rule() -> None:
    assert np.allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])
    assert np.allclose(holm(np.array([0.01, 0.01, 0.9])), [0.03, 0.03, 0.9])
    assert holm(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_holm_is_closed_testing(n: int) -> None:
    rng = np.random.default_rng(n)
    for _ in range(20):
        p = (rng.random(n) ** 3).round(2)
        assert np.allclose(holm(p), closed_testing(p))


def test_holm_claims_all_that_bonferroni_claims_and_more() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((200, 6)) ** 4
    stepped = np.array([holm(row) for row in p]) <= 0.05
    plain = 6 * p <= 0.05
    assert (stepped >= plain).all()
    assert stepped.sum() > plain.sum()


def test_holm_keeps_its_chance_of_a_false_claim() -> None:
    """Of 4,000 families of six true nulls, one in twenty is wrongly claimed from."""
    p = np.random.default_rng(1).random((4000, 6))
    wrong = np.array([(holm(row) <= 0.05).any() for row in p]).mean()
    assert wrong == pytest.approx(1 - (1 - 0.05 / 6) ** 6, abs=0.012)


def test_an_interval_leaves_nothing_out_where_its_p_is_kept() -> None:
    """Of 300 families, interval and corrected p say the same of each class."""
    rng = np.random.default_rng(2)
    claimed = 0
    for _ in range(300):
        shift = rng.choice([0.0, 2.0, 2.6, 3.5], size=5)
        values = np.vstack([shift, shift + rng.normal(size=(2000, 5))])
        raw = np.array([two_sided(column[1:]) for column in values.T])
        # A p that stands right at a step says neither.
        steps = 0.05 / np.arange(5, 0, -1)
        if np.abs(raw[:, None] - steps).min() < 0.0011:
            continue
        kept = holm(raw) > 0.05
        for column, level, stays in zip(values.T, holm_levels(raw), kept, strict=True):
            found = interval_of(column, 9, level)
            assert (found.low <= 0 <= found.high) == stays
            claimed += not stays
    assert claimed > 100


def test_levels_go_from_bonferroni_down_to_one_question() -> None:
    assert np.allclose(
        holm_levels(np.array([0.04, 0.001, 0.02])), [0.95, 1 - 0.05 / 3, 0.975]
    )
    # From the first that fails, nothing is judged more lightly.
    assert np.allclose(holm_levels(np.array([0.03, 0.03, 0.03])), 1 - 0.05 / 3)


def test_a_gain_that_is_undefined_is_no_gain() -> None:
    assert two_sided(np.full(100, np.nan)) == 1
    drawn = np.r_[np.full(90, np.nan), np.full(5, -1.0), np.full(5, 1.0)]
    assert two_sided(drawn) == 1


def test_p_has_its_floor() -> None:
    assert two_sided(np.full(2000, 0.1)) == pytest.approx(0.001)
    assert two_sided(np.r_[np.full(60, -1.0), np.full(1940, 1.0)]) == pytest.approx(
        0.06
    )
