"""Searches for a class and for cells like one, on painted projects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError, UnknownClassError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows import pool, search
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.examples import DRAWN
from napari_cytosynth.workflows.kept import vector_counts
from napari_cytosynth.workflows.search import find_alike, find_class
from napari_cytosynth.workflows.splitting import held_out_cells
from napari_cytosynth.workflows.suggest import label_counts, suggest

READER = Author("reader")


class Bench:
    """A project of eight smears, embedded, with its truth."""

    def __init__(self) -> None:
        self.project = MemoryProject(built_in("pbc11"))
        self.truth = tiny_project(self.project, smears=8, cells_per_smear=22)
        self.compute = FakeCompute()
        self.key = run_to_end(
            embed_cells(self.project, self.compute, embedder="starter")
        )
        self.measure = set(held_out_cells(self.project).tolist())

    def teaching(self, code: str) -> list[CellId]:
        """Return the cells of a class that may teach."""
        return [c for c, t in self.truth.items() if t == code and c not in self.measure]

    def label(self, code: str, n: int) -> None:
        """Label the first cells of a class."""
        cells = self.teaching(code)[:n]
        self.project.record(*(READER.label(cell, code) for cell in cells))

    def accept(self, code: str, n: int) -> None:
        """Accept painted cells of a class."""
        made = tiny_synthetic(self.project.taxonomy, code, n)
        stored = self.project.add_synthetic(made)
        self.project.record(*(READER.verdict(cell.id, True) for cell in stored))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.project.close()


def test_a_class_of_two_labels_is_found_among_the_others(bench: Bench) -> None:
    bench.label("PMY", 2)
    for code in sorted(set(bench.truth.values()) - {"PMY"}):
        bench.label(code, 4)
    found = run_to_end(
        find_class(bench.project, InlineCompute(), "PMY", bench.key, n=8)
    )
    right = [bench.truth[CellId(i)] == "PMY" for i in found.query.ids.tolist()]
    # Drawn by chance it were one of eight.
    assert sum(right) >= 3
    assert all("promyelocyte" in reason for reason in found.query.reasons)
    assert (found.like, found.real) == ("PMY", 2)


def test_vectors_drawn_for_a_search_are_not_kept_and_count_nowhere(
    bench: Bench,
) -> None:
    bench.label("PMY", 2)
    bench.label("LY", 6)
    before = label_counts(bench.project)
    found = run_to_end(find_class(bench.project, InlineCompute(), "PMY", bench.key))
    assert 0 < found.synthetic <= DRAWN
    assert not found.note
    assert not vector_counts(bench.project)
    assert not bench.project.synthetic()
    assert label_counts(bench.project) == before


def test_too_few_cells_to_draw_from_are_searched_by_without(bench: Bench) -> None:
    bench.label("PMY", 1)
    found = run_to_end(find_class(bench.project, InlineCompute(), "PMY", bench.key))
    assert found.synthetic == 0
    assert "label some more" in found.note
    assert len(found.query.ids)


def test_accepted_cells_alone_say_what_to_look_for(bench: Bench) -> None:
    bench.label("LY", 4)
    bench.label("SNE", 4)
    bench.accept("BA", 5)
    found = run_to_end(find_class(bench.project, bench.compute, "BA", bench.key, n=5))
    right = [bench.truth[CellId(i)] == "BA" for i in found.query.ids.tolist()]
    assert sum(right) >= 4
    assert (found.real, found.synthetic) == (0, 5)
    assert all("synthetic" in reason for reason in found.query.reasons)


def test_a_class_without_any_example_is_refused_with_the_way_out(bench: Bench) -> None:
    bench.label("LY", 4)
    with pytest.raises(InputError, match="Label one, or fill"):
        run_to_end(find_class(bench.project, bench.compute, "BA", bench.key))
    with pytest.raises(UnknownClassError):
        run_to_end(find_class(bench.project, bench.compute, "XYZ", bench.key))


def test_a_search_finds_neither_labelled_nor_held_out_cells(bench: Bench) -> None:
    bench.label("PMY", 3)
    bench.label("LY", 3)
    found = run_to_end(find_class(bench.project, bench.compute, "PMY", bench.key))
    alike = find_alike(bench.project, bench.teaching("EO")[0], bench.key)
    labelled = set(bench.project.journal.labels())
    for ids in (found.query.ids, alike.query.ids):
        assert not bench.measure & set(ids.tolist())
        assert not labelled & set(ids.tolist())


def test_more_like_this_gives_its_kind_first_and_not_itself(bench: Bench) -> None:
    cell = bench.teaching("EO")[0]
    found = find_alike(bench.project, cell, bench.key, n=8)
    kinds = [bench.truth[CellId(i)] for i in found.query.ids.tolist()]
    assert len(kinds) == 8
    assert kinds.count("EO") >= 6
    assert cell not in found.query.ids
    assert found.query.reasons[0].startswith(f"likeness to cell {cell}: ")
    assert (np.diff(found.query.utilities) <= 0).all()


def test_more_like_a_held_out_or_labelled_cell(bench: Bench) -> None:
    held_out = CellId(min(bench.measure))
    assert len(find_alike(bench.project, held_out, bench.key, n=5).query.ids) == 5
    bench.label("EO", 1)
    labelled = bench.teaching("EO")[0]
    assert len(find_alike(bench.project, labelled, bench.key, n=5).query.ids) == 5


def test_of_a_pool_beyond_memory_the_likest_cells_are_compared(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = bench.teaching("EO")[0]
    whole = find_alike(bench.project, cell, bench.key, n=5).query
    for part in (search, pool):
        monkeypatch.setattr(part, "IN_MEMORY", 1000)
    monkeypatch.setattr(search, "LISTED", 60)
    near = find_alike(bench.project, cell, bench.key, n=176).query
    # The scale is that of the short list, so the order within it may be another.
    assert set(whole.ids.tolist()) <= set(near.ids.tolist())
    assert 5 <= len(near.ids) < 60
    bench.label("PMY", 2)
    bench.label("LY", 6)
    found = run_to_end(find_class(bench.project, bench.compute, "PMY", bench.key))
    assert 0 < len(found.query.ids) < 60


def test_nothing_is_like_a_cell_that_does_not_stand(bench: Bench) -> None:
    with pytest.raises(InputError, match="no such cell stands"):
        find_alike(bench.project, CellId(9999), bench.key)
    with pytest.raises(InputError, match="no vector yet"):
        find_alike(bench.project, CellId(1), "another:1")


def test_the_strategy_search_sees_what_was_accepted(bench: Bench) -> None:
    bench.label("LY", 4)
    bench.label("SNE", 4)
    bench.accept("BA", 5)
    run_to_end(find_class(bench.project, bench.compute, "BA", bench.key, n=5))
    told = suggest(bench.project, bench.key, head=None, strategy="search", n=10)
    assert any("synthetic" in reason for reason in told.query.reasons)
