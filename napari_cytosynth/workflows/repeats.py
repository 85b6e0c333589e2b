"""Silent repeats: cards that a reader labelled before, dealt as if he had not.

They tell how far he agrees with himself. The card shows no label, and the latest word
stands: both are in the journal, and undo brings the former back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan

import numpy as np

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Journal, Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.rereading import REPEAT_EVERY, due_repeats, repeated
from napari_cytosynth.core.splits import NOT_YET
from napari_cytosynth.metrics.agreement import kappa
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.workflows.pool import scrambled
from napari_cytosynth.workflows.splitting import held_out_cells
from napari_cytosynth.workflows.suggest import Suggestion

MIN_REPEATS = 10
"""With fewer repeats the agreement of a reader with himself cannot be estimated yet."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a reader agrees with himself.

    Parameters
    ----------
    annotator : str
        Who.
    n, agreed : int
        Cells that he labelled again unawares, and how many of them alike.
    kappa : Interval or None
        Cohen's kappa; None: fewer than ten, or all of one class.
    """

    annotator: str
    n: int
    agreed: int
    kappa: Interval | None = None

    def __str__(self) -> str:
        told = NOT_YET
        if (k := self.kappa) is not None:
            told = f"{k.value:.2f} ({k.low:.2f} to {k.high:.2f})"
        return (
            f"{self.annotator} on cells labelled twice unawares: {self.agreed} of "
            f"{self.n} alike, kappa {told}."
        )


def agreements(journal: Journal) -> tuple[Agreement, ...]:
    """Return how far each reader agrees with himself; those with repeats, by name."""
    found = []
    for reader, pairs in sorted(repeated(journal).items()):
        value = kappa(pairs) if len(pairs) >= MIN_REPEATS else None
        known = value is not None and not isnan(value.value)
        agreed = sum(before == after for before, after in pairs)
        found.append(Agreement(reader, len(pairs), agreed, value if known else None))
    return tuple(found)


def with_repeats(
    project: Project, found: Suggestion, reader: str, *, seed: int
) -> Suggestion:
    """Return a suggestion with some of the reader's own cells among its cards.

    One card in twenty, at places drawn by chance. Which cells, a hash of their ids
    says: no ranking, however often it is made, can choose among them.

    Parameters
    ----------
    project : Project
        Gives cells and labels; nothing is written.
    found : Suggestion
        What :func:`napari_cytosynth.workflows.suggest.suggest` gave.
    reader : str
        Whose labels; empty: nobody's, and nothing is repeated.
    seed : int
        Decides the places.
    """
    query, table = found.query, project.cells()
    labels, held_out = project.journal.labels(), held_out_cells(project)
    due = np.array(due_repeats(project.journal, reader), np.int64)
    due = due[np.isin(due, table.ids) & ~np.isin(due, query.ids)]
    # Held-out cells that somebody looked for are dealt without their label anyway.
    drawn = [labels[CellId(i)].mode is Mode.AUDIT for i in due.tolist()]
    due = due[~np.isin(due, held_out) | np.array(drawn, bool)]
    rng = np.random.default_rng([seed, 1])
    count = int(len(query.ids) / (REPEAT_EVERY - 1) + rng.random())
    chosen = due[np.argsort(scrambled(due), kind="stable")[:count]]
    sound = len(query.ids) - len(found.late)
    places = np.sort(rng.integers(0, sound + 1, len(chosen)))
    reasons = np.insert(np.array(query.reasons, object), places, "")
    mixed = replace(
        query,
        ids=np.insert(query.ids, places, chosen),
        utilities=np.insert(query.utilities, places, np.nan),
        reasons=tuple(str(reason) for reason in reasons),
    )
    audit = np.insert(found.audit, places, False)
    return replace(found, query=mixed, audit=audit, repeats=chosen)
