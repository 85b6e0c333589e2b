"""Figures of fidelity and memorisation against references and in small blocks."""

import tracemalloc

import numpy as np
import pytest
from scipy import linalg, stats

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics import neighbours
from napari_cytosynth.metrics.copying import (
    authenticity,
    farther_than_real,
    real_farther_than_real,
    third_rule,
)
from napari_cytosynth.metrics.coverage import coverage
from napari_cytosynth.metrics.data_copying import data_copying, rank_score
from napari_cytosynth.metrics.divergence import (
    gaussian_distance,
    kernel_distance,
    kernel_width,
)
from napari_cytosynth.metrics.frechet import frechet_distance
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.metrics.same_size import compare, same_size, splits
from napari_cytosynth.metrics.scaling import Scaling
from napari_cytosynth.metrics.vendi import vendi_score


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def sets(rng):
    mixing = rng.normal(size=(6, 6))
    return rng.normal(size=(70, 6)) @ mixing, rng.normal(0.3, 1, (53, 6)) @ mixing


def test_frechet_distance_matches_the_matrix_root_of_scipy(sets):
    a, b = sets
    one, other = np.cov(a.T), np.cov(b.T)
    root = np.real(linalg.sqrtm(one @ other))
    want = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(one + other - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(want, rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9 * np.trace(one))


def test_frechet_distance_of_normal_sets_comes_near_its_closed_form(rng):
    a, b = rng.normal(size=(40_000, 3)), 1 + 2 * rng.normal(size=(40_000, 3))
    assert frechet_distance(a, b) == pytest.approx(3 * (1 + 1), rel=0.03)


def test_frechet_distance_is_refused_under_as_many_cells_as_dimensions(rng):
    with pytest.raises(InputError, match="8 at least"):
        frechet_distance(rng.normal(size=(7, 8)), rng.normal(size=(90, 8)))
    assert frechet_distance(rng.normal(size=(8, 8)), rng.normal(size=(90, 8))) > 0


def test_gaussian_distance_matches_the_sum_over_pairs(sets):
    a, b = sets[0][:9], sets[1][:7]

    def kernel(x, y):
        return np.exp(-((x - y) ** 2).sum() / (2 * 1.7**2))

    own_a = sum(kernel(a[i], a[j]) for i in range(9) for j in range(9) if i != j) / 72
    own_b = sum(kernel(b[i], b[j]) for i in range(7) for j in range(7) if i != j) / 42
    cross = np.mean([[kernel(x, y) for y in b] for x in a])
    assert gaussian_distance(a, b, 1.7) == pytest.approx(own_a + own_b - 2 * cross)


def test_kernel_width_is_the_root_mean_square_distance(sets):
    a = sets[0][:20]
    squared = [((a[i] - a[j]) ** 2).sum() for i in range(20) for j in range(i)]
    assert kernel_width(a) == pytest.approx(np.sqrt(np.mean(squared)))
    assert kernel_width(np.ones((4, 2))) == kernel_width(np.ones((1, 2))) == 1


@pytest.mark.parametrize("distance", [kernel_distance, gaussian_distance])
def test_kernel_distances_of_equal_distributions_are_unbiased(distance, rng):
    drawn = [
        distance(rng.normal(size=(12, 5)), rng.normal(size=(12, 5))) for _ in range(400)
    ]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn)) < 4 * error
    far = distance(rng.normal(size=(12, 5)), 2 + rng.normal(size=(12, 5)))
    assert far > np.quantile(drawn, 0.99)


@pytest.mark.parametrize(("n", "dim"), [(30, 8), (8, 30)])
def test_vendi_score_matches_the_entropy_of_the_kernel(n, dim, rng):
    x = rng.normal(size=(n, dim))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    shares = linalg.eigvalsh(unit @ unit.T / n)
    shares = shares[shares > 1e-12]
    want = np.exp(-(shares * np.log(shares)).sum())
    assert vendi_score(x) == pytest.approx(want)


def test_vendi_score_counts_kinds():
    kinds = np.repeat(np.eye(5), 4, axis=0)
    assert vendi_score(kinds) == pytest.approx(5)
    assert vendi_score(np.ones((9, 3))) == pytest.approx(1)
    assert vendi_score(np.zeros((3, 2))) == pytest.approx(3)
    with pytest.raises(InputError, match="one at least"):
        vendi_score(np.zeros((0, 3)))


def test_rank_score_matches_scipy_with_ties(rng):
    a, b = rng.integers(0, 9, 40).astype(float), rng.integers(2, 11, 31).astype(float)
    found = stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic")
    assert 2 * stats.norm.sf(abs(rank_score(a, b))) == pytest.approx(found.pvalue)
    assert rank_score(a, b) < 0 < rank_score(b, a)
    assert rank_score(np.ones(5), np.ones(6)) == 0


def test_data_copying_tells_copies_from_new_and_from_distant_cells(rng):
    train, test, new = (rng.normal(size=(150, 8)) for _ in range(3))
    centres = train[:3]
    near = train + 0.05 * rng.normal(size=train.shape)
    assert data_copying(train, test, near, centres).score < -5
    assert abs(data_copying(train, test, new, centres).score) < 3
    assert data_copying(train, test, 3 * new, centres).score > 3


def test_data_copying_where_no_region_can_be_judged(rng):
    few = rng.normal(size=(5, 2))
    found = data_copying(few, few, few, few[:1])
    assert np.isnan(found.score)
    assert found.judged == 0
    with pytest.raises(InputError, match="0 held-out"):
        data_copying(few, few[:0], few, few[:1])


def test_third_rule_finds_copies_and_repeats():
    real = np.array([[0.0], [3.0], [3.0], [10.0]])
    fake = np.array([[0.5], [1.5], [3.0], [9.0]])
    assert third_rule(nearest(fake, real, 2)[0]).tolist() == [True, False, True, True]
    assert not third_rule(nearest(fake, real[:1], 2)[0]).any()


def test_real_cells_are_tried_as_if_made_from_the_others(rng):
    real = rng.normal(size=(40, 3))
    found = real_farther_than_real(nearest(real, real, 2, leave_out_self=True))
    want = [authenticity(real[[i]], np.delete(real, i, axis=0)) for i in range(40)]
    np.testing.assert_array_equal(found, np.array(want) == 1)
    near = real + 1e-6
    between = nearest(real, real, 1, leave_out_self=True)
    assert not farther_than_real(nearest(near, real, 1), between).any()


def test_blocks_change_no_figure(sets, rng, monkeypatch):
    a, b = sets

    def figures():
        return [
            *(getattr(coverage(a, b), k) for k in ("precision", "recall", "density")),
            coverage(a, b).coverage,
            kernel_distance(a, b),
            gaussian_distance(a, b),
            authenticity(b, a),
        ]

    whole = figures()
    monkeypatch.setattr(neighbours, "PAIRS", 500)
    assert [len(range(70)[rows]) for rows in neighbours.blocks(70, 70)] == [7] * 10
    np.testing.assert_allclose(figures(), whole, rtol=1e-12)


@pytest.mark.parametrize(
    "figure", [coverage, kernel_distance, gaussian_distance, authenticity]
)
def test_no_array_of_all_pairs_is_held(figure, rng, monkeypatch):
    monkeypatch.setattr(neighbours, "PAIRS", 2**18)
    a, b = rng.normal(size=(2000, 4)), rng.normal(size=(2500, 4))
    tracemalloc.start()
    figure(a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All pairs take 40 MB, even as truth values 5 MB beside the blocks of 2 MB.
    assert peak < 9e6


def test_scaling_gives_mean_none_and_spread_one(sets):
    scaled = Scaling.of(sets[0])(sets[0])
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1)
    flat = Scaling.of(np.full((4, 1), 2.0))
    assert flat(np.full((1, 1), 2.0)) == 0
    assert abs(flat(np.full((1, 1), 2.1))) > 1000


def test_splits_are_disjoint_and_of_one_size(rng):
    assert same_size(21, 50) == 10
    assert same_size(21, 4) == 4
    for split in splits(21, 50, rng, 5):
        assert len(split.half) == len(split.other) == len(split.fake) == 10
        assert not set(split.half) & set(split.other)
        assert len(set(split.fake)) == 10


def test_figures_stand_beside_those_of_real_cells(rng):
    real, other = rng.normal(size=(80, 4)), rng.normal(size=(60, 4))
    (same,) = compare(lambda a, b: [kernel_distance(a, b)], real, other, rng)
    (far,) = compare(lambda a, b: [kernel_distance(a, b)], real, other + 2, rng)
    assert same.n == far.n == 40
    assert abs(same.value - same.real) < 5 * same.real_spread
    assert far.value > far.real + 10 * far.real_spread
    with pytest.raises(InputError, match="Two real ones"):
        compare(lambda a, b: [0.0], real[:1], other, rng)
