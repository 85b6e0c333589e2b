"""What every query strategy promises; inherit, and give ``make``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_cytosynth.core.protocols import (
    Candidates,
    LabelledCells,
    QueryStrategy,
)
from napari_cytosynth.core.taxonomies import built_in


def tiny_labelled(codes: Sequence[str], dim: int, seed: int = 0) -> LabelledCells:
    """Return five labelled cells of each class, with random vectors."""
    rng = np.random.default_rng([seed, 1])
    n = 5 * len(codes)
    return LabelledCells(
        -1 - np.arange(n, dtype=np.int64),
        tuple(codes) * 5,
        np.zeros((0, 96, 96, 3), np.uint8),
        rng.normal(size=(n, dim)).astype(np.float32),
        "tiny",
        np.array(["g"] * n),
    )


def tiny_candidates(
    n: int = 200, *, seed: int = 0, with_model: bool = True
) -> Candidates:
    """Return a pool with random vectors, probabilities and uneven label counts.

    Parameters
    ----------
    n : int
        Cells.
    seed : int
        Makes the same pool again.
    with_model : bool
        False: no probabilities, as before the first fit.
    """
    rng = np.random.default_rng(seed)
    taxonomy = built_in("pbc11")
    codes = taxonomy.cell_codes[:6]
    chances = rng.dirichlet(np.full(len(codes), 0.4), n).astype(np.float32)
    counts = dict.fromkeys(taxonomy.codes, 0) | dict(
        zip(codes, (40, 30, 30, 20, 12, 1), strict=True)
    )
    return Candidates(
        ids=np.sort(rng.choice(10 * n + 1, n, replace=False)).astype(np.int64),
        vectors=rng.normal(size=(n, 5)).astype(np.float32),
        probabilities=chances if with_model else None,
        codes=codes if with_model else (),
        taxonomy=taxonomy,
        counts=counts,
        labelled=tiny_labelled(codes, 5, seed) if with_model else None,
    )


class StrategyContract(ABC):
    """Tests for a :class:`~napari_cytosynth.core.protocols.QueryStrategy`."""

    @abstractmethod
    def make(self) -> QueryStrategy:
        """Return a fresh strategy."""

    def test_is_a_strategy(self) -> None:
        """It has a key and one sentence for the user."""
        made = self.make()
        assert isinstance(made, QueryStrategy)
        assert made.key
        assert made.summary.endswith(".")

    def test_the_pool_and_nothing_else(self) -> None:
        """It returns as many cells as asked, from the pool, none twice."""
        pool = tiny_candidates()
        found = self.make().query(pool, 30, np.random.default_rng(0))
        assert len(found.ids) == len(found.utilities) == len(found.reasons) == 30
        assert len(set(found.ids.tolist())) == 30
        assert np.isin(found.ids, pool.ids).all()

    def test_best_first(self) -> None:
        """Utilities are finite and descend."""
        found = self.make().query(tiny_candidates(), 50, np.random.default_rng(0))
        assert np.isfinite(found.utilities).all()
        assert (np.diff(found.utilities) <= 0).all()

    def test_every_cell_has_a_reason(self) -> None:
        """A reason is a short line for a person."""
        found = self.make().query(tiny_candidates(), 50, np.random.default_rng(0))
        assert all(0 < len(reason) <= 60 for reason in found.reasons)
        assert not any("\n" in reason for reason in found.reasons)

    def test_more_than_there_are(self) -> None:
        """A small pool is returned whole."""
        pool = tiny_candidates(7)
        found = self.make().query(pool, 50, np.random.default_rng(0))
        assert sorted(found.ids.tolist()) == pool.ids.tolist()

    def test_empty_pool(self) -> None:
        """An empty pool gives an empty query, with or without a model."""
        for with_model in (True, False):
            pool = tiny_candidates(0, with_model=with_model)
            assert not len(self.make().query(pool, 5, np.random.default_rng(0)).ids)

    def test_none_wanted(self) -> None:
        """Asking for none gives none."""
        assert not len(
            self.make().query(tiny_candidates(), 0, np.random.default_rng(0)).ids
        )

    def test_same_seed_same_cells(self) -> None:
        """The generator decides all there is of chance."""
        pool = tiny_candidates()
        first = self.make().query(pool, 20, np.random.default_rng(3))
        again = self.make().query(pool, 20, np.random.default_rng(3))
        np.testing.assert_array_equal(first.ids, again.ids)
        assert first.reasons == again.reasons

    def test_ties_are_broken_at_random(self) -> None:
        """Equal cells are not taken by their place in the table."""
        pool = tiny_candidates()
        even = np.full_like(pool.probabilities, 1 / len(pool.codes))
        level = replace(pool, probabilities=even, vectors=np.zeros_like(pool.vectors))
        first = self.make().query(level, 10, np.random.default_rng(0)).ids
        other = self.make().query(level, 10, np.random.default_rng(1)).ids
        assert set(first.tolist()) != set(other.tolist())
        assert set(first.tolist()) != set(pool.ids[:10].tolist())

    def test_order_of_the_pool_does_not_matter(self) -> None:
        """A shuffled pool has the same best utilities."""
        pool = tiny_candidates()
        if pool.probabilities is None:
            raise AssertionError("the pool of this test has a model")
        order = np.random.default_rng(1).permutation(len(pool.ids))
        shuffled = replace(
            pool,
            ids=pool.ids[order],
            vectors=pool.vectors[order],
            probabilities=pool.probabilities[order],
        )
        one = self.make().query(pool, 10, np.random.default_rng(0)).utilities
        other = self.make().query(shuffled, 10, np.random.default_rng(0)).utilities
        np.testing.assert_allclose(one, other, atol=1e-6)

    def test_before_the_first_model(self) -> None:
        """Without probabilities it still ranks, and says on what ground."""
        pool = tiny_candidates(with_model=False)
        found = self.make().query(pool, 20, np.random.default_rng(0))
        assert len(found.ids) == 20
        assert all(found.reasons)

    def test_one_known_class(self) -> None:
        """A head of one class leaves nothing to divide by."""
        pool = tiny_candidates()
        alone = replace(
            pool,
            probabilities=np.ones((len(pool.ids), 1), np.float32),
            codes=pool.codes[:1],
        )
        found = self.make().query(alone, 5, np.random.default_rng(0))
        assert np.isfinite(found.utilities).all()

    def test_does_not_write_to_the_pool(self) -> None:
        """What it ranks stays as it was, even where it could be written to."""
        pool, untouched = tiny_candidates(), tiny_candidates()
        self.make().query(pool, 20, np.random.default_rng(0))
        np.testing.assert_array_equal(pool.ids, untouched.ids)
        np.testing.assert_array_equal(pool.vectors, untouched.vectors)
        np.testing.assert_array_equal(pool.probabilities, untouched.probabilities)
        assert pool.counts == untouched.counts
