"""The use gate of a project: what it asks, what it keeps, and what the head obeys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import LabelledCells, Weights
from napari_cytosynth.core.tasks import Task, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.use_gate import UseAnswer
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.fakes import FAKE_EMBEDDERS, FakeVectorGenerator
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.train import train_head, training_cells
from napari_cytosynth.workflows.use_gate import Offer, ask, current_answer
from napari_cytosynth.workflows.vectors import fill_vectors

TEACHER = Author("reader")


class VectorGenerator(FakeVectorGenerator):
    key = "embedding"


class SpyCompute(InlineCompute):
    """Notes the cells of each fit."""

    def __init__(self) -> None:
        generators = {"embedding": VectorGenerator}
        super().__init__(embedders=FAKE_EMBEDDERS, generators=generators)
        self.fits: list[set[int]] = []

    def fit(
        self, generator: str, cells: LabelledCells, config: Mapping[str, Any]
    ) -> Task[Weights]:
        self.fits.append(set(cells.ids.tolist()))
        return super().fit(generator, cells, config)


@dataclass
class Site:
    """A labelled project with two cells of BA that train, and what asks it."""

    project: MemoryProject
    compute: SpyCompute
    key: str
    rest: list[int] = field(default_factory=list)

    def accept(
        self, code: str, n: int, parents: tuple[int, ...] = (), by: str = "tiny"
    ) -> None:
        made = [
            replace(
                cell, provenance=replace(cell.provenance, parents=parents, generator=by)
            )
            for cell in tiny_synthetic(self.project.taxonomy, code, n)
        ]
        kept = self.project.add_synthetic(made)
        self.project.record(*(TEACHER.verdict(cell.id, True) for cell in kept))

    def ask(self, enrich: str | None = None) -> UseAnswer | None:
        return run_to_end(ask(self.project, self.key, self.compute, enrich=enrich))

    def current(self) -> UseAnswer | None:
        cells = len(training_cells(self.project, self.key))
        offer = Offer.of(self.project, self.key)
        return current_answer(self.project, self.key, cells, offer)

    def head_meta(self, answer: UseAnswer | None, **options: Any) -> Mapping[str, Any]:
        task = train_head(
            self.project, self.key, compute=self.compute, answer=answer, **options
        )
        run_to_end(task)
        head = self.project.model("head")
        assert head is not None
        return head.meta


@pytest.fixture
def site() -> Site:
    project = MemoryProject(built_in("pbc11"))
    truth = tiny_project(project, smears=8, cells_per_smear=22)
    compute = SpyCompute()
    key = run_to_end(embed_cells(project, compute))
    train = project.cells().ids[~splits_of(project).audit]
    rare = [int(i) for i in train if truth[CellId(int(i))] == "BA"][2:]
    known = [i for i in train.tolist() if i not in rare]
    labels = [TEACHER.label(CellId(i), truth[CellId(i)]) for i in known]
    project.record(*labels[:-40])
    return Site(project, compute, key, known[-40:])


SHUT = UseAnswer(False, -0.01, -0.02, 5, {}, (-0.01,) * 10, 100, 9.0)
OPEN = replace(SHUT, opened=True, gain=0.03, low=0.01, ratio=2)


def test_nothing_offered_is_nothing_to_ask(site: Site) -> None:
    assert site.ask() is None
    assert not site.project.jobs()


def test_the_answer_is_kept_until_cells_or_offer_change(site: Site) -> None:
    site.accept("BA", 6)
    assert site.current() is None
    answer = site.ask()
    assert answer is not None
    assert len(answer.differences) == 10
    assert answer.made == 6
    assert site.current() == answer
    site.accept("BA", 1)
    assert site.current() is None
    again = site.ask()
    assert again == site.current()
    truth = dict.fromkeys(site.rest, "LY")
    site.project.record(*(TEACHER.label(CellId(c), k) for c, k in truth.items()))
    assert site.current() is None


def test_cells_made_from_both_halves_cannot_speak_for_themselves(site: Site) -> None:
    real = training_cells(site.project, site.key)
    site.accept("BA", 6, tuple(real.ids.tolist()))
    answer = site.ask()
    assert answer is not None
    assert not answer.opened
    assert "could be made" in str(answer)


@pytest.mark.parametrize("kept", [False, True])
def test_vectors_are_drawn_anew_by_a_fit_to_one_half(site: Site, kept: bool) -> None:
    if kept:
        run_to_end(
            fill_vectors(
                site.project,
                site.compute,
                Ask("BA", 4, generator="embedding"),
                site.key,
            )
        )
    site.compute.fits.clear()
    answer = site.ask(None if kept else "embedding")
    assert answer is not None
    assert answer.made > 0
    everyone = set(training_cells(site.project, site.key).ids.tolist())
    assert len(site.compute.fits) == 10
    for one, other in zip(site.compute.fits[::2], site.compute.fits[1::2], strict=True):
        assert not one & other
        assert one | other == everyone


def test_a_shut_gate_keeps_synthetic_ones_out_and_an_open_one_caps_them(
    site: Site,
) -> None:
    site.accept("BA", 14)
    run_to_end(
        fill_vectors(
            site.project, site.compute, Ask("BA", 12, generator="embedding"), site.key
        )
    )
    meta = site.head_meta(SHUT)
    assert meta["synthetic"] == meta["kept"] == {}
    assert UseAnswer.from_json(meta["use_gate"]) == SHUT
    meta = site.head_meta(OPEN)
    assert meta["synthetic"] == meta["kept"] == {"BA": 4}
    meta = site.head_meta(None)
    assert meta["synthetic"] == {"BA": 14}
    assert meta["use_gate"] is None


def test_a_shut_gate_draws_nothing(site: Site) -> None:
    meta = site.head_meta(SHUT, enrich="embedding")
    assert meta["drawn"] == meta["vectors"] == {}
    assert not site.compute.fits
    assert site.head_meta(OPEN, enrich="embedding")["drawn"]


def test_a_generator_of_cells_named_stands_alone(site: Site) -> None:
    site.accept("BA", 3, by="latent")
    site.accept("BA", 5)
    run_to_end(
        fill_vectors(
            site.project, site.compute, Ask("BA", 4, generator="embedding"), site.key
        )
    )
    offer = Offer.of(site.project, site.key, "latent")
    assert {cell.provenance.generator for cell in offer.cells} == {"latent"}
    assert not offer.fills
    meta = site.head_meta(None, enrich="latent")
    assert meta["synthetic"] == {"BA": 3}
    assert meta["kept"] == {}
    answer = site.ask("latent")
    assert answer is not None
    assert answer.made == 3
