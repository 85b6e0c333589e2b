import numpy as np
import pytest
from scipy.stats import multivariate_normal

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import DensityModel
from napari_cytosynth.synthesis.gaussian import GaussianModel


def known(n: int = 4000):
    """Return vectors of two Gaussians of one covariance, their codes, means and it."""
    rng = np.random.default_rng(0)
    means = {"LY": np.array([0.0, 0.0, 0.0]), "MO": np.array([4.0, -2.0, 1.0])}
    mix = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [-0.3, 0.2, 2.0]])
    codes = ["LY", "MO"] * (n // 2)
    rows = np.stack([means[c] + mix @ rng.standard_normal(3) for c in codes])
    return rows.astype(np.float32), codes, means, mix @ mix.T


def test_its_density_is_that_of_the_gaussians_the_cells_came_from():
    vectors, codes, means, covariance = known()
    model = GaussianModel.fit(vectors, codes)
    assert isinstance(model, DensityModel)
    assert model.codes == ("LY", "MO")
    found = model.log_density(vectors)
    for column, code in enumerate(model.codes):
        own = np.array(codes) == code
        true = multivariate_normal(means[code], covariance).logpdf(vectors[own])
        assert np.abs(found[own, column] - true).mean() < 0.05


def test_its_arithmetic_is_that_of_scipy():
    vectors, codes, _, _ = known(40)
    model = GaussianModel.fit(vectors, codes)
    root = model.scale[:, None] * model.factor
    expected = multivariate_normal(model.means[1] * model.scale, root @ root.T)
    np.testing.assert_allclose(
        model.log_density(vectors)[:, 1], expected.logpdf(vectors), rtol=1e-9
    )


def test_few_cells_of_many_features_have_a_density():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(10, 64)).astype(np.float32)
    model = GaussianModel.fit(vectors, ["LY", "MO"] * 5)
    assert np.isfinite(model.log_density(vectors)).all()


def test_no_vectors_are_refused():
    with pytest.raises(InputError, match="Embed and label"):
        GaussianModel.fit(np.zeros((0, 4), np.float32), [])
