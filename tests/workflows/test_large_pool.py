from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_cytosynth.app.learner import predict
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.protocols import Candidates, Query, Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.ranking import query_at_random
from napari_cytosynth.learning.strategies.balanced import Balanced
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows import embed, mapped, pool, suggest
from napari_cytosynth.workflows.pool import Pool
from napari_cytosynth.workflows.scores import scores_of
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.summary import class_summary
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
    assert isinstance(found, mapped.Mapped)
    np.testing.assert_array_equal(
        found[:], project.embeddings(key, project.cells().ids)
    )


def test_a_list_as_long_as_the_pool_ranks_as_the_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, key = _labelled()
    head, margin = run_to_end(train_head(project, key)), load("strategies", "margin")()
    whole = suggest.ranked(Pool.of(project, key, head), margin, n=30)
    monkeypatch.setattr(pool, "IN_MEMORY", 1000)
    listed = suggest.ranked(Pool.of(project, key, head), margin, n=30)
    np.testing.assert_array_equal(whole.ids, listed.ids)
    assert whole.reasons == listed.reasons


def test_what_is_read_of_a_mapped_matrix_is_a_copy_of_its_rows() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9000, 7)).astype(np.float32)
    made = mapped.Mapped.empty(*rows.shape)
    made[:5000], made[5000:] = rows[:5000], rows[5000:]
    some, mask = rng.permutation(9000)[:6000], rng.random(9000) < 0.5
    for key in (slice(10, 5010), some, mask, (slice(None), slice(0, 1)), (some, 3), 8):
        found = made[key]
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, rows[key])
    made[2] = 0
    assert not made[:3][2].any()


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc here")
def test_a_mapped_matrix_holds_little_of_itself() -> None:
    size = 64 * 2**20
    made = mapped.Mapped.empty(size // 4096, 1024)
    before = _resident()
    for at in range(0, len(made), 1024):
        made[at : at + 1024] = 1.0
    assert sum(float(made[at].sum()) for at in range(0, len(made), 64)) > 0
    assert made[np.arange(0, len(made), 3)].mean() == 1
    assert _resident() - before < size // 2


def _resident() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(s.split()[1]) for s in lines if s.startswith("RssFile"))


@pytest.mark.parametrize("large", [False, True])
def test_a_round_scores_the_pool_once_whoever_asks(
    monkeypatch: pytest.MonkeyPatch, *, large: bool
) -> None:
    for room in (embed, pool) if large else ():
        monkeypatch.setattr(room, "IN_MEMORY", 1000)
    project, key = _labelled()
    head, balanced = run_to_end(train_head(project, key)), Balanced()
    scored: list[int] = []

    def predict_proba(self: Head, rows: Vectors) -> npt.NDArray[np.float32]:
        scored.append(len(rows))
        return bare(self, rows)

    bare = Head.predict_proba
    monkeypatch.setattr(Head, "predict_proba", predict_proba)
    told = run_to_end(predict(project, key, head))
    class_summary(project, head, key)
    for _ in range(2):
        suggest.ranked(Pool.of(project, key, head), balanced, n=50)
    cells = len(project.cells())
    assert scored.count(cells) == 1
    assert all(n == cells or n <= 60 for n in scored)
    np.testing.assert_array_equal(
        told.probabilities, bare(head, embed.vectors_of(project, key)[:])
    )


def test_another_head_scores_anew() -> None:
    project, key = _labelled()
    head, vectors = run_to_end(train_head(project, key)), embed.vectors_of(project, key)
    first = scores_of(project, head, vectors)
    assert scores_of(project, head, vectors) is first
    other = replace(head, intercepts=head.intercepts + np.arange(len(head.codes_)))
    assert not np.allclose(scores_of(project, other, vectors), first)


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
        suggest.ranked(Pool.of(project, key, None), Counting(), n=1)
        for cell in held_out[:6].tolist():
            project.record(Author("tester", mode).label(cell, "BAS"))
    suggest.ranked(Pool.of(project, key, None), Counting(), n=1)
    assert before[0] == before[1] == before[2]
    assert sum(before[0].values()) == 40


def test_before_a_head_a_list_is_drawn_from_the_pool(
    small_memory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LISTED", 25)
    project, key = _labelled()
    typical = load("strategies", "typical")()
    found = suggest.ranked(Pool.of(project, key, None), typical, n=60)
    assert len(found.ids) == 25
    assert (
        not splits_of(project)
        .audit[np.searchsorted(project.cells().ids, found.ids)]
        .any()
    )
