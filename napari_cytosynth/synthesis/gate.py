"""The gate: every critic judges every draw; fewer cells pass rather than worse ones.

:func:`napari_cytosynth.workflows.synthesize.fill` draws, asks it, and draws again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Protocol, TypeAlias, cast

import numpy as np

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import (
    Batch,
    Critic,
    Crops,
    LabelledCells,
    Reference,
    Remembering,
    Vectors,
)
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    Status,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import Progress, Task

CRITICS = ("agreement", "manifold", "copy", "diversity")
"""Critics of the standard gate, in the order in which they judge.

The last compares with what passed all of the others, so critics of the user's own judge
before it.
"""

CRITICS_EMBEDDER = "morphology"
"""Embedder whose features the critics use, unless the classifier learns from it."""

OTHER_EMBEDDER = "starter"
"""Embedder whose features they use where the classifier learns from that one."""

DESCRIBED = 50
"""Real cells that are described for the critics at a time."""

DESCRIBING = "describing the real cells for the critics"

DRAWS_PER_SLOT = 8
"""Draws for each cell wanted, after which a fill gives up."""

Item: TypeAlias = SyntheticCell | SyntheticVector


class Judge(Protocol):
    """A gate, here or in a process beside."""

    def judge(self, batch: Batch) -> list[Item]:
        """Return the items with their assessments, status and verification."""
        ...

    def remember(self, items: Sequence[Item]) -> None:
        """Take in items that passed and were kept, in order of making."""
        ...

    def close(self) -> None:
        """Release what it holds. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class GatePlan:
    """What a gate for pictures is made of.

    Parameters
    ----------
    embedder : str
        Registry name of the critics' embedder.
    also : tuple of str
        Registry names of critics besides the standard ones.
    seed : int
        For cross-fitting.
    """

    embedder: str = CRITICS_EMBEDDER
    also: tuple[str, ...] = ()
    seed: int = 0


class GateMaker(Protocol):
    """Makes gates: here, or in a process beside; the verdicts are the same."""

    def __call__(self, cells: LabelledCells, plan: GatePlan) -> Task[Judge]:
        """Describe real cells, which have crops, and let the critics learn them."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """Critics in the order in which they judge.

    Parameters
    ----------
    critics : sequence of Critic
        Every one judges every draw, so that reasons are complete.
    reference : Reference
        Real cells.
    """

    critics: Sequence[Critic]
    reference: Reference

    def judge(self, batch: Batch) -> list[Item]:
        """Return the items with their assessments, status and verification.

        Raises
        ------
        InputError
            If a critic does not give one assessment, of a finite score, for each item.
        """
        items: list[Item] = list(batch.items)
        for critic in self.critics:
            # All are cells, or all are vectors, as they came.
            alike = cast("tuple[SyntheticCell, ...]", tuple(items))
            said = _asked(critic, Batch(alike, batch.start), self.reference)
            items = [i.judged(a) for i, a in zip(items, said, strict=True)]
        return [_settled(item) for item in items]

    def remember(self, items: Sequence[Item]) -> None:
        """Take in items that passed and were kept, in order of making."""
        for critic in self.critics:
            if isinstance(critic, Remembering):
                critic.remember(items)

    def forget(self) -> None:
        """Begin anew, as if nothing had passed yet."""
        for critic in self.critics:
            if isinstance(critic, Remembering):
                critic.forget()

    def close(self) -> None:
        """Hold on to nothing."""


def _asked(critic: Critic, batch: Batch, reference: Reference) -> list[Assessment]:
    said = critic.assess(batch, reference)
    if len(said) != len(batch) or not all(isfinite(a.score) for a in said):
        raise InputError(
            f"The critic '{critic.key}' gave {len(said)} assessments for {len(batch)} "
            "synthetic cells, or one without a number. A critic gives one assessment, "
            "with a finite score, for each; mend it, or fill without it."
        )
    return said


def _settled(item: Item) -> Item:
    if isinstance(item, SyntheticVector):
        return item
    status = Status.PROPOSED if item.passed else Status.DROPPED
    return replace(item, status=status, verified=is_verified(item))


def standard_gate(reference: Reference, also: Sequence[str] = ()) -> Gate:
    """Return the gate of :data:`CRITICS` against these real cells.

    Parameters
    ----------
    reference : Reference
        Real cells.
    also : sequence of str
        Registry names of further critics.

    Raises
    ------
    RegistryError
        If one of them is not installed.
    """
    keys = critic_names(also)
    asked = replace(reference, embed=_Once(reference.embed))
    return Gate([load("critics", key)() for key in keys], asked)


def gate_here(cells: LabelledCells, plan: GatePlan) -> Task[Judge]:
    """Make a gate in this process; see :class:`GateMaker`."""
    embed = load("embedders", plan.embedder)().embed
    parts: list[Vectors] = [embed(cells.crops[:0])]
    for start in range(0, len(cells), DESCRIBED):
        yield Progress(start, len(cells), DESCRIBING)
        parts.append(embed(cells.crops[start : start + DESCRIBED]))
    yield Progress(len(cells), len(cells), DESCRIBING)
    return rehearsed(Reference(cells, np.concatenate(parts), embed, plan.seed), plan)


def rehearsed(reference: Reference, plan: GatePlan) -> Gate:
    """Return a gate whose critics have learned the real cells.

    It judges one of these, so that the first draw is judged as quickly as the others.
    """
    gate = standard_gate(reference, plan.also)
    cells = reference.cells
    if len(cells):
        origin = Provenance("none", "0" * 64, {}, 0, (), "0", "never")
        gate.judge(Batch((SyntheticCell(cells.crops[0], cells.codes[0], origin),), 0))
    return gate


def critic_names(also: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the standard critics and these, in the order in which they judge."""
    more = [key for key in dict.fromkeys(also) if key not in CRITICS]
    return (*CRITICS[:-1], *more, CRITICS[-1])


class _Once:
    """Embeds crops, and those asked for last no second time: critics share them."""

    def __init__(self, embed: Callable[[Crops], Vectors]) -> None:
        self._embed = embed
        self._last: tuple[Crops, Vectors] | None = None

    def __call__(self, crops: Crops) -> Vectors:
        if self._last is None or not np.array_equal(self._last[0], crops):
            self._last = crops, self._embed(crops)
        return self._last[1]


def is_verified(item: Item) -> bool:
    """Tell whether real cells let every critic that judged an item judge at all.

    False also where no critic judged it.
    """
    said = item.assessments
    return bool(said) and not any(assessment.abstained for assessment in said)


def first_veto(item: Item) -> Assessment | None:
    """Return the first assessment that vetoed an item, if any."""
    return next((a for a in item.assessments if not a.passed), None)
