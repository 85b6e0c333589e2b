"""Patients drawn again: one draw for all classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.splits import MIN_GROUPS
from napari_cytosynth.learning.again import RESAMPLES, Again
from napari_cytosynth.learning.outlook import Source
from tests.learning.toys import toy_cells

PATIENTS = 10


def _cells(patients: int = PATIENTS, each: int = 6) -> LabelledCells:
    """Return cells of two classes, as many of each patient."""
    n = each * patients
    cells = toy_cells({"BA": n, "LY": n})
    order = np.argsort(np.array(cells.codes), kind="stable")
    groups = np.array([f"p{i % patients}" for i in range(2 * n)])
    return replace(cells.take(order), groups=groups)


def _of(cells: LabelledCells, code: str) -> np.ndarray:
    return np.flatnonzero(np.array(cells.codes) == code)


def test_classes_of_the_same_patients_are_right_and_wrong_together() -> None:
    cells = _cells()
    good = np.isin(cells.groups, [f"p{i}" for i in range(PATIENTS // 2)])
    hits = np.broadcast_to(good.astype(float), (3, 1, len(good)))
    again = Again.of(cells, cells, 3, np.random.default_rng(0))
    one, other = (
        again.recalls(hits, Source.AUDIT, _of(cells, code))[:, 0]
        for code in ("BA", "LY")
    )
    assert one[0] == other[0] == 0.5
    assert np.corrcoef(one[1:], other[1:])[0, 1] > 0.8
    # So their mean is hardly surer than either.
    assert np.std((one + other)[1:] / 2) > 0.9 * np.std(one[1:])


def test_a_class_of_one_patient_has_a_recall_in_every_resample() -> None:
    cells = _cells()
    alone = _of(cells, "BA")[:5]
    groups = cells.groups.copy()
    groups[alone] = "alone"
    hits = np.zeros((3, 2, len(cells)))
    hits[:, :, alone[:3]] = 1
    again = Again.of(replace(cells, groups=groups), cells, 3, np.random.default_rng(0))
    found = again.recalls(hits, Source.CROSS, alone)
    assert found.shape == (RESAMPLES + 1, 2)
    np.testing.assert_allclose(found[0], 0.6)
    assert np.isfinite(found).all()
    assert 0.4 < found[1:].mean() < 0.8


def test_cells_of_few_patients_are_drawn_one_by_one() -> None:
    cells = _cells(MIN_GROUPS - 1)
    again = Again.of(cells, cells, 3, np.random.default_rng(0))
    drawn = again.weights[Source.CROSS][1:]
    assert (drawn.sum(axis=1) == len(cells)).all()
    by_patient = [drawn[:, cells.groups == g].sum(axis=1) for g in set(cells.groups)]
    assert np.std(by_patient) < 0.3 * len(cells) / (MIN_GROUPS - 1)
