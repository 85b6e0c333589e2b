from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.bench.detect import Counts, match
from napari_cytosynth.bench.truth import Truth, bccd, txl_pbc
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.ingest import calibrate, detect_cells, open_smear
from napari_cytosynth.ingest.classic import ClassicDetector


def f1_of(truths: list[Truth]) -> float:
    counts = []
    for truth in truths:
        image = open_smear(truth.path)
        found = run_to_end(detect_cells(image, ClassicDetector(), calibrate(image)))
        image.close()
        boxes = truth.boxes["white cell"]
        counts.append(match(found.boxes, found.scores, boxes, 0.5))
    right, seen, true = np.sum([(c.right, c.found, c.true) for c in counts], axis=0)
    return float(2 * right / (seen + true))


@pytest.mark.data
def test_white_cells_of_bccd(developer_data: Path) -> None:
    assert f1_of(list(bccd(developer_data))[::12]) >= 0.90


@pytest.mark.data
def test_white_cells_of_another_scanner(developer_data: Path) -> None:
    assert f1_of(list(txl_pbc(developer_data))[::12]) >= 0.90


def test_a_true_box_is_found_once() -> None:
    truth = np.array([[0, 0, 10, 10]], float)
    boxes = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [50, 50, 5, 5]], float)
    scores = np.array([0.9, 0.5, 0.7])
    assert match(boxes, scores, truth, 0.5) == Counts(1, 3, 1)


def test_the_best_score_chooses_first() -> None:
    truth = np.array([[0, 0, 10, 10], [4, 0, 10, 10]], float)
    boxes = np.array([[2, 0, 10, 10], [0, 0, 10, 10]], float)
    assert match(boxes, np.array([0.2, 0.9]), truth, 0.5).right == 2


def test_nothing_found_and_nothing_true() -> None:
    none = np.zeros((0, 4))
    assert match(none, np.zeros(0), none, 0.5) == Counts(0, 0, 0)
