from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.protocols import Candidates, Query, Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning import shortlist
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.ranking import query_at_random
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows import embed, pool, suggest
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.train import train_head


def _labelled() -> tuple[MemoryProject, str]:
    project = MemoryProject(built_in("blood5"))
    truth = tiny_project(project, smears=8, cells_per_smear=22)
    key = run_to_end(embed.embed_cells(project, InlineCompute(), embedder="morphology"))
    train = project.cells().ids[~splits_of(project).audit]
    author = Author("tester", Mode.TEACH)
    for cell in train[:40].tolist():
        project.record(author.label(cell, truth[cell]))
    return project, key


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "IN_MEMORY", 1000)
    monkeypatch.setattr(pool, "IN_MEMORY", 1000)


def test_vectors_beyond_memory_lie_in_a_file(small_memory: None) -> None:
    project, key = _labelled()
    found = embed.vectors_of(project, key)
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, project.embeddings(key, project.cells().ids))


def test_a_list_as_long_as_the_pool_ranks_as_the_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, key = _labelled()
    head, margin = run_to_end(train_head(project, key)), load("strategies", "margin")()
    whole = suggest.ranked(project, key, margin, head=head, n=30)
    monkeypatch.setattr(pool, "IN_MEMORY", 1000)
    listed = suggest.ranked(project, key, margin, head=head, n=30)
    np.testing.assert_array_equal(whole.ids, listed.ids)
    assert whole.reasons == listed.reasons


class _Watched(np.ndarray):
    """Vectors that note how much is copied out of the whole matrix at once."""

    whole = 0
    copied: ClassVar[list[int]] = []

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if len(self) == self.whole and isinstance(key, np.ndarray):
            self.copied.append(found.size)
        return found


def test_a_large_pool_is_scored_once_and_never_copied(
    small_memory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, key = _labelled()
    head, margin = run_to_end(train_head(project, key)), load("strategies", "margin")()
    vectors = embed.vectors_of(project, key)
    monkeypatch.setattr(_Watched, "whole", len(vectors))
    monkeypatch.setattr(_Watched, "copied", [])
    monkeypatch.setattr(pool, "vectors_of", lambda *_: vectors.view(_Watched))
    monkeypatch.setattr(shortlist, "_BLOCK", 32)
    scored: list[int] = []

    def predict_proba(self: Head, rows: Vectors) -> npt.NDArray[np.float32]:
        scored.append(len(rows))
        return bare(self, rows)

    bare = Head.predict_proba
    monkeypatch.setattr(Head, "predict_proba", predict_proba)
    suggest.ranked(project, key, margin, head=head, n=5)
    assert sum(scored) <= len(vectors)
    assert max(_Watched.copied) <= max(32 * vectors.shape[1], len(vectors))


def test_labels_that_measure_do_not_make_a_class_less_rare() -> None:
    project, key = _labelled()
    held_out = project.cells().ids[splits_of(project).audit]
    before: list[Mapping[str, int]] = []

    class Counting:
        key, summary = "counting", "Notes the counts."

        def query(self, candidates: Candidates, n: int, rng: Any) -> Query:
            before.append(candidates.counts)
            return query_at_random(candidates, n, rng, "")

    for mode in (Mode.AUDIT, Mode.TEACH):
        suggest.ranked(project, key, Counting(), n=1)
        for cell in held_out[:6].tolist():
            project.record(Author("tester", mode).label(cell, "BAS"))
    suggest.ranked(project, key, Counting(), n=1)
    assert before[0] == before[1] == before[2]
    assert sum(before[0].values()) == 40


def test_before_a_head_a_list_is_drawn_from_the_pool(
    small_memory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortlist, "LISTED", 25)
    project, key = _labelled()
    typical = load("strategies", "typical")()
    found = suggest.ranked(project, key, typical, n=60)
    assert len(found.ids) == 25
    assert (
        not splits_of(project)
        .audit[np.searchsorted(project.cells().ids, found.ids)]
        .any()
    )
