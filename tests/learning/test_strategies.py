from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import (
    Candidates,
    LabelledCells,
    QueryStrategy,
    SyntheticVectors,
    Vectors,
)
from napari_cytosynth.core.registry import BY_DENSITY, load, names
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.ranking import best_of, rare_codes
from napari_cytosynth.learning.space import PoolSpace, farthest_first, likeness_to
from napari_cytosynth.learning.strategies.badge import Badge
from napari_cytosynth.learning.strategies.balanced import COLD, Balanced, Shares
from napari_cytosynth.learning.strategies.committee import Committee
from napari_cytosynth.learning.strategies.coreset import CoreSet
from napari_cytosynth.learning.strategies.cost import Cost
from napari_cytosynth.learning.strategies.density import Density
from napari_cytosynth.learning.strategies.entropy import Entropy
from napari_cytosynth.learning.strategies.least_confidence import LeastConfidence
from napari_cytosynth.learning.strategies.margin import Margin
from napari_cytosynth.learning.strategies.novelty import REACH, Novelty
from napari_cytosynth.learning.strategies.random import Random
from napari_cytosynth.learning.strategies.rare import Rare
from napari_cytosynth.learning.strategies.search import Search
from napari_cytosynth.learning.strategies.typical import Typical
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.testing.contracts_learning import (
    StrategyContract,
    tiny_candidates,
)
from tests.learning.toys import toy_cells


class TestRandom(StrategyContract):
    def make(self) -> QueryStrategy:
        return Random()


class TestLeastConfidence(StrategyContract):
    def make(self) -> QueryStrategy:
        return LeastConfidence()


class TestMargin(StrategyContract):
    def make(self) -> QueryStrategy:
        return Margin()


class TestEntropy(StrategyContract):
    def make(self) -> QueryStrategy:
        return Entropy()


class TestRare(StrategyContract):
    def make(self) -> QueryStrategy:
        return Rare()


class TestBadge(StrategyContract):
    def make(self) -> QueryStrategy:
        return Badge()


class TestBalanced(StrategyContract):
    def make(self) -> QueryStrategy:
        return Balanced()


class TestCommittee(StrategyContract):
    def make(self) -> QueryStrategy:
        return Committee()


class TestCoreSet(StrategyContract):
    def make(self) -> QueryStrategy:
        return CoreSet()


class TestCost(StrategyContract):
    def make(self) -> QueryStrategy:
        return Cost()


class TestDensity(StrategyContract):
    def make(self) -> QueryStrategy:
        return Density()


class TestNovelty(StrategyContract):
    def make(self) -> QueryStrategy:
        return Novelty()


class TestNoveltyByDensity(StrategyContract):
    def make(self) -> QueryStrategy:
        return load("strategies", BY_DENSITY)()


class TestSearch(StrategyContract):
    def make(self) -> QueryStrategy:
        return Search()


class TestSearchOfOneClass(StrategyContract):
    def make(self) -> QueryStrategy:
        return Search("PMY")


class TestTypical(StrategyContract):
    def make(self) -> QueryStrategy:
        return Typical()


@pytest.mark.parametrize(
    "name", ["random", "least_confidence", "margin", "entropy", "rare", "search"]
)
def test_registered_under_its_key(name: str) -> None:
    assert name in names("strategies")
    assert load("strategies", name)().key == name


def test_balanced_shows_typical_cells_until_the_first_labels_are_in() -> None:
    pool = tiny_candidates()
    assert pool.labelled is not None
    early = replace(pool, labelled=pool.labelled.take(np.arange(COLD - 1)))
    told = Balanced().query(early, 10, np.random.default_rng(0)).reasons
    assert all(reason.startswith("typical") for reason in told)
    later = Balanced().query(pool, 10, np.random.default_rng(0)).reasons
    assert not any(reason.startswith("typical") for reason in later)


def test_balanced_deals_its_shares() -> None:
    pool = tiny_candidates()
    shares = Shares(uncertain=2, rare=1, novel=1)
    told = Balanced(shares).query(pool, 40, np.random.default_rng(0)).reasons
    assert sum(reason.startswith("margin") for reason in told) == 20
    assert sum("labels" in reason for reason in told) == 10
    assert sum("stranger" in reason for reason in told) == 10


def test_balanced_deals_typical_cells_again_where_its_shares_say_so() -> None:
    pool = tiny_candidates()
    shares = Shares(uncertain=1, rare=0, novel=0, typical=1)
    told = Balanced(shares).query(pool, 20, np.random.default_rng(0)).reasons
    assert sum(reason.startswith("typical") for reason in told) == 10
    assert str(shares) == "50 % uncertain, 50 % typical"


@pytest.mark.parametrize("share", [1, 0])
def test_balanced_gives_nothing_to_rare_classes_where_none_lacks_labels(
    share: int,
) -> None:
    pool = tiny_candidates()
    rich = replace(pool, counts=dict.fromkeys(pool.taxonomy.codes, 500))
    told = Balanced(Shares(uncertain=share, rare=1, novel=0)).query(
        rich, 20, np.random.default_rng(0)
    )
    assert len(told.reasons) == 20
    assert all(reason.startswith("margin") for reason in told.reasons)


@pytest.mark.parametrize("parts", [(0, 0, 0), (1, -1, 1)])
def test_shares_are_refused_with_the_rule(parts: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="not all may be 0"):
        Shares(*parts)


def _pool(*rows: tuple[float, ...], **counts: int) -> Candidates:
    taxonomy = built_in("pbc11")
    chances = np.array(rows, np.float32)
    return Candidates(
        ids=np.arange(len(rows), dtype=np.int64) + 1,
        vectors=np.zeros((len(rows), 2), np.float32),
        probabilities=chances,
        codes=("MY", "PMY", "SNE")[: chances.shape[1]],
        taxonomy=taxonomy,
        counts=dict.fromkeys(taxonomy.codes, 0) | counts,
    )


def _order(strategy: QueryStrategy, pool: Candidates) -> list[int]:
    query = strategy.query(pool, len(pool.ids), np.random.default_rng(0))
    return [int(i) for i in query.ids]


def test_margin_looks_at_the_two_likeliest_only() -> None:
    pool = _pool((0.50, 0.10, 0.40), (0.48, 0.47, 0.05), (0.90, 0.05, 0.05))
    assert _order(Margin(), pool) == [2, 1, 3]


def test_least_confidence_looks_at_the_likeliest_only() -> None:
    pool = _pool((0.50, 0.25, 0.25), (0.52, 0.47, 0.01), (0.40, 0.30, 0.30))
    assert _order(LeastConfidence(), pool) == [3, 1, 2]


def test_entropy_looks_at_all_classes() -> None:
    pool = _pool((0.50, 0.50, 0.00), (0.40, 0.30, 0.30), (1.00, 0.00, 0.00))
    query = Entropy().query(pool, 3, np.random.default_rng(0))
    assert query.ids.tolist() == [2, 1, 3]
    assert query.utilities[1] == pytest.approx(1.0, abs=1e-4)


def test_margin_says_why_and_marks_what_is_rare() -> None:
    pool = _pool((0.49, 0.45, 0.06), (0.02, 0.46, 0.52), MY=40, PMY=2, SNE=40)
    reasons = Margin().query(pool, 2, np.random.default_rng(0)).reasons
    assert reasons == ("margin 0.04: MY or PMY; rare", "margin 0.06: SNE or PMY; rare")
    common = replace(pool, counts=pool.counts | {"PMY": 40})
    assert "rare" not in Margin().query(common, 1, np.random.default_rng(0)).reasons[0]


def test_rare_prefers_classes_that_lack_labels() -> None:
    pool = _pool((0.9, 0.1, 0.0), (0.1, 0.9, 0.0), (0.0, 0.1, 0.9), MY=40, SNE=40)
    query = Rare().query(pool, 3, np.random.default_rng(0))
    assert query.ids[0] == 2
    assert query.reasons[0].startswith("PMY ")
    assert query.reasons[0].endswith("0 of 40 labels")


def test_rare_knows_that_the_pool_is_uneven() -> None:
    """A half-hearted PMY in a pool of sure MY is most likely an MY."""
    rng = np.random.default_rng(0)
    sure = rng.dirichlet((60, 1, 1), 500).astype(np.float32)
    doubtful = np.array([[0.5, 0.5, 0.0]], np.float32)
    pool = _pool(*map(tuple, np.vstack([sure, doubtful])), MY=40, SNE=40)
    query = Rare().query(pool, 1, np.random.default_rng(0))
    assert query.ids[0] == 501
    assert query.utilities[0] < 0.25


def test_rare_ignores_abstain_classes() -> None:
    pool = replace(_pool((0.9, 0.1), (0.1, 0.9), MY=1), codes=("MY", "ART"))
    assert _order(Rare(), pool) == [1, 2]


def test_uncertainty_without_a_model_says_that_it_is_random() -> None:
    pool = tiny_candidates(with_model=False)
    for strategy in (Margin(), Entropy(), LeastConfidence(), Rare()):
        reasons = strategy.query(pool, 3, np.random.default_rng(0)).reasons
        assert set(reasons) == {"drawn at random: no model yet"}


def test_best_of_agrees_with_a_full_sort() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 50, 1000).astype(float)
    best = best_of(values, 100, rng)
    np.testing.assert_array_equal(values[best], np.sort(values)[::-1][:100])
    assert len(set(best.tolist())) == 100


def test_rare_codes_need_something_to_compare_with() -> None:
    taxonomy = built_in("pbc11")
    assert not rare_codes({}, taxonomy)
    rare = rare_codes({"SNE": 30, "LY": 30, "BA": 2, "ART": 1}, taxonomy)
    assert {"BA", "MO"} <= rare
    assert not rare & {"SNE", "LY", "ART"}


def _clouds(seed: int = 0) -> tuple[Candidates, npt.NDArray[np.bool_]]:
    """Return a pool with 12 of 400 cells of PMY, three labelled ones, and which."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(3, 8)) * 1.5
    kinds = np.repeat([0, 1, 2], [200, 188, 12])
    vectors = (middle[kinds] + rng.normal(size=(400, 8))).astype(np.float32)
    known = np.repeat([0, 1, 2], [10, 10, 3])
    codes = tuple(("SNE", "LY", "PMY")[k] for k in known)
    taxonomy = built_in("pbc11")
    pool = Candidates(
        ids=np.arange(1, 401, dtype=np.int64),
        vectors=vectors,
        probabilities=None,
        codes=(),
        taxonomy=taxonomy,
        counts={code: codes.count(code) for code in taxonomy.codes},
        labelled=LabelledCells(
            np.arange(1000, 1023, dtype=np.int64),
            codes,
            np.zeros((0, 96, 96, 3), np.uint8),
            (middle[known] + rng.normal(size=(23, 8))).astype(np.float32),
            "tiny",
            np.array(["g"] * 23),
        ),
    )
    return pool, kinds == 2


def test_search_finds_the_rare_class_and_says_which_example_is_nearest() -> None:
    pool, own = _clouds()
    found = Search("PMY").query(pool, 12, np.random.default_rng(0))
    assert own[found.ids - 1].sum() >= 9
    assert all(
        reason.startswith("looks like a promyelocyte (nearest: cell 10")
        for reason in found.reasons
    )


def test_search_goes_by_synthetic_cells_alone_where_no_real_one_is_known() -> None:
    pool, own = _clouds()
    known = pool.labelled
    assert known is not None
    others = np.array([code != "PMY" for code in known.codes])
    made = SyntheticVectors(np.array([40, 0, 41]), ("PMY",) * 3, known.vectors[~others])
    blind = replace(pool, labelled=known.take(others))
    told = Search("PMY").query(blind, 5, np.random.default_rng(0)).reasons
    assert all("no example" in reason for reason in told)
    found = Search("PMY").query(
        replace(blind, synthetic=made), 12, np.random.default_rng(0)
    )
    assert own[found.ids - 1].sum() >= 9
    assert {reason[-13:] for reason in found.reasons} <= {
        "synthetic 40)",
        "synthetic 41)",
    }


def test_search_for_no_class_in_particular_looks_for_the_scarce_ones() -> None:
    pool, _ = _clouds()
    one = Search().query(pool, 20, np.random.default_rng(0))
    other = Search("PMY").query(pool, 20, np.random.default_rng(0))
    np.testing.assert_array_equal(one.ids, other.ids)


def test_search_with_one_class_known_ranks_it_against_the_pool() -> None:
    pool, own = _clouds()
    known = pool.labelled
    assert known is not None
    alone = known.take(np.array([code == "PMY" for code in known.codes]))
    found = Search("PMY").query(
        replace(pool, labelled=alone), 12, np.random.default_rng(0)
    )
    assert own[found.ids - 1].sum() >= 6


def test_cells_without_a_vector_leave_the_likeness_of_others_alone() -> None:
    vectors = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    vectors[::7] = np.nan
    known = np.flatnonzero(np.isfinite(vectors[:, 0]))
    pools = [
        Candidates(rows, vectors[rows], None, (), built_in("blood5"), {})
        for rows in (np.arange(60), known)
    ]
    whole, alone = (likeness_to(pool, vectors[[1]]) for pool in pools)
    assert np.isnan(whole[::7]).all()
    np.testing.assert_allclose(whole[known], alone, rtol=1e-6)


def test_points_far_from_the_known_ones_are_chosen() -> None:
    rng = np.random.default_rng(0)
    points, known = (rng.normal(size=(n, 4)).astype(np.float32) for n in (80, 30))
    chosen, gains = farthest_first(points, 5, worth=np.ones(80), known=known)
    apart = ((points[:, None] - known[None]) ** 2).sum(axis=2).min(axis=1)
    assert chosen[0] == apart.argmax()
    np.testing.assert_allclose(gains[0], apart.max(), rtol=1e-5)
    assert (np.diff(gains) <= 0).all()


def test_a_kind_beside_the_spread_of_a_class_is_novel_with_labelled_cells_near() -> (
    None
):
    """Other cells lie farther from the labelled ones, but along the class's spread."""
    pool, rng = tiny_candidates(400), np.random.default_rng(5)
    known = toy_cells({"BA": 60})
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    spread = np.array([10, 10, 1, 1, 1])
    vectors = rng.normal(size=(400, 5)) * spread
    vectors[:20] = rng.normal(size=(20, 5)) * 0.3 + [0, 0, 5, 0, 0]
    seen = rng.normal(size=(len(known), 5)) * spread
    made = replace(
        pool,
        vectors=(vectors @ turn).astype(np.float32),
        probabilities=None,
        labelled=replace(known, vectors=(seen @ turn).astype(np.float32)),
    )
    found = Novelty().query(made, 400, np.random.default_rng(0)).ids
    places = np.flatnonzero(np.isin(found, made.ids[:20]))
    space, (vectors, seen) = PoolSpace.of(made), (made.vectors, made.labelled.vectors)
    apart = nearest(space.apply(vectors), space.apply(seen), 1)[0][:, 0]
    by_distance = np.flatnonzero(np.argsort(-apart) < 20)
    assert places.mean() < 0.7 * by_distance.mean()


class _Fixed:
    """A density that is told in advance."""

    codes = ("A",)

    def __init__(self) -> None:
        self.asked = 0

    def log_density(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        self.asked += len(vectors)
        return vectors[:, :1].astype(np.float64)


def test_a_density_puts_the_strangest_in_order_and_is_asked_of_no_more() -> None:
    pool = replace(tiny_candidates(700), probabilities=None)
    model = _Fixed()
    plain = Novelty().query(pool, REACH, np.random.default_rng(0)).ids
    found = Novelty().query(
        replace(pool, density=model), REACH, np.random.default_rng(0)
    )
    assert model.asked == REACH
    # Cells as strange as the last may stand for each other.
    assert np.isin(found.ids, plain).sum() >= REACH - 2
    rows = np.searchsorted(pool.ids, found.ids)
    assert (np.diff(pool.vectors[rows, 0]) >= 0).all()


def test_novelty_is_told_by_what_there_is() -> None:
    with pytest.raises(InputError, match="novelty:density"):
        Novelty("colour")
