"""The gate: every critic judges every draw; fewer cells pass rather than worse ones.

:func:`napari_cytosynth.workflows.synthesize.fill` draws, asks it, and draws again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from napari_cytosynth.core.protocols import Batch, Critic, Reference
from napari_cytosynth.core.provenance import (
    Assessment,
    Status,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.core.registry import load

CRITICS = ("agreement", "copy")
"""Critics of the standard gate, in the order in which they judge."""

DRAWS_PER_SLOT = 8
"""Draws for each cell wanted, after which a fill gives up."""

Item: TypeAlias = SyntheticCell | SyntheticVector


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
        """Return the items with their assessments, status and verification."""
        columns = [critic.assess(batch, self.reference) for critic in self.critics]
        items: list[Item] = []
        drawn: Sequence[Item] = batch.items
        for i, item in enumerate(drawn):
            judged: Item = item.judged(*(column[i] for column in columns))
            if isinstance(judged, SyntheticCell):
                status = Status.PROPOSED if judged.passed else Status.DROPPED
                judged = replace(judged, status=status, verified=is_verified(judged))
            items.append(judged)
        return items


def standard_gate(reference: Reference) -> Gate:
    """Return the gate of :data:`CRITICS` against these real cells."""
    return Gate([load("critics", key)() for key in CRITICS], reference)


def is_verified(item: Item) -> bool:
    """Tell whether real cells let every critic that judged an item judge at all.

    False also where no critic judged it.
    """
    said = item.assessments
    return bool(said) and all(assessment.calibrated for assessment in said)


def first_veto(item: Item) -> Assessment | None:
    """Return the first assessment that vetoed an item, if any."""
    return next((a for a in item.assessments if not a.passed), None)
