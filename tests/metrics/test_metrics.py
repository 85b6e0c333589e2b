import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics import neighbours
from napari_cytosynth.metrics.copying import authenticity, copy_threshold
from napari_cytosynth.metrics.covariance import shrunk_covariance
from napari_cytosynth.metrics.coverage import coverage, covered, densities
from napari_cytosynth.metrics.divergence import kernel_distance
from napari_cytosynth.metrics.intervals import wilson
from napari_cytosynth.metrics.scores import draw_group_counts


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def brute(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([[np.linalg.norm(x - y) for y in b] for x in a])


def test_nearest_matches_brute_force_across_blocks(rng, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    a, b = rng.normal(size=(40, 5)), rng.normal(size=(33, 5))
    distances, indices = neighbours.nearest(a, b, 3)
    want = np.sort(brute(a, b), axis=1)[:, :3]
    np.testing.assert_allclose(distances, want, atol=1e-9)
    np.testing.assert_array_equal(indices, np.argsort(brute(a, b), axis=1)[:, :3])


def test_nearest_leaves_out_self(rng):
    a = rng.normal(size=(20, 4))
    distances, indices = neighbours.nearest(a, a, 2, leave_out_self=True)
    assert (indices != np.arange(20)[:, None]).all()
    assert (distances > 0).all()


@pytest.mark.parametrize(("points", "k"), [(1, 2), (0, 1)])
def test_nearest_with_too_few_points_gives_fewer(points, k):
    distances, indices = neighbours.nearest(np.zeros((3, 2)), np.ones((points, 2)), k)
    assert distances.shape == indices.shape == (3, points)


def test_copies_are_not_authentic_and_new_cells_are(rng):
    real = rng.normal(size=(200, 16))
    fresh = rng.normal(size=(100, 16))
    near = real[:50] + rng.normal(size=(50, 16)) * 0.01
    assert authenticity(near, real) == 0.0
    assert 0.3 < authenticity(fresh, real) < 0.9


def test_copy_threshold_ignores_exact_repeats():
    real = np.array([[0.0], [0.0], [1.0], [3.0]])
    assert copy_threshold(real, 0) == 1.0
    assert copy_threshold(real[:1]) == 0.0


def test_coverage_of_equal_distributions_and_of_a_collapse(rng):
    real, fake = rng.normal(size=(400, 3)), rng.normal(size=(400, 3))
    same = coverage(real, fake)
    assert same.density == pytest.approx(1, abs=0.15)
    assert same.coverage == pytest.approx(1 - 2**-5, abs=0.04)
    collapsed = coverage(real, real[:1] + rng.normal(size=(400, 3)) * 0.01)
    assert collapsed.coverage < 0.1
    assert collapsed.recall < 0.1


def test_coverage_matches_its_definition(rng):
    real, fake, k = rng.normal(size=(12, 2)), rng.normal(size=(9, 2)), 3
    radius = np.sort(brute(real, real), axis=1)[:, k]
    inside = brute(real, fake) < radius[:, None]
    found = coverage(real, fake, k)
    assert found.density == pytest.approx(inside.sum() / (k * 9))
    assert found.coverage == pytest.approx(inside.any(axis=1).mean())


def test_coverage_says_how_many_it_needs():
    with pytest.raises(InputError, match="more than 5"):
        coverage(np.zeros((5, 2)), np.zeros((50, 2)))
    with pytest.raises(InputError, match="more than 5"):
        coverage(np.zeros((50, 2)), np.zeros((5, 2)))


def test_few_or_no_synthetic_objects_cover_little_or_nothing(rng):
    real = rng.normal(size=(60, 3))
    assert not covered(real, real[:0]).any()
    assert len(densities(real, real[:0])) == 0
    assert 0 < covered(real, real[:2]).mean() < 0.5


def test_kernel_distance_matches_the_sum_over_pairs(rng):
    a, b = rng.normal(size=(8, 3)), rng.normal(size=(6, 3)) + 1

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    own_a = np.mean([kernel(a[i], a[j]) for i in range(8) for j in range(8) if i != j])
    own_b = np.mean([kernel(b[i], b[j]) for i in range(6) for j in range(6) if i != j])
    cross = np.mean([kernel(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(own_a + own_b - 2 * cross)


def test_sets_too_small_for_a_distance_are_refused():
    with pytest.raises(InputError, match="two objects"):
        kernel_distance(np.zeros((1, 2)), np.zeros((4, 2)))


def test_shrunk_covariance_matches_sklearn(rng):
    from sklearn.covariance import ledoit_wolf

    x = rng.normal(size=(30, 10)) @ rng.normal(size=(10, 10))
    x -= x.mean(axis=0)
    ours, shrinkage = shrunk_covariance(x)
    theirs, wanted = ledoit_wolf(x, assume_centered=True)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    assert shrinkage == pytest.approx(wanted)


def test_shrunk_covariance_of_one_sample_is_round():
    covariance, _ = shrunk_covariance(np.array([[1.0, 2.0]]))
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_wilson_against_published_values():
    # Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857, table I.
    found = wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    none = wilson(0, 20)
    assert none.low == 0
    assert round(none.high, 4) == 0.1611
    assert "n = 20" in str(none)
    assert wilson(0, 0).high == 1
    with pytest.raises(InputError):
        wilson(3, 2)


def test_groups_are_drawn_whole_or_also_within(rng):
    groups = np.array(["a", "b", "a", "a", "b"])
    whole = draw_group_counts(groups, 50, rng, within=False)
    again = draw_group_counts(groups, 50, rng, within=True)
    assert whole.shape == again.shape == (51, 5)
    assert (whole[0] == 1).all()
    assert (again[0] == 1).all()
    assert (whole[:, [0, 0]] == whole[:, [2, 3]]).all()
    assert (again[:, 0] != again[:, 2]).any()
    # A group that is drawn k times brings k times as many cells, whichever they are.
    assert (again[:, groups == "a"].sum(axis=1) % 3 == 0).all()
    assert (again[:, groups == "b"].sum(axis=1) % 2 == 0).all()


def test_coverage_and_density_are_means_over_objects():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(60, 3)), rng.normal(0.5, 1.2, size=(40, 3))
    both = coverage(real, fake)
    assert covered(real, fake).mean() == both.coverage
    assert densities(real, fake).mean() == pytest.approx(both.density)
    assert len(covered(real, fake)) == 60
    assert len(densities(real, fake)) == 40
