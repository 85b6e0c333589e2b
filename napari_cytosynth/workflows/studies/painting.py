"""Pictures from ``latent`` for a study: drawn from the training cells of one deal."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from napari_cytosynth.core.protocols import (
    Compute,
    Crops,
    LabelledCells,
    Reference,
    Request,
    Weights,
)
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import Task, run_to_end
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.synthesis.gate import (
    CRITICS_EMBEDDER,
    OTHER_EMBEDDER,
    Gate,
    GatePlan,
    rehearsed,
)
from napari_cytosynth.workflows.drawn import closable

LATENT = "latent"
"""Registry name of the generator."""


@dataclass(frozen=True)
class Painter:
    """Paints cells of any class, after real ones.

    Parameters
    ----------
    cells : LabelledCells
        Real training cells with pictures; the generator sees no others.
    taxonomy : Taxonomy
        Knows their classes.
    compute : Compute
        Paints.
    seed : int
        Decides chance.
    """

    cells: LabelledCells
    taxonomy: Taxonomy
    compute: Compute
    seed: int

    def fitting(self, code: str) -> Task[Weights]:
        """Learn the stain, and one class from its cells where it is new.

        Raises
        ------
        InputError, UnknownClassError
            If the class can neither be painted nor learned.
        """
        concepts = {c.code: c.concept for c in self.taxonomy}
        config = {"seed": self.seed, "concepts": concepts, "only": code}
        return self.compute.fit(LATENT, self.cells, config)

    def fitted(self, code: str) -> Weights:
        """Return weights that know the stain, and the cells of one class."""
        return run_to_end(self.fitting(code))

    def painting(
        self, code: str, count: int, seed: int, weights: Weights
    ) -> Generator[list[SyntheticCell], None, None]:
        """Yield cells of a class as they are painted, and nothing as a sign of life."""
        request = Request(code, count, seed, self.taxonomy)
        with closing(closable(self.compute, LATENT, request, weights)) as made:
            for batch in made:
                yield [i for i in batch.items if isinstance(i, SyntheticCell)]

    def draws(self, code: str, count: int, seed: int) -> Iterator[SyntheticCell]:
        """Yield cells of a class, as they are painted, judged by nobody."""
        for cells in self.painting(code, count, seed, self.fitted(code)):
            yield from cells

    def judged(self, code: str, count: int, gate: Gate) -> Iterator[SyntheticCell]:
        """Yield cells of a class with the gate's verdicts."""
        gate.forget()
        request = Request(code, count, self.seed, self.taxonomy)
        with closing(
            closable(self.compute, LATENT, request, self.fitted(code))
        ) as made:
            for batch in made:
                items = gate.judge(batch) if len(batch) else []
                found = [item for item in items if isinstance(item, SyntheticCell)]
                gate.remember([item for item in found if item.passed])
                yield from found


def gate_for(cells: LabelledCells, embedder: str, seed: int) -> Gate:
    """Return the standard gate of a fill, fitted on training cells.

    Parameters
    ----------
    embedder : str
        Registry name of the classifier's embedder; the gate judges by another.
    """
    other = OTHER_EMBEDDER if embedder == CRITICS_EMBEDDER else CRITICS_EMBEDDER
    embed = load("embedders", other)().embed
    vectors = embed(cells.crops)
    plan = GatePlan(other, seed=seed)
    return rehearsed(Reference(cells, vectors, embed, seed), plan)


def pictures_of(cells: list[SyntheticCell]) -> Crops:
    """Return uint8[n, 96, 96, 3]."""
    none = np.zeros((0, 96, 96, 3), np.uint8)
    return np.stack([cell.pixels for cell in cells]) if cells else none
