from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_cytosynth.core.training import TrainingSet, Vectors, balanced
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.shortlist import Block, shortlist


def _pool(n: int) -> tuple[Head, Vectors]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 6))
    kinds = rng.integers(3, size=n)
    vectors = (centres[kinds] + rng.normal(size=(n, 6))).astype(np.float32)
    codes = tuple("ABC"[k] for k in kinds[:60])
    return fit_head(TrainingSet(vectors[:60], codes, balanced(codes))), vectors


def _blocks(vectors: Vectors, step: int) -> Iterator[Block]:
    for at in range(0, len(vectors), step):
        part = vectors[at : at + step]
        yield Block(np.arange(at, at + len(part)), part)


def test_a_small_pool_is_kept_whole() -> None:
    head, vectors = _pool(90)
    found = shortlist(_blocks(vectors, 20), head, np.random.default_rng(0), size=400)
    np.testing.assert_array_equal(found.rows, np.arange(90))
    np.testing.assert_array_equal(found.vectors, vectors)


def test_an_empty_pool_is_an_empty_list() -> None:
    head, vectors = _pool(90)
    found = shortlist(
        [Block(np.zeros(0, np.intp), vectors[:0])], head, np.random.default_rng(0)
    )
    assert not len(found.rows)


def test_the_cells_of_most_doubt_and_the_likeliest_of_each_class_are_kept() -> None:
    head, vectors = _pool(5000)
    found = shortlist(_blocks(vectors, 300), head, np.random.default_rng(0), size=200)
    chances = head.predict_proba(vectors)
    two = np.sort(chances, axis=1)[:, -2:]
    doubtful = np.argsort(two[:, 1] - two[:, 0])[:100]
    assert set(doubtful.tolist()) <= set(found.rows.tolist())
    for column in range(3):
        likeliest = np.argsort(-chances[:, column])[:16]
        assert set(likeliest.tolist()) <= set(found.rows.tolist())
    np.testing.assert_array_equal(found.vectors, vectors[found.rows])
    np.testing.assert_allclose(found.probabilities, chances[found.rows], atol=1e-6)


def test_the_blocks_do_not_matter_save_to_the_lots() -> None:
    head, vectors = _pool(5000)
    one, other = (
        shortlist(_blocks(vectors, step), head, np.random.default_rng(0), size=200)
        for step in (5000, 700)
    )
    np.testing.assert_array_equal(one.rows, other.rows)


def test_equal_cells_do_not_make_the_list_longer() -> None:
    head, vectors = _pool(5000)
    level = np.tile(vectors[:1], (5000, 1))
    found = shortlist(_blocks(level, 500), head, np.random.default_rng(0), size=200)
    assert len(found.rows) <= 200
