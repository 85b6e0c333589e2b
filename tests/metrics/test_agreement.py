from __future__ import annotations

import math

import pytest
from sklearn.metrics import cohen_kappa_score

from napari_cytosynth.metrics.agreement import kappa

PAIRS = [("BA", "BA")] * 8 + [("EO", "EO")] * 9 + [("BA", "EO")] * 2 + [("LY", "BA")]


def test_it_is_cohens_kappa() -> None:
    found = kappa(PAIRS)
    expected = cohen_kappa_score(*zip(*PAIRS, strict=True))
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high <= 1.0
    assert found.n == len(PAIRS)


def test_full_agreement_of_a_few_cells_is_not_certain() -> None:
    found = kappa([("BA", "BA")] * 6 + [("EO", "EO")] * 6)
    assert found.value == 1.0
    assert 0.4 < found.low < 0.7


@pytest.mark.parametrize("pairs", [[], [("BA", "BA")] * 5])
def test_without_two_classes_nothing_is_known(pairs: list[tuple[str, str]]) -> None:
    found = kappa(pairs)
    assert math.isnan(found.value)
    assert (found.low, found.high, found.n) == (-1.0, 1.0, len(pairs))
