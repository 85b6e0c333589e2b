"""What every :class:`~napari_cytosynth.core.protocols.Compute` must keep to.

The backend under test serves the fakes of :mod:`napari_cytosynth.testing.fakes`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_cytosynth.core.errors import (
    InputError,
    RegistryError,
    UnknownClassError,
    WeightsError,
)
from napari_cytosynth.core.protocols import (
    Batch,
    Compute,
    Crops,
    Request,
    Weights,
)
from napari_cytosynth.core.provenance import Provenance
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.contracts_generator import (
    Item,
    stacked,
    tiny_labelled,
)
from napari_cytosynth.testing.fakes import FAKE_DIM, FakeCellGenerator, FakeEmbedder

STOP_SECONDS = 20.0
"""Generous: the jobs below would run for minutes if closing did not stop them."""


class ComputeContract:
    """The contract. Override :meth:`make`."""

    def make(self) -> Compute:
        """Return a backend that serves the fakes."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def compute(cls) -> Iterator[Compute]:
        """Give the backend, and close it after the last test."""
        backend = cls().make()
        yield backend
        backend.close()

    @pytest.fixture(scope="class")
    @classmethod
    def weights(cls, compute: Compute) -> Weights:
        """Return weights of the fake generator."""
        return run_to_end(compute.fit("fake", tiny_labelled(), {}))

    def ask(self, count: int = 10, *, start: int = 0, **config: Any) -> Request:
        """Return a request for monocytes."""
        return Request("MO", count, 7, built_in("pbc11"), start, config)

    def draw(self, compute: Compute, ask: Request, weights: Weights) -> list[Item]:
        """Return all items of a request."""
        return [i for b in compute.generate("fake", ask, weights) for i in b.items]

    def test_hello_names_what_it_serves(self, compute: Compute) -> None:
        said = compute.hello()
        assert "fake" in said.embedders
        assert {"fake", "fake-vectors"} <= set(said.generators)
        assert said.version
        assert said.device

    def test_embeds_as_the_embedder_does(self, compute: Compute) -> None:
        crops = many_crops()
        vectors = run_to_end(compute.embed("fake", crops))
        assert vectors.dtype == np.float32
        np.testing.assert_array_equal(vectors, FakeEmbedder().embed(crops))

    def test_embeds_no_crops(self, compute: Compute) -> None:
        crops = np.zeros((0, 96, 96, 3), np.uint8)
        assert run_to_end(compute.embed("fake", crops)).shape == (0, FAKE_DIM)

    def test_embedding_tells_its_progress(self, compute: Compute) -> None:
        seen: list[Progress] = []
        crops = many_crops()
        run_to_end(compute.embed("fake", crops), seen.append)
        done = [p.done for p in seen]
        assert done == sorted(done)
        assert (done[-1], seen[-1].total) == (len(crops), len(crops))

    def test_fits_as_the_generator_does(
        self, compute: Compute, weights: Weights
    ) -> None:
        here = run_to_end(FakeCellGenerator().fit(tiny_labelled(), {}))
        assert weights.sha256 == here.sha256
        assert weights.meta == here.meta

    def test_draws_as_the_generator_does(
        self, compute: Compute, weights: Weights
    ) -> None:
        ask = self.ask()
        batches = FakeCellGenerator().generate(ask, weights, np.random.default_rng(0))
        here = [item for batch in batches for item in batch.items]
        drawn = self.draw(compute, ask, weights)
        np.testing.assert_array_equal(stacked(drawn), stacked(list(here)))
        for mine, its in zip(here, drawn, strict=True):
            assert undated(mine) == undated(its)

    def test_resumes_the_same_sequence(
        self, compute: Compute, weights: Weights
    ) -> None:
        whole = self.draw(compute, self.ask(10), weights)
        rest = self.draw(compute, self.ask(4, start=6), weights)
        np.testing.assert_array_equal(stacked(whole[6:]), stacked(rest))

    def test_serves_vectors(self, compute: Compute, weights: Weights) -> None:
        batches = compute.generate("fake-vectors", self.ask(5), weights)
        items = [item for batch in batches for item in batch.items]
        assert stacked(items).shape == (5, FAKE_DIM)

    def test_batches_come_as_they_are_made(
        self, compute: Compute, weights: Weights
    ) -> None:
        batches = compute.generate("fake", self.ask(400, pause=0.05), weights)
        begun = time.monotonic()
        assert len(first_full(batches))
        assert time.monotonic() - begun < STOP_SECONDS
        close(batches)

    def test_a_closed_job_makes_way_for_the_next(
        self, compute: Compute, weights: Weights
    ) -> None:
        batches = compute.generate("fake", self.ask(40_000, pause=0.05), weights)
        first_full(batches)
        begun = time.monotonic()
        close(batches)
        assert len(self.draw(compute, self.ask(2), weights)) == 2
        assert time.monotonic() - begun < STOP_SECONDS

    def test_a_closed_fit_makes_way_for_the_next(self, compute: Compute) -> None:
        task = compute.fit("fake", tiny_labelled(), {"steps": 900, "pause": 0.1})
        next(task)
        begun = time.monotonic()
        task.close()
        run_to_end(compute.fit("fake", tiny_labelled(), {}))
        assert time.monotonic() - begun < STOP_SECONDS

    def test_unknown_plugins_are_named(
        self, compute: Compute, weights: Weights
    ) -> None:
        crops = tiny_labelled().crops
        with pytest.raises(RegistryError, match="no 'nonesuch'"):
            run_to_end(compute.embed("nonesuch", crops))
        with pytest.raises(RegistryError, match="no 'nonesuch'"):
            run_to_end(compute.fit("nonesuch", tiny_labelled(), {}))
        with pytest.raises(RegistryError, match="no 'nonesuch'"):
            first_full(compute.generate("nonesuch", self.ask(), weights))

    def test_errors_keep_their_type(self, compute: Compute, weights: Weights) -> None:
        unknown = replace(self.ask(), code="XYZ")
        with pytest.raises(UnknownClassError, match="'XYZ' is not in taxonomy"):
            first_full(compute.generate("fake", unknown, weights))
        with pytest.raises(InputError, match="at least one"):
            first_full(compute.generate("fake", self.ask(0), weights))
        with pytest.raises(WeightsError, match="Fit it first"):
            first_full(compute.generate("fake", self.ask(), Weights({})))
        with pytest.raises(InputError, match="cannot be embedded"):
            run_to_end(compute.embed("fake", np.zeros((1, 96, 96), np.uint8)))

    def test_it_goes_on_after_an_error(
        self, compute: Compute, weights: Weights
    ) -> None:
        with pytest.raises(WeightsError):
            first_full(compute.generate("fake", self.ask(), Weights({})))
        assert len(self.draw(compute, self.ask(3), weights)) == 3


def first_full(batches: Iterator[Batch]) -> Batch:
    """Return the first batch that holds something, past the signs of life."""
    return next(batch for batch in batches if len(batch))


def close(batches: Iterator[Batch]) -> None:
    """Close the iterator of a job, which cancels it."""
    batches.close()  # type: ignore[attr-defined]


def undated(item: Item) -> Provenance:
    """Return the origin of an item without the time of day."""
    return replace(item.provenance, time="2026-01-01")


def many_crops() -> Crops:
    """Return more crops than one request to a worker holds."""
    return np.random.default_rng(0).integers(0, 256, (1100, 96, 96, 3), np.uint8)
