"""The plane of the map: alike cells together, quick for many, steady for new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning import layout
from napari_cytosynth.learning.layout import Layout
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.layout import CellMap, lay_out


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
    np.testing.assert_array_equal(more.places[:-2], first.places)
    assert run_to_end(lay_out(project, "k", more)) is more
    other = run_to_end(lay_out(project, "other", more))
    assert other is None


def _grown(
    monkeypatch: pytest.MonkeyPatch, strange: float
) -> tuple[CellMap, CellMap, list[int]]:
    """Lay out a third of the cells, then all; move so many of the new ones away."""
    project, placed = MemoryProject(built_in("pbc11")), []
    tiny_project(project, smears=12, cells_per_smear=22)
    ids = project.cells().ids
    monkeypatch.setattr(layout, "LANDMARKS", 30)
    vectors = _clusters(len(ids))[0][:, :3]
    few = len(ids) // 3
    vectors[few : few + round(strange * (len(ids) - few))] += 40
    project.put_embeddings("k", ids[:few], vectors[:few])
    first = run_to_end(lay_out(project, "k"))
    project.put_embeddings("k", ids[few:], vectors[few:])
    place = Layout.place

    def watched(self: Layout, rows: np.ndarray) -> Iterator[np.ndarray]:
        placed.append(len(rows))
        return place(self, rows)

    monkeypatch.setattr(Layout, "place", watched)
    then = run_to_end(lay_out(project, "k", first))
    assert first is not None
    assert then is not None
    return first, then, placed


def test_cells_that_double_join_the_map_where_it_has_landmarks_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, then, placed = _grown(monkeypatch, 0.05)
    assert then.layout is first.layout
    np.testing.assert_array_equal(then.places[: len(first.ids)], first.places)
    assert sum(placed) == len(then.ids) - len(first.ids)
    assert then.made_of == len(then.ids)


def test_many_new_cells_like_none_before_have_the_map_laid_out_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, then, placed = _grown(monkeypatch, 0.6)
    assert then.layout is not first.layout
    assert sum(placed) == len(then.ids)


def test_a_map_of_few_landmarks_is_laid_out_anew_when_cells_double(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project)
    ids = project.cells().ids
    vectors, _ = _clusters(len(ids))
    project.put_embeddings("k", ids[:4], vectors[:4])
    first = run_to_end(lay_out(project, "k"))
    project.put_embeddings("k", ids[4:], vectors[4:])
    then = run_to_end(lay_out(project, "k", first))
    assert first is not None
    assert then is not None
    assert len(then.layout.landmarks) == len(ids) > len(first.layout.landmarks)


def test_a_cell_with_another_picture_comes_to_lie_elsewhere() -> None:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project)
    ids = project.cells().ids
    vectors, _ = _clusters(len(ids))
    project.put_embeddings("k", ids, vectors)
    first = run_to_end(lay_out(project, "k"))
    assert first is not None
    changed = first.pictures.copy()
    changed[3] += 1
    stale = replace(first, pictures=changed, vectors=vectors)
    moved = first.places.copy()
    moved[3] = -1
    then = run_to_end(lay_out(project, "k", replace(stale, places=moved)))
    assert then is not None
    np.testing.assert_allclose(then.places, first.places, atol=1e-6)
