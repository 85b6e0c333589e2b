"""d' of a reader, against closed forms."""

from math import pi, sqrt
from statistics import NormalDist

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.discrimination import Answers, d_prime, leaning


def test_one_who_guesses_has_none_and_the_closed_interval():
    # Rates of one half: the density is 1/sqrt(2 pi), so each variance is pi / (2 n).
    answers = Answers(50, 100, 50, 100)
    found = d_prime(answers)
    half = NormalDist().inv_cdf(0.975) * sqrt(pi / 100)
    assert found.value == pytest.approx(0)
    assert found.low == pytest.approx(-half)
    assert found.high == pytest.approx(half)
    assert found.n == 200
    assert leaning(answers) == pytest.approx(0)


def test_rates_of_one_deviation_each_make_two():
    # (n + 1) p - 0.5 answers of n give a corrected rate of p.
    n = 10**6
    p = NormalDist().cdf(1)
    hits, alarms = round((n + 1) * p - 0.5), round((n + 1) * (1 - p) - 0.5)
    assert d_prime(Answers(hits, n, alarms, n)).value == pytest.approx(2, abs=1e-4)
    # One deviation to one side only is all leaning: it cannot tell them apart.
    rather = Answers(alarms, n, alarms, n)
    assert d_prime(rather).value == pytest.approx(0)
    assert leaning(rather) == pytest.approx(1, abs=1e-4)


def test_rates_of_nought_and_one_are_finite_and_alike():
    best = d_prime(Answers(20, 20, 0, 20))
    worst = d_prime(Answers(0, 20, 20, 20))
    assert best.value == pytest.approx(2 * NormalDist().inv_cdf(20.5 / 21))
    assert best.value == pytest.approx(-worst.value)
    assert 0 < best.low < best.value < best.high < 10


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hit, alarm = NormalDist().cdf(0.8), NormalDist().cdf(-0.2)
    intervals = [
        d_prime(Answers(int(h), 100, int(a), 100))
        for h, a in zip(
            rng.binomial(100, hit, 2000), rng.binomial(100, alarm, 2000), strict=True
        )
    ]
    held = np.mean([i.low <= 1.0 <= i.high for i in intervals])
    assert held == pytest.approx(0.95, abs=0.015)
    wider = d_prime(Answers(80, 100, 40, 100), level=0.99)
    narrow = d_prime(Answers(80, 100, 40, 100), level=0.80)
    assert wider.low < narrow.low < narrow.high < wider.high


def test_answers_are_counted_by_cell():
    truth = [True, True, True, False, False]
    answers = Answers.of(truth, [True, False, True, True, False])
    assert answers == Answers(2, 3, 1, 2)
    assert answers.correct == 3


@pytest.mark.parametrize("counts", [(5, 4, 0, 3), (0, 0, 0, 3), (1, 2, -1, 3)])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(InputError, match="one of each at least"):
        Answers(*counts)


def test_an_answer_is_wanted_for_each_cell():
    with pytest.raises(InputError, match="2 answers were given for 3 cells"):
        Answers.of([True, False, True], [True, False])
