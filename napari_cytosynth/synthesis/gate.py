"""The gate: draw, assess, draw again. It gives fewer cells rather than worse ones."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Batch, Critic, Reference, Request
from napari_cytosynth.core.provenance import (
    Assessment,
    Status,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.synthesis.critics import MIN_REAL

DRAWS_PER_SLOT = 8
"""Draws for each cell wanted, after which the gate gives up."""

Item: TypeAlias = SyntheticCell | SyntheticVector
Draw: TypeAlias = Callable[[Request], Iterator[Batch]]


@dataclass(frozen=True, slots=True)
class GateReport:
    """What came through the gate.

    Parameters
    ----------
    accepted, dropped : tuple of SyntheticCell, or of SyntheticVector
        Both with their assessments, in order of their draws.
    asked, drawn : int
        Cells wanted, and draws made for them.
    reasons : mapping of str to int
        Critic to draws that it vetoed; a draw counts with its first veto.
    verified : bool
        False where too few real cells of the class could check the draws.
    ended : str
        ``"enough"``, ``"draws"`` (all were used up) or ``"time"``.
    """

    accepted: tuple[Item, ...]
    dropped: tuple[Item, ...]
    asked: int
    drawn: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    verified: bool = True
    ended: str = "enough"

    @property
    def acceptance(self) -> float:
        """Share of the draws that passed, 0..1; NaN before the first."""
        return len(self.accepted) / self.drawn if self.drawn else float("nan")

    def reason_of(self, item: Item) -> str:
        """Return why an item was dropped, or the empty text."""
        veto = first_veto(item)
        return veto.reason if veto is not None else ""


@dataclass(frozen=True, slots=True)
class Gate:
    """Critics in the order in which they judge, and when to give up.

    Parameters
    ----------
    critics : sequence of Critic
        Every one judges every draw, so that reasons are complete.
    reference : Reference
        Real cells.
    draws_per_slot : int
        Draws for each cell wanted.
    seconds : float
        Time after which no further batch is awaited.
    """

    critics: Sequence[Critic]
    reference: Reference
    draws_per_slot: int = DRAWS_PER_SLOT
    seconds: float = float("inf")

    def verifies(self, code: str) -> bool:
        """Tell whether enough real cells of a class exist to check synthetic ones."""
        return self.reference.cells.count(code) >= MIN_REAL

    def judge(self, batch: Batch) -> list[Item]:
        """Return the items with their assessments, status and verification."""
        columns = [critic.assess(batch, self.reference) for critic in self.critics]
        items: list[Item] = []
        drawn: Sequence[Item] = batch.items
        for i, item in enumerate(drawn):
            judged: Item = item.judged(*(column[i] for column in columns))
            if isinstance(judged, SyntheticCell):
                status = Status.PROPOSED if judged.passed else Status.DROPPED
                known = self.verifies(judged.code)
                judged = replace(judged, status=status, verified=known)
            items.append(judged)
        return items

    def fill(self, request: Request, draw: Draw) -> Task[GateReport]:
        """Draw and judge until ``request.count`` passed, or the budget is spent.

        Parameters
        ----------
        request : Request
            Its count is the number of cells wanted; more are drawn as needed.
        draw : callable
            From a request to batches. An empty batch is a sign of life.

        Yields
        ------
        Progress
            Cells passed so far; the payload holds those newly passed.
        """
        if request.count < 1 or self.draws_per_slot < 1:
            raise InputError(
                f"The gate was asked for {request.count} cells with "
                f"{self.draws_per_slot} draws each. Ask for at least one of both."
            )
        tally = _Tally(request.code, request.count, self.draws_per_slot * request.count)
        deadline = time.monotonic() + self.seconds
        ended = "draws"
        batches = draw(replace(request, count=tally.most))
        try:
            for batch in batches:
                fresh = tally.take(self.judge(batch)) if len(batch) else ()
                yield Progress(len(tally.accepted), request.count, tally.note, fresh)
                if tally.is_done:
                    break
                if time.monotonic() >= deadline:
                    ended = "time"
                    break
        finally:
            _close(batches)
        ended = "enough" if tally.is_full else ended
        return tally.report(verified=self.verifies(request.code), ended=ended)


class _Tally:
    """Counts draws of one fill."""

    def __init__(self, code: str, wanted: int, most: int) -> None:
        self._code, self._wanted, self.most = code, wanted, most
        self.accepted: list[Item] = []
        self.dropped: list[Item] = []

    @property
    def drawn(self) -> int:
        return len(self.accepted) + len(self.dropped)

    @property
    def is_full(self) -> bool:
        return len(self.accepted) >= self._wanted

    @property
    def is_done(self) -> bool:
        return self.is_full or self.drawn >= self.most

    @property
    def note(self) -> str:
        return f"{self._code}: {len(self.accepted)} of {self.drawn} drawn passed"

    def take(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """Count judged items until enough passed; return those that did."""
        before = len(self.accepted)
        for item in items:
            if self.is_done:
                break
            (self.accepted if item.passed else self.dropped).append(item)
        return tuple(self.accepted[before:])

    def report(self, *, verified: bool, ended: str) -> GateReport:
        vetoes = Counter(v.critic for d in self.dropped if (v := first_veto(d)))
        return GateReport(
            tuple(self.accepted),
            tuple(self.dropped),
            self._wanted,
            self.drawn,
            dict(vetoes),
            verified,
            ended,
        )


def first_veto(item: Item) -> Assessment | None:
    """Return the first assessment that vetoed an item, if any."""
    return next((a for a in item.assessments if not a.passed), None)


def _close(batches: Iterator[Batch]) -> None:
    """Tell the generator beneath, if it listens, that no more is wanted."""
    close = getattr(batches, "close", None)
    if close is not None:
        with suppress(StopIteration):
            close()
