from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.core.training import TrainingSet, Vectors, balanced
from napari_cytosynth.learning import shortlist as shortlists
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.shortlist import Rows, shortlist


def _pool(n: int) -> tuple[Head, Vectors]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 6))
    kinds = rng.integers(3, size=n)
    vectors = (centres[kinds] + rng.normal(size=(n, 6))).astype(np.float32)
    codes = tuple("ABC"[k] for k in kinds[:60])
    return fit_head(TrainingSet(vectors[:60], codes, balanced(codes))), vectors


def _listed(head: Head, vectors: Vectors, size: int) -> Rows:
    rng, rows = np.random.default_rng(0), np.arange(len(vectors))
    return shortlist(rows, head.predict_proba(vectors), rng, size=size)


def test_a_small_pool_is_kept_whole() -> None:
    head, vectors = _pool(90)
    np.testing.assert_array_equal(_listed(head, vectors, 400), np.arange(90))


def test_an_empty_pool_is_an_empty_list() -> None:
    head, vectors = _pool(90)
    assert not len(_listed(head, vectors[:0], 400))


def test_the_cells_of_most_doubt_and_the_likeliest_of_each_class_are_kept() -> None:
    head, vectors = _pool(5000)
    found = _listed(head, vectors, 200)
    assert len(found) <= 200
    assert (np.diff(found) > 0).all()
    chances = head.predict_proba(vectors)
    two = np.sort(chances, axis=1)[:, -2:]
    doubtful = np.argsort(two[:, 1] - two[:, 0])[:100]
    assert set(doubtful.tolist()) <= set(found.tolist())
    for column in range(3):
        likeliest = np.argsort(-chances[:, column])[:16]
        assert set(likeliest.tolist()) <= set(found.tolist())


def test_only_the_rows_asked_for_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    head, vectors = _pool(5000)
    chances = head.predict_proba(vectors)
    rows = np.arange(1, 5000, 2)
    chances[::2] = np.nan
    whole = shortlist(rows, chances, np.random.default_rng(0), size=200)
    assert np.isin(whole, rows).all()
    monkeypatch.setattr(shortlists, "_BLOCK", 64)
    parts = shortlist(rows, chances, np.random.default_rng(0), size=200)
    np.testing.assert_array_equal(whole, parts)


def test_equal_cells_do_not_make_the_list_longer() -> None:
    head, vectors = _pool(5000)
    level = np.tile(vectors[:1], (5000, 1))
    assert len(_listed(head, level, 200)) <= 200


def test_without_a_head_the_list_is_drawn() -> None:
    found = shortlist(np.arange(500), None, np.random.default_rng(0), size=50)
    assert len(set(found.tolist())) == 50
    assert found.max() > 250
