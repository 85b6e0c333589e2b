import numpy as np
import pytest

from napari_cytosynth.synthesis.lookspace import LookSpace


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 600)
    centres = rng.normal(0, 4, (4, 10))
    spread = rng.normal(size=(10, 10)) / 2
    vectors = centres[classes] + rng.normal(size=(600, 10)) @ spread
    return vectors.astype(np.float32), np.where(classes == 3, 5, classes)


def test_looks_are_standardised(sample):
    vectors, classes = sample
    space = LookSpace.fit(vectors, classes, 6, 5)
    looks = space.looks(vectors)
    np.testing.assert_allclose(looks.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(looks.std(0), 1, atol=1e-3)


def test_drawn_looks_vary_as_those_of_the_class_do(sample):
    vectors, classes = sample
    space = LookSpace.fit(vectors, classes, 6, 5)
    own = space.looks(vectors[classes == 1])
    rng = np.random.default_rng(1)
    drawn = np.stack([space.draw(1, rng) for _ in range(2000)])
    np.testing.assert_allclose(drawn.mean(0), own.mean(0), atol=0.15)
    np.testing.assert_allclose(drawn.std(0), own.std(0), rtol=0.3)
    close = np.stack([space.draw(1, rng, 0.5) for _ in range(2000)])
    np.testing.assert_allclose(close.std(0), drawn.std(0) / 2, rtol=0.15)


def test_an_empty_class_and_few_cells_are_no_trouble(sample):
    vectors, classes = sample
    space = LookSpace.fit(vectors, classes, 6, 5)
    assert np.isfinite(space.draw(4, np.random.default_rng(0))).all()
    few = LookSpace.fit(vectors[:4], np.array([0, 0, 1, 1]), 6, 2)
    assert few.axes.shape == (6, 10)
    assert np.isfinite(few.looks(vectors)).all()


def test_it_comes_back_from_its_arrays(sample):
    vectors, classes = sample
    space = LookSpace.fit(vectors, classes, 6, 5)
    back = LookSpace.from_arrays(space.to_arrays())
    np.testing.assert_array_equal(back.looks(vectors), space.looks(vectors))
    assert LookSpace.from_arrays({}) is None
