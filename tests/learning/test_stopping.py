"""What more labels would bring, where the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.learning.extrapolation import carried_on
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.folds import fitted
from napari_cytosynth.learning.outlook import (
    Forecast,
    Outlook,
    Source,
    Stopping,
    judged,
)
from napari_cytosynth.learning.stopping import STEPS, look_ahead
from napari_cytosynth.metrics.intervals import Interval
from tests.learning.toys import toy_cells

FEW = {"BA": 15, "LY": 20, "MO": 20, "SNE": 20}
NONE = np.zeros(0, np.intp)


def ahead(real: LabelledCells, audit: LabelledCells | None = None) -> Stopping:
    audit = real.take(NONE) if audit is None else audit
    return run_to_end(look_ahead(real, audit, fit_head))


def of(stopping: Stopping, code: str) -> Forecast:
    (found,) = [f for f in stopping.forecasts if f.code == code]
    return found


def mean_recall(train: LabelledCells, test: LabelledCells) -> float:
    head = fitted(train, fit_head)
    assert head is not None
    right = np.array(head.predict(test.vectors)) == np.array(test.codes)
    codes = np.array(test.codes)
    return float(np.mean([right[codes == c].mean() for c in set(test.codes)]))


def test_a_power_law_is_carried_on() -> None:
    sizes = np.array([50.0, 80, 120, 160, 200])
    values = 0.9 - 3.0 * sizes**-0.75
    later = carried_on(sizes, values[None], np.array([200.0, 400.0]))[0]
    assert later == pytest.approx(
        0.9 - 3.0 * np.array([200, 400.0]) ** -0.75, abs=0.005
    )


def test_a_level_curve_stays_level_and_none_leaves_0_to_1() -> None:
    sizes = np.array([50.0, 80, 120, 160, 200])
    level = np.full((1, 5), 0.7)
    assert carried_on(sizes, level, np.array([400.0]))[0] == pytest.approx(0.7)
    steep = np.linspace(0.2, 0.98, 5)[None]
    assert carried_on(sizes, steep, np.array([4000.0]))[0, 0] <= 1.0
    assert carried_on(sizes, steep[:, ::-1], np.array([4000.0]))[0, 0] >= 0.0


def test_forecasts_of_simulated_pools_hold_the_truth() -> None:
    counts = {code: 2 * n for code, n in FEW.items()}
    half, test = sum(counts.values()), toy_cells(dict.fromkeys(FEW, 400), seed=99)
    foretold, truly, present, held = [], [], [], 0
    for seed in range(6):
        everything = toy_cells({code: 2 * n for code, n in counts.items()}, seed)
        real = everything.take(np.arange(half))
        whole = of(ahead(real), "")
        assert whole.now is not None
        assert whole.gain is not None
        rest = whole.rest or Interval(0.0, 0.0, 0.0, whole.n)
        now, then = mean_recall(real, test), mean_recall(everything, test)
        present.append(whole.now.value - now)
        foretold.append(whole.gain.value + rest.value)
        truly.append(then - now)
        low, high = whole.gain.low + rest.low, whole.gain.high + rest.high
        held += low <= then - now <= high
    # Each by itself is unsure; over six pools they are right.
    assert np.mean(foretold) == pytest.approx(np.mean(truly), abs=0.02)
    assert np.mean(truly) > 0.02
    assert np.mean(present) == pytest.approx(0, abs=0.04)
    assert held >= 4


def test_nothing_is_said_of_what_was_not_looked_at() -> None:
    sure = Interval(0.2, 0.15, 0.25, 50)
    told = Forecast("BA", Outlook.RISES, 50, more=100, now=sure, then=sure, gain=sure)
    assert str(told).endswith("what more than that brings was not looked at.")
    for forecast in ahead(toy_cells(FEW)).forecasts:
        if forecast.rest is None:
            assert "brings little" not in str(forecast)


def test_where_nothing_can_be_learnt_no_gain_is_claimed() -> None:
    stopping = ahead(toy_cells(FEW, apart=0.0))
    assert all(f.outlook is not Outlook.RISES for f in stopping.forecasts)


def test_where_all_is_learnt_more_brings_little() -> None:
    many = dict.fromkeys(FEW, 60)
    stopping = ahead(toy_cells(many, apart=3.0))
    assert of(stopping, "").outlook is Outlook.FLAT
    assert stopping.sentence.startswith(
        "More labels bring little to the mean recall of 4 classes: it is 1.00"
    )


def test_under_ten_cells_it_says_how_many_there_are() -> None:
    stopping = ahead(toy_cells({**FEW, "BA": 7}))
    rare = of(stopping, "BA")
    assert rare == Forecast("BA", n=7)
    assert str(rare) == (
        "What more labels would bring to recall of BA cannot be estimated yet (n = 7)."
    )
    few = ahead(toy_cells({"BA": 4, "LY": 5}))
    assert few.sentence == (
        "What more labels would bring to the accuracy cannot be estimated yet (n = 5)."
    )
    assert "cannot be estimated yet (n = 3)" in ahead(toy_cells({"BA": 3})).sentence


def test_audit_cells_are_tried_where_there_are_ten_of_a_class() -> None:
    audit = toy_cells({"BA": 9, "LY": 12}, seed=5)
    stopping = ahead(toy_cells(FEW), audit)
    assert (of(stopping, "LY").source, of(stopping, "LY").n) == (Source.AUDIT, 12)
    assert (of(stopping, "BA").source, of(stopping, "BA").n) == (Source.CROSS, 15)
    # Over all classes audit cells tell the accuracy: no ranking chose them.
    assert (of(stopping, "").source, of(stopping, "").n) == (Source.AUDIT, 21)
    assert "accuracy" in of(stopping, "").what
    none = ahead(toy_cells(FEW), audit.take(np.arange(9)))
    assert of(none, "").source is Source.CROSS
    assert "n = 12 audit cells" in str(of(stopping, "LY"))


def test_it_looks_no_further_than_twice_the_labels() -> None:
    real = toy_cells(FEW)
    steps = {f.more for f in ahead(real).forecasts if f.now is not None}
    assert steps <= {round(step * len(real)) for step in STEPS}
    assert max(steps) <= len(real)


def test_the_same_seed_says_the_same_and_it_survives_json() -> None:
    real = toy_cells(FEW)
    stopping = ahead(real)
    assert ahead(real) == stopping
    assert Stopping.from_json(stopping.to_json()) == stopping


def test_few_groups_are_said() -> None:
    assert "too few groups" in ahead(toy_cells(FEW, groups=3)).caveat


RISING = Forecast(
    "MMY",
    Outlook.RISES,
    23,
    Source.AUDIT,
    40,
    Interval(0.61, 0.41, 0.78, 23),
    Interval(0.70, 0.50, 0.85, 23),
    Interval(0.09, 0.03, 0.14, 23),
    Interval(0.01, -0.01, 0.03, 23),
)


def test_the_sentence_says_gain_interval_and_what_lies_beyond() -> None:
    assert str(RISING) == (
        "About 40 more labels would raise recall of MMY from 0.61 to 0.70 (gain +0.03 "
        "to +0.14, 80 % interval, n = 23 audit cells); more than that brings little."
    )
    further = replace(RISING, rest=Interval(0.05, 0.02, 0.09, 23))
    assert str(further).endswith("; more than that brings more.")
    unsure = replace(RISING, rest=Interval(0.05, -0.02, 0.09, 23))
    assert str(unsure).endswith("; what more than that brings cannot be told yet.")


def interval(value: float, low: float, high: float) -> Interval:
    return Interval(value, low, high, 30)


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        # The least labels leave it open, the most do not: these are told.
        ([(0.01, -0.01, 0.04), (0.03, 0.01, 0.05)], (Outlook.RISES, 1)),
        ([(0.03, 0.01, 0.05), (0.04, 0.01, 0.06)], (Outlook.RISES, 0)),
        ([(0.01, -0.01, 0.04), (0.03, -0.01, 0.05)], (Outlook.UNCLEAR, 1)),
        ([(0.01, -0.01, 0.02), (0.01, 0.0, 0.04)], (Outlook.FLAT, 1)),
        ([(0.03, 0.01, 0.06), (0.09, 0.04, 0.12)], (Outlook.RISES, 1)),
    ],
)
def test_what_is_told_is_what_was_judged(
    gains: list[tuple[float, float, float]], told: tuple[Outlook, int]
) -> None:
    assert judged([interval(*gain) for gain in gains]) == told


def test_a_sure_gain_that_may_be_little_is_no_unknown_gain() -> None:
    little = replace(
        RISING, outlook=Outlook.UNCLEAR, gain=Interval(0.02, 0.01, 0.05, 23)
    )
    assert str(little).startswith(
        "Whether 40 more labels would raise recall of MMY by more than 0.02 cannot be "
        "told yet: it is 0.61, and they would change it by +0.01 to +0.05"
    )


def test_what_the_interval_does_not_bear_is_not_claimed() -> None:
    unclear = replace(
        RISING, outlook=Outlook.UNCLEAR, gain=Interval(0.05, -0.04, 0.14, 23)
    )
    assert str(unclear) == (
        "Whether 40 more labels would raise recall of MMY cannot be told yet: it is "
        "0.61, and they would change it by -0.04 to +0.14 (80 % interval, n = 23 audit "
        "cells)."
    )
    flat = replace(RISING, outlook=Outlook.FLAT, gain=Interval(0.0, -0.01, 0.02, 23))
    assert str(flat) == (
        "More labels bring little to recall of MMY: it is 0.61, and 40 more labels "
        "would change it by -0.01 to +0.02 (80 % interval, n = 23 audit cells)."
    )


def test_the_surest_gain_of_a_class_is_told_else_the_mean() -> None:
    mean = replace(RISING, code="", outlook=Outlook.UNCLEAR, classes=4)
    other = replace(RISING, code="PMY", gain=Interval(0.3, 0.01, 0.6, 23))
    assert Stopping((mean, other, RISING)).sentence == str(RISING)
    unclear = replace(RISING, outlook=Outlook.UNCLEAR)
    assert Stopping((mean, unclear)).sentence == str(mean)
    assert "the mean recall" in str(mean)


def test_classes_of_which_nothing_is_known_are_named() -> None:
    stopping = ahead(toy_cells({**FEW, "BA": 7}))
    assert "the mean recall of 3 classes" in stopping.sentence
    assert stopping.sentence.endswith(" Of BA it cannot be estimated yet.")


def test_no_sentence_is_said_twice() -> None:
    mean = replace(RISING, code="", classes=2, outlook=Outlook.FLAT)
    known = replace(RISING, code="LY", outlook=Outlook.FLAT)
    found = Stopping((mean, known, Forecast("BA", n=3)))
    first, *others = found.sentences()
    assert first == found.sentence
    assert first.startswith(str(mean))
    assert others == [str(known), str(Forecast("BA", n=3))]
