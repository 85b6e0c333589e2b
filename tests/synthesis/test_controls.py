from collections import Counter

import numpy as np
import pytest

from napari_cytosynth.core.protocols import Control
from napari_cytosynth.synthesis.controls.class_weights import ClassWeights
from napari_cytosynth.synthesis.controls.duplicates import Duplicates


@pytest.mark.parametrize("control", [ClassWeights(), Duplicates()])
def test_controls_make_classes_count_equally(control, cells):
    assert isinstance(control, Control)
    enriched = control.enrich(cells, np.random.default_rng(0))
    total = Counter()
    for code, weight in zip(enriched.codes, enriched.weights, strict=True):
        total[code] += weight
    assert max(total.values()) == pytest.approx(min(total.values()))
    assert len(enriched.vectors) == len(enriched.codes) == len(enriched.weights)


def test_class_weights_match_sklearn(cells):
    from sklearn.utils.class_weight import compute_sample_weight

    ours = ClassWeights().enrich(cells, np.random.default_rng(0)).weights
    np.testing.assert_allclose(ours, compute_sample_weight("balanced", cells.codes))


def test_duplicates_are_real_cells_of_their_class(cells):
    enriched = Duplicates().enrich(cells, np.random.default_rng(0))
    np.testing.assert_array_equal(enriched.vectors[: len(cells)], cells.vectors)
    own = {v.tobytes(): c for v, c in zip(cells.vectors, cells.codes, strict=True)}
    assert all(
        own[v.tobytes()] == c
        for v, c in zip(enriched.vectors, enriched.codes, strict=True)
    )


@pytest.mark.parametrize("control", [ClassWeights(), Duplicates()])
def test_no_cells_stay_no_cells(control, cells_of):
    assert len(control.enrich(cells_of({}), np.random.default_rng(0)).codes) == 0
