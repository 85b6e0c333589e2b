"""What every :class:`~napari_cytosynth.core.protocols.CellGenerator` must keep to.

Inherit, and give the generator and the real cells to fit it on::

    class TestMine(CellGeneratorContract):
        def make(self):
            return MyGenerator()
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_cytosynth.core.protocols import (
    CellGenerator,
    LabelledCells,
    Request,
    Weights,
)
from napari_cytosynth.core.provenance import SyntheticCell, SyntheticVector
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.tiny import tiny_crops

Item = SyntheticCell | SyntheticVector


class CellGeneratorContract:
    """The contract. Override what stands above the tests."""

    code = "MO"
    count = 6
    config: Mapping[str, Any] = {}
    embedder = ""
    dim = 0

    def make(self) -> CellGenerator:
        """Return a new generator."""
        raise NotImplementedError

    def cells(self) -> LabelledCells:
        """Return real cells of three classes; with vectors if ``dim`` > 0."""
        return tiny_labelled(dim=self.dim, embedder=self.embedder)

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls) -> Weights:
        """Return weights fitted on :meth:`cells`."""
        config = {"seed": 0, **cls.config}
        return run_to_end(cls().make().fit(cls().cells(), config))

    def request(self, *, start: int = 0, seed: int = 5) -> Request:
        """Return a request for ``count`` draws of ``code``."""
        taxonomy = built_in("pbc11")
        return Request(self.code, self.count, seed, taxonomy, start)

    def draw(self, request: Request, weights: Weights) -> list[Item]:
        """Return all items of a request, by a generator of its own."""
        batches = self.make().generate(request, weights, np.random.default_rng(1))
        return [item for batch in batches for item in batch.items]

    def test_it_keeps_the_protocol(self) -> None:
        generator = self.make()
        assert isinstance(generator, CellGenerator)
        assert generator.makes in ("cells", "vectors")

    def test_same_fit_same_weights(self, fitted: Weights) -> None:
        config = {"seed": 0, **self.config}
        again = run_to_end(self.make().fit(self.cells(), config))
        assert again.sha256 == fitted.sha256

    def test_same_seed_same_draws(self, fitted: Weights) -> None:
        first = self.draw(self.request(), fitted)
        again = self.draw(self.request(), fitted)
        np.testing.assert_array_equal(stacked(first), stacked(again))

    def test_other_seed_other_draws(self, fitted: Weights) -> None:
        first = self.draw(self.request(), fitted)
        other = self.draw(self.request(seed=6), fitted)
        assert not np.array_equal(stacked(first), stacked(other))

    def test_it_makes_as_many_as_asked(self, fitted: Weights) -> None:
        assert len(self.draw(self.request(), fitted)) == self.count

    def test_a_draw_depends_on_seed_and_number_only(self, fitted: Weights) -> None:
        whole = self.draw(self.request(), fitted)
        for start in (1, self.count // 2):
            ask = replace(self.request(start=start), count=self.count - start)
            rest = self.draw(ask, fitted)
            np.testing.assert_array_equal(stacked(whole[start:]), stacked(rest))

    def test_draws_differ_from_each_other(self, fitted: Weights) -> None:
        drawn = stacked(self.draw(self.request(), fitted))
        assert len(np.unique(drawn.reshape(len(drawn), -1), axis=0)) == len(drawn)

    def test_batches_are_numbered_in_order(self, fitted: Weights) -> None:
        ask = self.request(start=3)
        expected = 3
        for batch in self.make().generate(ask, fitted, np.random.default_rng(1)):
            assert batch.start == expected
            expected += len(batch)
        assert expected == 3 + self.count

    def test_every_item_tells_its_origin(self, fitted: Weights) -> None:
        generator = self.make()
        real = set(self.cells().ids.tolist())
        for item in self.draw(self.request(), fitted):
            assert item.code == self.code
            assert item.provenance.generator == generator.key
            assert item.provenance.seed == 5
            assert set(item.provenance.parents) <= real

    def test_items_are_of_the_kind_said(self, fitted: Weights) -> None:
        kind = SyntheticCell if self.make().makes == "cells" else SyntheticVector
        assert all(isinstance(i, kind) for i in self.draw(self.request(), fitted))

    def test_it_stops_between_batches(self, fitted: Weights) -> None:
        ask = replace(self.request(), count=10_000)
        batches = self.make().generate(ask, fitted, np.random.default_rng(1))
        assert next(len(b) for b in batches if len(b))
        assert isinstance(batches, Generator), "its close() is how a job is cancelled"
        batches.close()
        assert next(batches, None) is None

    def test_a_fit_can_be_closed(self) -> None:
        task = self.make().fit(self.cells(), {"seed": 0, **self.config})
        next(task)
        task.close()
        with pytest.raises(StopIteration):
            next(task)


def stacked(items: list[Item]) -> npt.NDArray[Any]:
    """Return the pixels or vectors of items as one array."""
    return np.stack(
        [i.pixels if isinstance(i, SyntheticCell) else i.vector for i in items]
    )


def tiny_labelled(
    *, each: int = 6, dim: int = 0, embedder: str = "", seed: int = 0
) -> LabelledCells:
    """Return painted cells of three classes of ``pbc11``, as a project would give them.

    Parameters
    ----------
    each : int
        Cells a class.
    dim : int
        Length of the vectors, which cluster by class; 0 gives none.
    embedder : str
        Fingerprint put beside the vectors.
    seed : int
        Makes the same cells again.
    """
    rng = np.random.default_rng(seed)
    codes = [code for code in ("SNE", "LY", "MO") for _ in range(each)]
    centres = {code: rng.normal(0, 3, dim) for code in ("SNE", "LY", "MO")}
    vectors = np.array([centres[c] + rng.normal(0, 1, dim) for c in codes])
    return LabelledCells(
        np.arange(1, len(codes) + 1),
        tuple(codes),
        tiny_crops(built_in("pbc11"), codes, rng),
        vectors.reshape(len(codes), dim).astype(np.float32),
        embedder,
        np.array([f"patient-{i % 4}" for i in range(len(codes))]),
    )
