"""The plane of the map: alike cells together, quick for many, steady for new ones."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning import layout
from napari_cytosynth.learning.layout import Layout
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.layout import lay_out


def _clusters(n: int, kinds: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    kind = rng.integers(0, kinds, n)
    centres = 6 * rng.normal(size=(kinds, 24))
    return (centres[kind] + rng.normal(size=(n, 24))).astype(np.float32), kind


def _placed(made: Layout, vectors: np.ndarray) -> np.ndarray:
    return np.concatenate(list(made.place(vectors)))


def test_cells_lie_by_their_kind_and_within_the_plane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layout, "LANDMARKS", 200)
    vectors, kind = _clusters(1200)
    made = Layout.fit(vectors, np.random.default_rng(0))
    places = _placed(made, vectors)
    assert len(made.landmarks) == 200
    assert places.dtype == np.float32
    assert places.min() >= 0
    assert places.max() <= 1
    away = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(away, np.inf)
    assert (kind[away.argmin(axis=1)] == kind).mean() > 0.98
    again = Layout.fit(vectors, np.random.default_rng(0))
    np.testing.assert_array_equal(again.places, made.places)


def test_a_landmark_lies_where_it_was_laid() -> None:
    vectors, _ = _clusters(60)
    made = Layout.fit(vectors, np.random.default_rng(0))
    np.testing.assert_allclose(_placed(made, vectors), made.places, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 7, 9])
def test_few_cells_have_a_plane_too(n: int) -> None:
    vectors, _ = _clusters(n)
    places = _placed(Layout.fit(vectors, np.random.default_rng(0)), vectors)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()


def test_alike_vectors_do_not_break_it() -> None:
    vectors = np.ones((40, 6), np.float32)
    places = _placed(Layout.fit(vectors, np.random.default_rng(0)), vectors)
    assert np.isfinite(places).all()


def test_a_map_is_kept_until_something_changes_and_new_cells_join_it() -> None:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project)
    ids = project.cells().ids
    vectors, _ = _clusters(len(ids))
    assert run_to_end(lay_out(project, "k")) is None
    project.put_embeddings("k", ids[:-2], vectors[:-2])
    first = run_to_end(lay_out(project, "k"))
    assert first is not None
    assert first.ids.tolist() == ids[:-2].tolist()
    project.put_embeddings("k", ids[-2:], vectors[-2:])
    more = run_to_end(lay_out(project, "k", first))
    assert more is not None
    assert more.layout is first.layout
    assert more.ids.tolist() == ids.tolist()
    np.testing.assert_allclose(more.places[:-2], first.places, atol=1e-6)
    assert run_to_end(lay_out(project, "k", more)) is more
    other = run_to_end(lay_out(project, "other", more))
    assert other is None
