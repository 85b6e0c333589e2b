from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.synthesis.appearance import describe
from napari_cytosynth.synthesis.controls.augmentation import CAP, Augmentation
from napari_cytosynth.synthesis.controls.class_weights import ClassWeights
from napari_cytosynth.synthesis.controls.duplicates import Duplicates
from napari_cytosynth.synthesis.controls.gaussian import Gaussian
from napari_cytosynth.synthesis.controls.smote import NEIGHBOURS, Smote
from napari_cytosynth.testing.contracts_control import ControlContract

NUCLEUS = 9
"""Share of the nucleus in the crop, among the numbers of ``describe``."""


class TestClassWeights(ControlContract):
    def make(self):
        return ClassWeights()


class TestDuplicates(ControlContract):
    def make(self):
        return Duplicates()


class TestSmote(ControlContract):
    def make(self):
        return Smote()


class TestGaussian(ControlContract):
    def make(self):
        return Gaussian()


class TestAugmentation(ControlContract):
    def make(self):
        return Augmentation(describe)

    def cells(self):
        cells = super().cells()
        return replace(cells, vectors=describe(cells.crops))


def test_all_five_are_installed():
    built = [load("controls", name)() for name in names("controls")]
    assert [control.key for control in built] == list(names("controls"))
    assert {"class_weights", "duplicates", "augmentation", "smote", "gaussian"} <= set(
        names("controls")
    )


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


def test_smote_draws_between_a_cell_and_one_of_its_five_nearest(cells):
    made = Smote().enrich(cells, np.random.default_rng(0))
    real = cells.vectors[np.array(cells.codes) == "LY"].astype(np.float64)
    added = made.vectors[len(cells) :][np.array(made.codes[len(cells) :]) == "LY"]
    assert len(added) == 10
    lengths = np.linalg.norm(real[:, None] - real[None], axis=2)
    near = np.argsort(lengths, axis=1)[:, 1 : NEIGHBOURS + 1]
    for point in added.astype(np.float64):
        detours = [
            np.linalg.norm(point - real[i])
            + np.linalg.norm(point - real[j])
            - lengths[i, j]
            for i in range(len(real))
            for j in near[i]
        ]
        assert min(detours) < 1e-4


def test_gaussian_draws_have_the_mean_of_the_class_and_the_pooled_spread(cells_of):
    cells = cells_of({"SNE": 900, "LY": 300})
    made = Gaussian().enrich(cells, np.random.default_rng(0))
    added = made.vectors[len(cells) :]
    assert set(made.codes[len(cells) :]) == {"LY"}
    own = cells.vectors[np.array(cells.codes) == "LY"]
    np.testing.assert_allclose(added.mean(axis=0), own.mean(axis=0), atol=0.2)
    np.testing.assert_allclose(added.std(axis=0), 1.0, atol=0.15)


def test_gaussian_of_single_cells_repeats_them(cells_of):
    cells = cells_of({"SNE": 1, "LY": 1})
    doubled = replace(
        cells, codes=("SNE",) * 2 + ("LY",), ids=np.arange(3),
        vectors=cells.vectors[[0, 0, 1]],
    )  # fmt: skip
    made = Gaussian().enrich(doubled, np.random.default_rng(0))
    np.testing.assert_allclose(made.vectors[-1], cells.vectors[1], atol=0.05)


def test_augmented_pictures_are_new_ones_of_the_rare_classes(cells):
    control = Augmentation()
    crops, codes = control.pictures(cells, np.random.default_rng(0))
    assert codes.count("SNE") == 0
    assert codes.count("LY") == 10
    assert codes.count("MO") == 34 <= CAP * 6
    real = {crop.tobytes() for crop in cells.crops}
    assert not real & {crop.tobytes() for crop in crops}
    # They are still pictures of the class: the painted ones differ by their nucleus.
    size, drawn = describe(cells.crops)[:, NUCLEUS], describe(crops)[:, NUCLEUS]
    nearest = np.abs(drawn[:, None] - size[None]).argmin(axis=1)
    assert np.mean(np.array(cells.codes)[nearest] == codes) > 0.8


def test_augmentation_makes_ten_pictures_of_a_cell_at_most(cells_of):
    cells = cells_of({"SNE": 40, "LY": 2})
    _, codes = Augmentation().pictures(cells, np.random.default_rng(0))
    assert codes.count("LY") == 2 * CAP


def test_augmentation_says_what_it_lacks(cells):
    with pytest.raises(InputError, match="no embedder"):
        Augmentation().enrich(cells, np.random.default_rng(0))
    blind = replace(cells, crops=cells.crops[:0])
    with pytest.raises(InputError, match="without pictures"):
        Augmentation(describe).enrich(blind, np.random.default_rng(0))
