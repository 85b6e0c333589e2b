from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.protocols import DensityModel, LabelledCells, Weights
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.synthesis.density import FlowDensity
from napari_cytosynth.synthesis.embedding import EmbeddingGenerator
from napari_cytosynth.synthesis.gaussian import GaussianModel
from napari_cytosynth.synthesis.tracing import traced_back


def test_tracing_back_gives_the_density_of_a_gaussian():
    """The flow from a standard normal to one of other width is known in closed form."""
    width = np.array([0.5, 1.0, 2.0], np.float32)

    def field(x, t):
        variance = t * t * width**2 + (1 - t) ** 2
        rates = (t * width**2 - (1 - t)) / variance
        return rates * x, np.full(len(x), rates.sum())

    points = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32) * width
    found = traced_back(field, points, 200)
    true = multivariate_normal(np.zeros(3), np.diag(width**2))
    np.testing.assert_allclose(found, true.logpdf(points), atol=0.01)


def cells_of(n: int = 600) -> LabelledCells:
    """Return cells of two Gaussian classes of one covariance."""
    rng = np.random.default_rng(0)
    mix = np.array([[1.0, 0, 0, 0], [0.5, 1, 0, 0], [0, 0, 2, 0], [0.3, 0, 0, 0.7]])
    codes = tuple(np.where(np.arange(n) % 3, "LY", "MO").tolist())
    shift = np.array([[4.0, 0, -4, 0] if c == "MO" else [0.0, 0, 0, 0] for c in codes])
    vectors = (rng.normal(size=(n, 4)) @ mix.T + shift).astype(np.float32)
    none = np.zeros((0, 96, 96, 3), np.uint8)
    groups = np.arange(n).astype(str)
    return LabelledCells(np.arange(n), codes, none, vectors, "toy:1", groups)


@pytest.fixture(scope="module")
def model() -> FlowDensity:
    config = {"steps": 500, "width": 48, "blocks": 2, "jitter": 0.2}
    return FlowDensity(run_to_end(EmbeddingGenerator().fit(cells_of(), config)))


def test_it_is_a_density_model(model):
    assert isinstance(model, DensityModel)
    assert model.codes == ("LY", "MO")


def test_it_agrees_with_the_gaussian_where_cells_are_gaussian(model):
    cells = cells_of()
    plain = GaussianModel.fit(cells.vectors, cells.codes)
    rows = cells.vectors[:120]
    own = np.array([model.codes.index(c) for c in cells.codes[:120]])
    take = np.arange(120), own
    flow, gauss = model.log_density(rows)[take], plain.log_density(rows)[take]
    assert np.abs(flow - gauss).mean() < 0.5
    assert np.corrcoef(flow, gauss)[0, 1] > 0.8


def test_a_cell_is_best_explained_by_its_class(model):
    cells = cells_of()
    best = model.log_density(cells.vectors[:120]).argmax(axis=1)
    hits = [model.codes[i] == c for i, c in zip(best, cells.codes[:120], strict=True)]
    assert np.mean(hits) > 0.95


def test_far_away_is_less_likely_than_near(model):
    near = np.zeros((1, 4), np.float32)
    assert model.log_density(near)[0, 0] > model.log_density(near + 12)[0, 0] + 10


def test_no_vectors_have_no_density(model):
    assert model.log_density(np.zeros((0, 4), np.float32)).shape == (0, 2)


def test_other_weights_are_refused():
    with pytest.raises(WeightsError, match="fit that"):
        FlowDensity(Weights({}, {"generator": "latent"}))


def test_the_traced_network_is_the_learned_one(model):
    """Velocity and divergence agree with those of torch, by its own derivatives."""
    import torch

    from napari_cytosynth.synthesis._torch.residual_flow import ResidualFlow
    from napari_cytosynth.synthesis.embedding import net_of
    from napari_cytosynth.synthesis.tracing import TracedFlow

    arrays, size = net_of(model._weights)
    net = ResidualFlow(size)
    net.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
    points = np.random.default_rng(0).normal(size=(5, size.dims)).astype(np.float32)

    def velocity(row):
        at = torch.full((1,), 0.3)
        free, own = (net(row[None], at, torch.tensor([k])) for k in (size.classes, 1))
        return (free + 0.4 * (own - free))[0]

    rows = torch.from_numpy(points)
    slopes = torch.stack([torch.func.jacrev(velocity)(row) for row in rows])
    found, divergence = TracedFlow(arrays).guided(1, 0.4)(points, 0.3)
    true = torch.stack([velocity(row) for row in rows]).detach().numpy()
    np.testing.assert_allclose(found, true, atol=1e-4)
    spread = slopes.diagonal(dim1=1, dim2=2).sum(dim=1).detach().numpy()
    np.testing.assert_allclose(divergence, spread, atol=1e-3)


def test_of_many_classes_the_best_is_one_whose_flow_was_followed():
    cells = cells_of()
    codes = tuple(f"{c}{i % 4}" for i, c in enumerate(cells.codes))
    config = {"steps": 40, "width": 16, "blocks": 1}
    weights = run_to_end(EmbeddingGenerator().fit(replace(cells, codes=codes), config))
    found = FlowDensity(weights).log_density(cells.vectors[:50])
    assert found.shape == (50, 8)
    near = {c for c in weights.meta["codes"] if c.startswith("LY")}
    assert np.isfinite(found).all()
    best = found.argmax(axis=1)
    hits = [
        (weights.meta["codes"][i] in near) == (c == "LY")
        for i, c in zip(best, cells.codes[:50], strict=True)
    ]
    assert np.mean(hits) > 0.9
