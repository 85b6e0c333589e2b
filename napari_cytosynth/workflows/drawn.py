"""Vectors drawn by the ``embedding`` generator: they train a head and nothing else.

Every draw passes the critics of the gate before it may train. Their validator sees the
same vectors as the classifier here, for a vector has no picture to be judged by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from napari_cytosynth.core.protocols import (
    Batch,
    Compute,
    LabelledCells,
    Reference,
    Request,
    Vectors,
    Weights,
)
from napari_cytosynth.core.provenance import SyntheticVector
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.core.training import lacking
from napari_cytosynth.learning.training import SYNTHETIC_CAP
from napari_cytosynth.synthesis.appearance import describe
from napari_cytosynth.synthesis.gate import (
    DRAWS_PER_SLOT,
    Gate,
    first_veto,
    is_verified,
    standard_gate,
)

EMBEDDING = "embedding"
"""Registry name of the generator."""

SHOWN = 4
"""Real cells that are named to say where vectors lie."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How the draws of one class fared.

    Parameters
    ----------
    wanted, drawn, accepted : int
        Vectors asked for, made, and passed by every critic.
    refused : mapping of str to int
        Critic to draws that it refused; the first veto counts.
    verified : bool
        False where too few real cells of the class could check the draws.
    near : tuple of int
        The real cells, four at most, that most of the accepted ones lie nearest to:
        what tells of a vector that has no picture.
    """

    wanted: int
    drawn: int
    accepted: int
    refused: Mapping[str, int] = field(default_factory=dict)
    verified: bool = True
    near: tuple[int, ...] = ()

    @property
    def place(self) -> str:
        """Where the vectors lie, in words; empty where no real cell is known."""
        cells = ", ".join(map(str, self.near))
        return f"near real cell{'s' * (len(self.near) > 1)} {cells}" if cells else ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Vectors that passed, class by class.

    Parameters
    ----------
    items : tuple of SyntheticVector
        Each with its provenance and assessments.
    tallies : mapping of code to Tally
        Every class that was asked for.
    refused : tuple of SyntheticVector
        Those that a critic refused, with its reason.
    """

    items: tuple[SyntheticVector, ...] = ()
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    refused: tuple[SyntheticVector, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Class of each item."""
        return tuple(item.code for item in self.items)

    def vectors(self, dim: int) -> Vectors:
        """Return float32[m, dim]."""
        rows = [np.zeros((0, dim), np.float32)]
        rows += [item.vector[None] for item in self.items]
        return np.concatenate(rows).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the tallies as a JSON-able mapping."""
        return {code: asdict(tally) for code, tally in self.tallies.items()}

    def __str__(self) -> str:
        drawn = sum(t.drawn for t in self.tallies.values())
        refused = Counter[str]()
        for tally in self.tallies.values():
            refused.update(tally.refused)
        accepted = sum(t.accepted for t in self.tallies.values())
        told = f"{accepted} of {drawn} drawn vectors passed the critics"
        if refused:
            by = ", ".join(f"{critic} {n}" for critic, n in sorted(refused.items()))
            told += f", refused by {by}"
        unverified = [code for code, t in self.tallies.items() if not t.verified]
        if unverified:
            told += f"; unverified for want of real cells: {', '.join(unverified)}"
        return told


@dataclass(frozen=True)
class Source:
    """A fitted generator, and the gate that its draws must pass.

    Parameters
    ----------
    compute : Compute
        Draws.
    weights : Weights
        Of the generator, fitted on training cells only.
    taxonomy : Taxonomy
        The project's.
    gate : Gate
        Judges in the space of the vectors.
    generator : str
        Its key.
    """

    compute: Compute
    weights: Weights
    taxonomy: Taxonomy
    gate: Gate
    generator: str = EMBEDDING

    def draw(self, wanted: Mapping[str, int], seed: int) -> Task[Drawn]:
        """Draw until enough of each class passed, or the budget is spent."""
        passed: list[SyntheticVector] = []
        refused: list[SyntheticVector] = []
        tallies: dict[str, Tally] = {}
        for code, count in wanted.items():
            judged = yield from self._draw_class(code, count, seed)
            items = [item for item in judged if item.passed]
            others = [item for item in judged if not item.passed]
            vetoes = Counter(v.critic for i in others if (v := first_veto(i)))
            tallies[code] = Tally(
                count,
                len(judged),
                len(items),
                dict(vetoes),
                all(is_verified(item) for item in items),
                _nearest(items),
            )
            passed += items
            refused += others
        return Drawn(tuple(passed), tallies, tuple(refused))

    def _draw_class(
        self, code: str, count: int, seed: int
    ) -> Task[list[SyntheticVector]]:
        """Return what was judged, up to the draw that completes the count."""
        request = Request(code, count * DRAWS_PER_SLOT, seed, self.taxonomy)
        judged: list[SyntheticVector] = []
        passed = 0
        self.gate.forget()
        with closing(
            closable(self.compute, self.generator, request, self.weights)
        ) as made:
            for batch in made:
                before = len(judged)
                for item in self.gate.judge(batch) if len(batch) else ():
                    if passed == count or not isinstance(item, SyntheticVector):
                        break
                    judged.append(item)
                    passed += item.passed
                self.gate.remember([i for i in judged[before:] if i.passed])
                note = batch.note or f"drawing vectors of {code}"
                yield Progress(passed, count, note)
                if passed == count:
                    break
        return judged


def _nearest(items: Sequence[SyntheticVector]) -> tuple[int, ...]:
    said = (a for item in items for a in item.assessments)
    cells = Counter(a.nearest for a in said if a.nearest is not None)
    return tuple(cell for cell, _ in cells.most_common(SHOWN))


def fit_source(
    real: LabelledCells,
    taxonomy: Taxonomy,
    compute: Compute,
    *,
    seed: int = 0,
    generator: str = EMBEDDING,
    options: Mapping[str, Any] | None = None,
) -> Task[Source]:
    """Fit the generator on real training vectors.

    Parameters
    ----------
    real : LabelledCells
        Training cells with vectors.
    taxonomy : Taxonomy
        The project's.
    compute : Compute
        Fits and draws.
    seed : int
        Makes it repeatable.
    generator : str
        Key of a generator that makes vectors.
    options : mapping, optional
        JSON-able options of the generator, such as its steps.

    Raises
    ------
    InputError
        If there are too few cells to learn a spread from.
    """
    config = {**(options or {}), "seed": seed}
    weights = yield from compute.fit(generator, real, config)
    reference = Reference(real, real.vectors, describe, seed)
    return Source(compute, weights, taxonomy, standard_gate(reference), generator)


def draw_vectors(
    real: LabelledCells,
    taxonomy: Taxonomy,
    compute: Compute,
    *,
    seed: int = 0,
    cap: int = SYNTHETIC_CAP,
) -> Task[Drawn]:
    """Fit the generator on real training vectors, and draw the rare classes up.

    Nothing is stored. See :func:`fit_source` and :func:`shortfall`.
    """
    source = yield from fit_source(real, taxonomy, compute, seed=seed)
    return (yield from source.draw(shortfall(real, taxonomy, cap), seed))


def shortfall(
    real: LabelledCells, taxonomy: Taxonomy, cap: int = SYNTHETIC_CAP
) -> dict[str, int]:
    """Return how many vectors each cell class lacks to be as common as the largest.

    At most ``cap`` for each real cell; classes that lack none are left out.
    """
    missing = lacking(real.codes, cap)
    return {code: missing[code] for code in taxonomy.cell_codes if code in missing}


def closable(
    compute: Compute, generator: str, ask: Request, weights: Weights
) -> Generator[Batch, None, None]:
    """Give the draws a ``close`` that stops the worker's job."""
    yield from compute.generate(generator, ask, weights)
