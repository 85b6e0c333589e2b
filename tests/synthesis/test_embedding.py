from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError, UnknownClassError
from napari_cytosynth.core.protocols import CellGenerator, Request
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.metrics.copying import THIRD
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.synthesis.embedding import (
    UNLABELLED,
    EmbeddingGenerator,
    guidance_of,
    spread_of,
)
from napari_cytosynth.synthesis.residuals import REST, ResidualSpace, axes_of

TINY = {"steps": 60, "width": 32, "blocks": 1, "batch": 64}


def ask(code: str, count: int, seed: int = 3, start: int = 0) -> Request:
    return Request(code, count, seed, built_in("pbc11"), start)


def draw(request: Request, weights):
    batches = EmbeddingGenerator().generate(request, weights, np.random.default_rng(0))
    return [item for batch in batches for item in batch.items]


@pytest.fixture(scope="module")
def weights(cells_of):
    cells = cells_of({"SNE": 40, "LY": 30, "MO": 6})
    return run_to_end(EmbeddingGenerator().fit(cells, TINY))


def test_it_is_a_generator():
    assert isinstance(EmbeddingGenerator(), CellGenerator)


def test_same_seed_same_bytes(cells, weights):
    again = run_to_end(EmbeddingGenerator().fit(cells, TINY))
    assert again.sha256 == weights.sha256
    first, second = draw(ask("MO", 10), weights), draw(ask("MO", 10), again)
    assert all(
        a.vector.tobytes() == b.vector.tobytes()
        for a, b in zip(first, second, strict=True)
    )
    other = draw(ask("MO", 10, seed=4), weights)
    assert first[0].vector.tobytes() != other[0].vector.tobytes()


def test_a_draw_depends_on_its_number_only(weights):
    whole = draw(ask("LY", 150), weights)
    part = draw(ask("LY", 20, start=60), weights)
    assert len(whole) == 150
    for a, b in zip(whole[60:80], part, strict=True):
        np.testing.assert_array_equal(a.vector, b.vector)


def test_draws_lie_with_their_class_and_are_no_copies(cells, weights):
    drawn = np.stack([v.vector for v in draw(ask("MO", 200), weights)])
    codes = np.array(cells.codes)
    means = {c: cells.vectors[codes == c].mean(axis=0) for c in ("SNE", "LY", "MO")}
    near = [min(means, key=lambda c: np.linalg.norm(v - means[c])) for v in drawn]
    assert near.count("MO") > 190
    distances, _ = nearest(drawn, cells.vectors[codes == "MO"], 2)
    assert (distances[:, 0] < THIRD * distances[:, 1]).mean() < 0.05


def test_draws_spread_like_the_real_cells(cells, weights):
    drawn = np.stack([v.vector for v in draw(ask("SNE", 300), weights)])
    real = cells.vectors[np.array(cells.codes) == "SNE"]
    ratio = drawn.std(axis=0).mean() / real.std(axis=0).mean()
    assert 0.7 < ratio < 1.5


def test_every_vector_says_where_it_comes_from(weights, cells):
    vector = draw(ask("MO", 1), weights)[0]
    assert vector.embedder == "toy:1"
    assert vector.provenance.weights == weights.sha256
    assert vector.provenance.config["guidance"] == round(guidance_of(6, 20), 4)
    assert vector.provenance.parents == tuple(cells.ids[-6:])


def test_progress_is_reported(cells):
    steps = []
    run_to_end(EmbeddingGenerator().fit(cells, TINY), lambda p: steps.append(p.done))
    assert steps == [20, 40, 60]


def test_a_class_without_real_cells_is_refused(weights):
    with pytest.raises(UnknownClassError, match="Label a cell"):
        draw(ask("BA", 1), weights)


def test_a_single_cell_of_a_class_is_enough_to_draw_from(cells_of):
    cells = cells_of({"SNE": 12, "LY": 12, "MO": 1})
    weights = run_to_end(EmbeddingGenerator().fit(cells, TINY))
    drawn = np.stack([v.vector for v in draw(ask("MO", 50), weights)])
    assert np.isfinite(drawn).all()
    assert np.linalg.norm(drawn.mean(axis=0) - cells.vectors[-1]) < 3


@pytest.mark.parametrize("counts", [{}, {"SNE": 3}, {"SNE": 1, "LY": 1, "MO": 1}])
def test_too_few_cells_are_refused(cells_of, counts):
    with pytest.raises(InputError, match="label some more"):
        run_to_end(EmbeddingGenerator().fit(cells_of(counts), TINY))


def test_unknown_options_are_refused(cells):
    with pytest.raises(InputError, match="no option"):
        run_to_end(EmbeddingGenerator().fit(cells, {"stepz": 3}))


def test_residuals_are_white_and_map_back():
    rng = np.random.default_rng(0)
    mix = np.diag(np.linspace(0.5, 2, 8))
    classes = np.repeat([0, 1], 300)
    vectors = (rng.normal(size=(600, 8)) @ mix + classes[:, None] * 5).astype(
        np.float32
    )
    space = ResidualSpace.fit(vectors, classes, 64)
    residuals = space.residuals(vectors, classes)
    np.testing.assert_allclose(np.cov(residuals.T), np.eye(8), atol=0.15)
    back = space.vectors(residuals * np.sqrt(299 / 300), 1, rng)[classes == 1]
    np.testing.assert_allclose(back, vectors[classes == 1], atol=1e-2)


def test_a_share_of_the_spread_off_the_axes_is_drawn():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(80, 40)).astype(np.float32)
    space = ResidualSpace.fit(vectors, np.zeros(80, np.int64), 4)
    drawn = space.vectors(np.zeros((500, 4), np.float32), 0, rng)
    off = vectors - vectors.mean(axis=0)
    off = off / space.scale - (off / space.scale) @ space.axes.T @ space.axes
    ratio = drawn.std(axis=0) / (off * space.scale).std(axis=0)
    assert ratio.mean() == pytest.approx(REST, abs=0.05)


def test_the_mean_of_a_class_is_kept_off_the_axes():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], 100)
    vectors = rng.normal(size=(200, 40)).astype(np.float32)
    vectors[:, :4] *= 9
    vectors[classes == 1, 30] += 4
    space = ResidualSpace.fit(vectors, classes, 4)
    drawn = space.vectors(np.zeros((200, 4), np.float32), 1, rng)
    own = vectors[classes == 1]
    assert drawn[:, 30].mean() == pytest.approx(own[:, 30].mean(), abs=0.15)
    assert own[:, 30].mean() > 3.5


def test_few_cells_bear_few_axes():
    assert [axes_of(n, 64) for n in (8, 40, 320, 5000)] == [4, 8, 26, 64]
    assert axes_of(5000, 12) == 12


def test_draws_of_few_cells_spread_less_around_their_mean():
    assert spread_of(1, 0.5) < spread_of(5, 0.5) < spread_of(500, 0.5)
    assert spread_of(500, 0.5) == pytest.approx(1 / np.sqrt(1.25), abs=1e-3)


def with_unlabelled(cells, others):
    n = len(others)
    return replace(
        cells,
        ids=np.concatenate([cells.ids, 1000 + np.arange(n)]),
        codes=cells.codes + (UNLABELLED,) * n,
        crops=cells.crops[:0],
        vectors=np.concatenate([cells.vectors, others]),
        groups=np.concatenate([cells.groups, np.full(n, "other")]),
    )


def test_unlabelled_cells_tell_of_the_spread_if_asked(cells_of):
    cells = cells_of({"SNE": 12, "LY": 12, "MO": 3})
    others = cells_of({"SNE": 80, "LY": 80, "MO": 40}, seed=4).vectors
    together = with_unlabelled(cells, others)
    fit = EmbeddingGenerator().fit
    plain = run_to_end(fit(cells, TINY))
    ignored = run_to_end(fit(together, TINY))
    used = run_to_end(fit(together, {**TINY, "unlabelled": True}))
    assert ignored.sha256 == plain.sha256
    assert used.meta["counts"] == plain.meta["counts"] == {"LY": 12, "MO": 3, "SNE": 12}
    # A mean is that of its labelled cells; more cells bear more axes.
    centre, scale = (used.tensors[f"space.{name}"] for name in ("centre", "scale"))
    own = cells.vectors[np.array(cells.codes) == "MO"].mean(axis=0)
    found = used.tensors["space.means"][1] * scale + centre
    np.testing.assert_allclose(found, own, atol=1e-3)
    assert len(used.tensors["space.axes"]) > len(plain.tensors["space.axes"])
    drawn = draw(ask("MO", 5), used)
    assert set(drawn[0].provenance.parents) <= set(cells.ids.tolist())


def test_only_unlabelled_cells_of_a_class_that_is_sure_are_used(cells_of):
    cells = cells_of({"SNE": 12, "LY": 12})
    between = np.tile(cells.vectors.mean(axis=0), (30, 1)).astype(np.float32)
    together = with_unlabelled(cells, between)
    fit, options = EmbeddingGenerator().fit, {**TINY, "unlabelled": True}
    plain = run_to_end(fit(cells, options))
    assert run_to_end(fit(together, options)).sha256 == plain.sha256
