from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError, WeightsError
from napari_cytosynth.core.protocols import TrainingSet, Weights
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.training import capped, joined


def _training(
    n: int = 120, dim: int = 8, *, classes: int = 4, seed: int = 0
) -> TrainingSet:
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(99).normal(size=(classes, dim)) * 1.5
    kinds = np.arange(n) % classes
    vectors = (means[kinds] + rng.normal(size=(n, dim))).astype(np.float32)
    return TrainingSet(vectors, tuple(f"C{k}" for k in kinds), np.ones(n))


def _accuracy(head: Head, test: TrainingSet) -> float:
    guesses = head.predict(test.vectors)
    return float(np.mean([g == c for g, c in zip(guesses, test.codes, strict=True)]))


def test_learns_and_gives_probabilities() -> None:
    head = fit_head(_training())
    test = _training(seed=1)
    chances = head.predict_proba(test.vectors)
    assert head.codes_ == ("C0", "C1", "C2", "C3")
    assert chances.dtype == np.float32
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-5)
    assert _accuracy(head, test) > 0.8


def test_two_classes() -> None:
    head = fit_head(_training(classes=2))
    assert head.codes_ == ("C0", "C1")
    assert _accuracy(head, _training(classes=2, seed=1)) > 0.85


def test_calibrated_better_than_overfitted() -> None:
    """Confidence and accuracy on unseen cells differ by a few points only."""
    head = fit_head(_training(150, 40))
    test = _training(4000, 40, seed=1)
    chances = head.predict_proba(test.vectors)
    assert abs(chances.max(axis=1).mean() - _accuracy(head, test)) < 0.08


def test_copies_do_not_make_it_sure() -> None:
    """A cell and its copy never stand on both sides of a fold."""
    few = _training(60, 30)
    copied = TrainingSet(
        np.repeat(few.vectors, 4, axis=0),
        tuple(np.repeat(few.codes, 4)),
        np.full(240, 0.25),
    )
    assert fit_head(copied).temperature > 0.6 * fit_head(few).temperature


def test_rows_of_no_group_are_never_held_out() -> None:
    training = _training()
    groups = np.full(len(training.codes), "", dtype=np.str_)
    assert fit_head(training, groups=groups).temperature == 1.0


def test_warm_start_ends_where_a_cold_one_does() -> None:
    first = _training(100)
    more = _training(104)
    warm = fit_head(more, previous=fit_head(first))
    cold = fit_head(more)
    test = _training(seed=1).vectors
    np.testing.assert_allclose(
        warm.predict_proba(test), cold.predict_proba(test), atol=0.01
    )


def test_warm_start_with_a_new_class_or_another_embedder() -> None:
    old = fit_head(_training(classes=2))
    assert len(fit_head(_training(classes=4), previous=old).codes_) == 4
    assert fit_head(_training(dim=5), previous=old).dim == 5


def test_same_seed_same_version() -> None:
    assert fit_head(_training()).version == fit_head(_training()).version
    assert fit_head(_training()).version != fit_head(_training(seed=1)).version
    assert len(fit_head(_training()).version) == 12


def test_weights_round_trip() -> None:
    head = fit_head(_training())
    again = Head.from_weights(head.to_weights())
    assert again.version == head.version
    vectors = _training(seed=1).vectors
    np.testing.assert_array_equal(
        again.predict_proba(vectors), head.predict_proba(vectors)
    )


def test_refuses_weights_of_something_else() -> None:
    with pytest.raises(WeightsError, match="not those of a head"):
        Head.from_weights(Weights({}, {"generator": "latent"}))


def test_refuses_damaged_weights() -> None:
    kept = fit_head(_training()).to_weights()
    broken = replace(kept, meta={**kept.meta, "codes": ["C0"]})
    with pytest.raises(WeightsError, match="damaged"):
        Head.from_weights(broken)


def test_a_feature_that_never_varies_is_harmless() -> None:
    training = _training()
    vectors = training.vectors.copy()
    vectors[:, 3] = 7.0
    head = fit_head(replace(training, vectors=vectors))
    other = vectors.copy()
    other[:, 3] = 1e6
    np.testing.assert_allclose(
        head.predict_proba(vectors), head.predict_proba(other), atol=1e-5
    )


@pytest.mark.parametrize(("classes", "words"), [(1, "only C0"), (0, "no class")])
def test_needs_two_classes(classes: int, words: str) -> None:
    training = _training(classes=1)
    if not classes:
        training = TrainingSet(training.vectors[:0], (), np.zeros(0))
    with pytest.raises(InputError, match=words):
        fit_head(training)


def test_refuses_missing_vectors() -> None:
    training = _training()
    training.vectors[3, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        fit_head(training)


def test_refuses_vectors_of_another_length() -> None:
    with pytest.raises(InputError, match="8 features"):
        fit_head(_training()).predict_proba(np.zeros((2, 5), np.float32))


def test_no_vectors_no_predictions() -> None:
    assert fit_head(_training()).predict_proba(np.zeros((0, 8), np.float32)).shape == (
        0,
        4,
    )


def test_balanced_gives_every_class_the_same_weight() -> None:
    codes = ("A",) * 9 + ("B",)
    weights = balanced(codes)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[:9].sum() == pytest.approx(weights[9])


def test_joined_adds_and_rebalances() -> None:
    real = TrainingSet(np.zeros((3, 2), np.float32), ("A", "A", "B"), np.ones(3))
    both = joined(real, np.ones((2, 2), np.float32), ("B", "B"))
    assert both.codes == ("A", "A", "B", "B", "B")
    assert both.weights[:2].sum() == pytest.approx(both.weights[2:].sum())


@pytest.mark.parametrize("rebalance", [True, False])
def test_many_synthetic_cells_weigh_no_more_than_the_real_ones(rebalance: bool) -> None:
    real = TrainingSet(np.zeros((6, 2), np.float32), tuple("AAAABB"), np.ones(6))
    codes = ("B",) * 20 + ("C",) * 3
    both = joined(real, np.ones((23, 2), np.float32), codes, rebalance=rebalance)
    old, new, unseen = both.weights[4:6], both.weights[6:26], both.weights[26:]
    assert new.sum() == pytest.approx(old.sum())
    # A class without real cells has nothing to weigh against.
    whole = both.weights.sum() / 3 if rebalance else len(unseen)
    assert unseen.sum() == pytest.approx(whole)
    few = joined(real, np.ones((1, 2), np.float32), ("B",), rebalance=rebalance)
    assert few.weights[6] == pytest.approx(few.weights[5])


def test_cap_on_synthetic_cells() -> None:
    rng = np.random.default_rng(0)
    chosen = capped(("BA",) * 50 + ("MO",) * 5, ("BA", "BA", "SNE"), rng, cap=10)
    assert (chosen < 50).sum() == 20
    assert (chosen >= 50).sum() == 5
    assert len(capped(("BA",) * 50, (), rng, cap=10)) == 10
    assert len(capped((), ("BA",), rng)) == 0


def test_many_classes_of_few_labels_are_no_cause_for_a_warning() -> None:
    codes = tuple(f"C{i % 14}" for i in range(24))
    vectors = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head = fit_head(TrainingSet(vectors, codes, np.ones(24)))
    assert len(head.codes_) == 14
