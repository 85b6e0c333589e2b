"""What every :class:`~napari_cytosynth.core.protocols.Critic` must keep to.

Inherit, and give the critic::

    class TestMine(CriticContract):
        def make(self):
            return MyCritic()
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest

from napari_cytosynth.core.protocols import Batch, Critic, Reference, Remembering
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.testing.contracts_generator import tiny_labelled
from napari_cytosynth.testing.fakes import FakeEmbedder

DIM = 8
ORIGIN = Provenance("tiny", "0" * 64, {}, 0, (), "0", "2026-01-01T00:00:00+00:00")


class CriticContract:
    """The contract. Override what stands above the tests."""

    kinds: Sequence[str] = ("cells", "vectors")
    """What it can judge."""

    def make(self) -> Critic:
        """Return a new critic."""
        raise NotImplementedError

    def reference(self, each: int = 12) -> Reference:
        """Return real cells of three classes, ``each`` of every one."""
        cells = tiny_labelled(each=each, dim=DIM, embedder="tiny:1")
        embed = FakeEmbedder().embed
        return Reference(cells, embed(cells.crops), embed, 3)

    def batch(self, kind: str) -> Batch:
        """Return nine drawn cells or vectors, of every class three."""
        drawn = tiny_labelled(each=3, dim=DIM, embedder="tiny:1", seed=9)
        if kind == "cells":
            pairs = zip(drawn.crops, drawn.codes, strict=True)
            return Batch(tuple(SyntheticCell(c, k, ORIGIN) for c, k in pairs), 5)
        rows = zip(drawn.vectors, drawn.codes, strict=True)
        return Batch(tuple(SyntheticVector("tiny:1", v, k, ORIGIN) for v, k in rows), 5)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test that takes a ``kind`` for each of :attr:`kinds`."""
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", self.kinds)

    def test_it_keeps_the_protocol(self) -> None:
        critic = self.make()
        assert isinstance(critic, Critic)
        assert critic.key

    def test_each_item_gets_a_number_and_a_reason(self, kind: str) -> None:
        critic, batch = self.make(), self.batch(kind)
        said = critic.assess(batch, self.reference())
        assert len(said) == len(batch)
        for one in said:
            assert isinstance(one, Assessment)
            assert one.critic == critic.key
            assert np.isfinite(one.score)
            assert len(one.reason) > 20

    def test_verdicts_can_be_stored(self, kind: str) -> None:
        for one in self.make().assess(self.batch(kind), self.reference()):
            text = json.dumps(asdict(one), allow_nan=False)
            assert Assessment(**json.loads(text)) == one

    def test_nothing_drawn_nothing_said(self) -> None:
        assert self.make().assess(Batch((), 0), self.reference()) == []

    def test_the_same_again(self, kind: str) -> None:
        batch, reference = self.batch(kind), self.reference()
        critic = self.make()
        first = critic.assess(batch, reference)
        assert critic.assess(batch, reference) == first
        assert self.make().assess(batch, self.reference()) == first

    def test_a_verdict_does_not_depend_on_how_draws_are_cut(self, kind: str) -> None:
        batch, reference = self.batch(kind), self.reference()
        whole = self.make().assess(batch, reference)
        critic = self.make()
        items: Sequence[SyntheticCell | SyntheticVector] = batch.items
        for i, item in enumerate(items):
            one = Batch((item,), batch.start + i)  # type: ignore[arg-type]
            (said,) = critic.assess(one, reference)
            assert said.passed == whole[i].passed
            assert said.score == pytest.approx(whole[i].score)
            if isinstance(critic, Remembering) and said.passed:
                critic.remember([item])

    def test_items_stay_as_they_are(self, kind: str) -> None:
        batch, same = self.batch(kind), self.batch(kind)
        self.make().assess(batch, self.reference())
        for one, other in zip(batch.items, same.items, strict=True):
            picture = isinstance(one, SyntheticCell)
            name = "pixels" if picture else "vector"
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))

    def test_few_real_cells_calibrate_nothing(self, kind: str) -> None:
        for each in (0, 1, 4):
            said = self.make().assess(self.batch(kind), self.reference(each))
            assert not any(one.calibrated for one in said)
            assert all(one.passed for one in said if one.abstained)
