"""What every :class:`~napari_cytosynth.core.protocols.Control` must keep to.

Inherit, and give ``make``::

    class TestMine(ControlContract):
        def make(self):
            return MyControl()
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter

import numpy as np
import pytest

from napari_cytosynth.core.protocols import Control, LabelledCells, TrainingSet
from napari_cytosynth.testing.contracts_generator import tiny_labelled


class ControlContract(ABC):
    """The contract. Override ``cells`` where vectors must be of a certain embedder."""

    @abstractmethod
    def make(self) -> Control:
        """Return a fresh control."""

    def cells(self) -> LabelledCells:
        """Return real cells of three classes: twelve, five and one."""
        cells = tiny_labelled(each=12, dim=8, embedder="tiny:1")
        return cells.take(np.r_[0:12, 12:17, 24:25])

    def enriched(self, seed: int = 0) -> TrainingSet:
        """Return what the control makes of :meth:`cells`."""
        return self.make().enrich(self.cells(), np.random.default_rng(seed))

    def test_it_keeps_the_protocol(self) -> None:
        """It has a key."""
        made = self.make()
        assert isinstance(made, Control)
        assert made.key

    def test_classes_count_equally(self) -> None:
        """Each class has the same weight in all."""
        total = Counter[str]()
        made = self.enriched()
        for code, weight in zip(made.codes, made.weights, strict=True):
            assert weight > 0
            total[code] += weight
        assert total.keys() == set(self.cells().codes)
        assert max(total.values()) == pytest.approx(min(total.values()))

    def test_every_real_cell_trains(self) -> None:
        """Real cells are kept as they are, under their own class."""
        made, cells = self.enriched(), self.cells()
        kept = {(v.tobytes(), c) for v, c in zip(made.vectors, made.codes, strict=True)}
        for vector, code in zip(cells.vectors, cells.codes, strict=True):
            assert (vector.tobytes(), code) in kept

    def test_vectors_fit_the_cells(self) -> None:
        """They are finite, as long, and of the same type as those of real cells."""
        made, real = self.enriched().vectors, self.cells().vectors
        assert made.shape[1] == real.shape[1]
        assert made.dtype == real.dtype
        assert np.isfinite(made).all()

    def test_same_seed_same_set(self) -> None:
        """Chance comes from the generator passed in, and from nowhere else."""
        first, again = self.enriched(3), self.enriched(3)
        np.testing.assert_array_equal(first.vectors, again.vectors)
        assert first.codes == again.codes

    def test_real_cells_are_not_changed(self) -> None:
        """The cells that it was given stay as they are."""
        cells = self.cells()
        self.make().enrich(cells, np.random.default_rng(0))
        np.testing.assert_array_equal(cells.vectors, self.cells().vectors)
        np.testing.assert_array_equal(cells.crops, self.cells().crops)

    def test_no_cells_stay_no_cells(self) -> None:
        """Nothing comes of nothing."""
        none = self.cells().take(np.zeros(0, np.intp))
        assert not self.make().enrich(none, np.random.default_rng(0)).codes
