from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.core.protocols import TrainingSet
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.curve import (
    POINTS,
    LearningCurve,
    Measure,
    learning_curve,
    sizes_to,
)
from napari_cytosynth.learning.fitting import fit_head
from tests.learning.toys import toy_cells

MANY = {"BA": 30, "LY": 60, "MO": 50, "SNE": 60}
NONE = np.zeros(0, np.intp)


def test_sizes_end_at_all_labels() -> None:
    assert sizes_to(0) == []
    assert sizes_to(7) == [7]
    sizes = sizes_to(400)
    assert sizes[0] == 10
    assert sizes[-1] == 400
    assert len(sizes) <= POINTS
    assert sizes == sorted(set(sizes))


def test_ten_audit_cells_measure_accuracy() -> None:
    real, audit = toy_cells(MANY), toy_cells(MANY, seed=9)
    curve = run_to_end(learning_curve(real, audit, fit_head))
    assert curve.measure is Measure.AUDIT
    assert curve.labels == len(real) == curve.points[-1].labels
    assert {point.score.n for point in curve.points} == {len(audit)}
    first, last = curve.points[0].score, curve.points[-1].score
    assert last.low > first.value
    assert last.low < last.value < last.high
    weights = balanced(real.codes)
    head = fit_head(TrainingSet(real.vectors, real.codes, weights), folds=0)
    hits = np.mean(np.array(head.predict(audit.vectors)) == np.array(audit.codes))
    assert last.value == pytest.approx(hits)


def test_before_that_labels_measure_each_other() -> None:
    real, few = toy_cells(MANY), toy_cells({"BA": 4, "LY": 5}, seed=9)
    curve = run_to_end(learning_curve(real, few, fit_head))
    assert curve.measure is Measure.CROSS
    assert curve.caveat == ""
    assert curve.points[-1].score.n == len(real)
    assert curve.points[-1].score.low > curve.points[0].score.value
    # All points are tried on the same cells, so that noise is not learnt from them.
    nothing = toy_cells(MANY, apart=0.0)
    blind = run_to_end(learning_curve(nothing, few, fit_head))
    assert blind.points[-1].score.value < 0.4


def test_a_class_that_fails_is_not_forgotten_where_no_cell_of_it_is_drawn() -> None:
    # Two cells of one class among clouds that lie apart: it fails, and many resamples
    # hold neither of them. The point must lie inside its interval all the same.
    real = toy_cells({"BA": 2, "LY": 60, "MO": 60, "SNE": 60}, apart=2.0)
    none = real.take(NONE)
    curve = run_to_end(learning_curve(real, none, fit_head))
    last = curve.points[-1].score
    assert last.value < 0.8
    assert last.high < 0.9
    assert last.low <= last.value <= last.high


def test_few_groups_are_said() -> None:
    real = toy_cells(MANY, groups=3)
    curve = run_to_end(learning_curve(real, real.take(NONE), fit_head))
    assert "too few groups" in curve.caveat


def test_one_class_has_no_points() -> None:
    real = toy_cells({"BA": 20})
    curve = run_to_end(learning_curve(real, real.take(NONE), fit_head))
    assert curve.points == ()
    assert curve.labels == 20


def test_a_curve_survives_json() -> None:
    real, audit = toy_cells(MANY), toy_cells(MANY, seed=9)
    curve = run_to_end(learning_curve(real, audit, fit_head))
    assert LearningCurve.from_json(curve.to_json()) == curve
