from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.metrics.calibration import (
    calibration_error,
    error_of_calibrated,
    log_loss_ratio,
)

CODES = ("A", "B")


def _cells(n: int, sure: float, right: float) -> tuple[np.ndarray, np.ndarray]:
    chances = np.tile([sure, 1 - sure], (n, 1))
    truth = np.where(np.arange(n) < right * n, "A", "B")
    return chances, truth


def test_confidence_that_is_met_has_no_error() -> None:
    chances, truth = _cells(100, 0.8, 0.8)
    order = np.random.default_rng(0).permutation(100)
    # Bins of equal confidence hold a tenth of the cells each, at random.
    found = calibration_error(chances, CODES, truth[order])
    assert found < 0.15
    whole = calibration_error(chances[:5], CODES, np.array(["A"] * 4 + ["B"]))
    assert whole == pytest.approx((4 * 0.2 + 0.8) / 5)


def test_too_much_confidence_is_the_gap() -> None:
    sure = np.tile([1.0, 0.0], (40, 1))
    truth = np.array(["A", "B"] * 20)
    assert calibration_error(sure, CODES, truth) == pytest.approx(0.5)


def test_bins_hold_as_many_cells_each() -> None:
    sure = np.linspace(0.5, 0.9, 20)
    chances = np.column_stack([sure, 1 - sure])
    truth = np.array(["A"] * 20)
    # All are right: each bin's gap is what its confidence lacks.
    assert calibration_error(chances, CODES, truth) == pytest.approx(0.3)


def test_the_shares_alone_have_a_ratio_of_one() -> None:
    chances, truth = _cells(50, 0.6, 0.6)
    assert log_loss_ratio(chances, CODES, truth) == pytest.approx(1.0)


def test_a_class_that_the_model_lacks_is_punished_and_not_endless() -> None:
    chances = np.tile([0.9, 0.1], (4, 1))
    truth = np.array(["A", "A", "A", "C"])
    found = log_loss_ratio(chances, CODES, truth)
    assert 1 < found < 100


def test_a_calibrated_model_still_errs_by_chance_and_less_with_more_cells() -> None:
    rng = np.random.default_rng(0)
    errors = []
    for n in (100, 10_000):
        sure = rng.uniform(0.6, 1, n)
        chances = np.stack([sure, 1 - sure], axis=1)
        told = [
            calibration_error(
                chances, ("A", "B"), np.where(rng.random(n) < sure, "A", "B")
            )
            for _ in range(200)
        ]
        expected = error_of_calibrated(chances, np.random.default_rng(1))
        assert expected == pytest.approx(np.mean(told), rel=0.05)
        errors.append(expected)
    assert errors[0] > 5 * errors[1]
