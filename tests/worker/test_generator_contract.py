from __future__ import annotations

from napari_cytosynth.core.protocols import CellGenerator
from napari_cytosynth.testing.contracts_generator import CellGeneratorContract
from napari_cytosynth.testing.fakes import FakeCellGenerator, FakeVectorGenerator


class TestFakeCells(CellGeneratorContract):
    def make(self) -> CellGenerator:
        return FakeCellGenerator()


class TestFakeVectors(CellGeneratorContract):
    def make(self) -> CellGenerator:
        return FakeVectorGenerator()
