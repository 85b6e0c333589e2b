"""Diffusion over embeddings against diffusion over pixels, given the same wall time.

Each generator learns from the training cells and draws until its time is over, the fit
included: both have the same seconds, and what was not finished by then does not count.
Ten draws for each real cell train a head, as everywhere; heads then tell what the draws
are worth on real test cells.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, TypeVar

import numpy as np

from napari_cytosynth.core.protocols import (
    Request,
    TrainingSet,
    Vectors,
    Weights,
)
from napari_cytosynth.core.tasks import Task
from napari_cytosynth.core.training import balanced
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.jury import REPEATS, Jury, with_gains
from napari_cytosynth.evidence.study import Study, StudyRow, span
from napari_cytosynth.learning.training import SYNTHETIC_CAP, joined
from napari_cytosynth.workflows.drawn import closable
from napari_cytosynth.workflows.studies.painting import LATENT, Painter, pictures_of
from napari_cytosynth.workflows.studies.plan import (
    REFUSALS,
    Outcome,
    Plan,
    Run,
)

BASE, VECTORS = "class_weights", "embedding"

TOLERANCE = 0.05
"""Share of the time given by which a generator may miss it, :data:`_BREATH` at least:
between two signs of life nothing can be stopped."""

UNEQUAL = "time missed"
"""Metric: share of the runs in which a generator missed its time by more."""

_BREATH = 2.0
_ENDLESS = 10**9
"""Draws that are asked for: the clock ends them."""

Clock = Callable[[], float]
Draws = Generator[Vectors, None, None]
"""Vectors as they are ready; none of them as a sign of life."""

T = TypeVar("T")


class Racer(Protocol):
    """A generator that learns first, and then draws any class without end."""

    def ready(self) -> Draws:
        """Learn what all classes share."""
        ...

    def draws(self, code: str) -> Draws:
        """Draw a class."""
        ...


@dataclass
class Made:
    """What was ready in time.

    Parameters
    ----------
    kept : dict of code to list of float32[n, dim]
        What may train: ten for each real cell, the first ones.
    count : int
        All draws.
    took : float
        Seconds.
    refused : list of str
        Classes that the generator does not draw, each with its reason.
    """

    kept: dict[str, list[Vectors]] = field(default_factory=dict)
    count: int = 0
    took: float = 0.0
    refused: list[str] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        """Class of each kept vector."""
        return [
            code
            for code, parts in self.kept.items()
            for _ in range(sum(map(len, parts)))
        ]


def run(given: Run) -> Outcome:
    """Let both generators draw for the same time, and score heads."""
    drawn, train = given.drawn, given.drawn.train
    jury = Jury(drawn, given.material.taxonomy)
    alone = TrainingSet(train.vectors, train.codes, balanced(train.codes))
    found = jury.tried(BASE, "", alone)
    # Whoever comes first would pay for loading torch.
    given.compute.hello()
    reasons: list[str] = []
    racers: dict[str, Racer] = {VECTORS: _Vectors(given), LATENT: _Pictures(given)}
    for case, racer in racers.items():
        made = raced(racer, drawn, given.plan.seconds)
        parts = [part for own in made.kept.values() for part in own]
        vectors = np.concatenate([train.vectors[:0], *parts])
        found |= jury.tried(case, "", joined(alone, vectors, made.codes))
        late = abs(made.took - given.plan.seconds) > allowed(given.plan.seconds)
        for metric, value in (
            ("made", made.count),
            ("took", made.took),
            (UNEQUAL, late),
        ):
            found[case, "", metric, ""] = np.full(REPEATS + 1, float(value))
        reasons += [f"{case}, {told}" for told in made.refused]
    return Outcome(with_gains(found, BASE), tuple(reasons))


def raced(racer: Racer, drawn: Deal, seconds: float, clock: Clock = monotonic) -> Made:
    """Let a generator learn, and give each rare class its share of the time left.

    Parameters
    ----------
    racer : Racer
        Learns and draws.
    drawn : Deal
        Tells the rare classes and their real cells.
    seconds : float
        In all, > 0.
    clock : callable
        Seconds.
    """
    made, begun = Made(), clock()
    end = begun + seconds
    try:
        for _ in _until(end, racer.ready(), clock):
            pass
    except REFUSALS as error:
        made.refused.append(f"all classes: {error}")
        made.took = clock() - begun
        return made
    for left, code in zip(range(len(drawn.rare), 0, -1), drawn.rare, strict=True):
        now = clock()
        most, own = SYNTHETIC_CAP * drawn.train.count(code), 0
        parts = made.kept.setdefault(code, [])
        try:
            for part in _until(now + (end - now) / left, racer.draws(code), clock):
                parts.append(part[: most - own])
                own += len(parts[-1])
                made.count += len(part)
        except REFUSALS as error:
            made.refused.append(f"{code}: {error}")
    made.took = clock() - begun
    return made


def _until(stop: float, draws: Draws, clock: Clock) -> Iterator[Vectors]:
    """Yield what is ready in time, and close the generator."""
    with closing(draws):
        if clock() >= stop:
            return
        for part in draws:
            if clock() > stop:
                return
            yield part


class _Vectors:
    """The generator of vectors, fitted once."""

    def __init__(self, given: Run) -> None:
        self._given = given
        self._weights: Weights | None = None

    def ready(self) -> Draws:
        drawn, compute = self._given.drawn, self._given.compute
        task = compute.fit(VECTORS, drawn.train, {"seed": drawn.seed})
        self._weights = yield from _alive(task, drawn.train.vectors[:0])

    def draws(self, code: str) -> Draws:
        if self._weights is None:
            return
        drawn, taxonomy = self._given.drawn, self._given.material.taxonomy
        request = Request(code, _ENDLESS, drawn.seed, taxonomy)
        with closing(
            closable(self._given.compute, VECTORS, request, self._weights)
        ) as made:
            for batch in made:
                rows = [item.vector for item in batch.items]  # type: ignore[union-attr]
                yield np.stack(rows) if rows else drawn.train.vectors[:0]


class _Pictures:
    """The painter, fitted to each class; embedding its pictures is part of the time."""

    def __init__(self, given: Run) -> None:
        drawn, self._material = given.drawn, given.material
        self._compute = given.compute
        self._none, self._seed = drawn.train.vectors[:0], drawn.seed
        self._painter = Painter(
            drawn.train, given.material.taxonomy, given.compute, drawn.seed
        )

    def ready(self) -> Draws:
        yield self._none

    def draws(self, code: str) -> Draws:
        weights = yield from _alive(self._painter.fitting(code), self._none)
        painting = self._painter.painting(code, _ENDLESS, self._seed, weights)
        with closing(painting) as made:
            for cells in made:
                task = self._compute.embed(self._material.embedder, pictures_of(cells))
                yield (yield from _alive(task, self._none)) if cells else self._none


def _alive(task: Task[T], none: Vectors) -> Generator[Vectors, None, T]:
    """Drive a task; each of its signs of life is no vector."""
    with closing(task):
        while True:
            try:
                next(task)
            except StopIteration as stop:
                found: T = stop.value
                return found
            yield none


def told(study: Study) -> tuple[str, ...]:
    """Say which of the two was the better use of the time, and whether it was equal."""
    given = float(study.plan["seconds"])
    lines: list[str] = []
    unequal: list[str] = []
    for case in (VECTORS, LATENT):
        gain, made = study.find(case, "macro_f1_gain"), study.find(case, "made")
        took = study.find(case, "took")
        lines.append(
            f"{case}: {made.value:.0f} draws in {took.value:.1f} s of the "
            f"{given:g} s given, {span(gain, '+')} macro-F1 against class weights"
        )
        share = study.find(case, UNEQUAL).value
        if share:
            unequal.append(f"{case} in {share:.0%} of the runs")
    away = f"{allowed(given):.1f} s"
    if unequal:
        missed = ", ".join(unequal)
        return (*lines, f"no fair race: {missed} missed its time by more than {away}")
    return (*lines, f"all times are equal within {away}")


def allowed(seconds: float) -> float:
    """Return by how many seconds a generator may miss the time that it was given."""
    return max(TOLERANCE * seconds, _BREATH)


def left_out(plan: Plan, rows: Sequence[StudyRow]) -> tuple[str, ...]:
    """Return what a run does not do, and why."""
    del plan, rows
    return (
        "the gate: both generators are compared on their first draws",
        f"draws beyond {SYNTHETIC_CAP} for each real cell: they are counted, and train "
        "no head",
    )
