"""Generate, classify, discard, generate again until the classifier agrees.

The experiment of self-validating synthesis, with two judges: the one in the loop, which
learned from the training cells, and one that the loop never asks and that learned from
other real cells. What the first passes is not what the second sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Crops, LabelledCells, Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.jury import REPEATS
from napari_cytosynth.evidence.study import Floats, Key, Study, StudyRow, span
from napari_cytosynth.metrics.scores import draw_counts, weighted_scores
from napari_cytosynth.synthesis.gate import CRITICS_EMBEDDER, OTHER_EMBEDDER
from napari_cytosynth.synthesis.validators import NormalValidator
from napari_cytosynth.workflows.studies.painting import Painter, pictures_of
from napari_cytosynth.workflows.studies.plan import REFUSALS, Outcome, Plan, Run

EACH = 10
"""Cells of each class that are wanted."""

ROUNDS = 8
"""How often a cell that the classifier gainsays is drawn anew."""

FIRST, LOOP, REAL = "first draws", "after the loop", "real test cells"

Numbers = npt.NDArray[np.intp]
Embed = Callable[[Crops], Vectors]


@dataclass(frozen=True)
class _Slots:
    """Cells of one class: first draws, what stands after the loop, and rounds."""

    first: Vectors
    kept: Vectors
    agreed: npt.NDArray[np.bool_]
    rounds: Numbers
    drawn: int


def run(given: Run) -> Outcome:
    """Paint cells of every class, redraw those that are gainsaid, and judge."""
    drawn, material, compute = given.drawn, given.material, given.compute
    name = OTHER_EMBEDDER if material.embedder == CRITICS_EMBEDDER else CRITICS_EMBEDDER
    embed = load("embedders", name)().embed
    loop = _judge(drawn.train, embed)
    painter = Painter(drawn.train, material.taxonomy, compute, drawn.seed)
    slots, reasons = {}, []
    for code in drawn.classes:
        try:
            slots[code] = _looped(painter, loop, embed, code)
        except REFUSALS as error:
            reasons.append(f"{code}: {error}")
    if not slots:
        return Outcome({}, tuple(reasons))  # a refusal is no figure
    half = np.arange(len(drawn.test)) % 2 == 0
    reference, shown = drawn.test.take(half), drawn.test.take(~half)
    outside = _judge(reference, embed)
    real = _some(shown, embed, tuple(slots))
    found = _scored(FIRST, "by the loop's own judge", _first(slots), loop, drawn)
    for case, sets in ((FIRST, _first(slots)), (LOOP, _kept(slots)), (REAL, real)):
        found |= _scored(case, "by a judge outside", sets, outside, drawn)
    return Outcome(found | _effort(slots), tuple(reasons))


def _judge(cells: LabelledCells, embed: Embed) -> NormalValidator:
    return NormalValidator(embed(cells.crops), np.asarray(cells.codes, np.str_))


def _looped(
    painter: Painter, judge: NormalValidator, embed: Embed, code: str
) -> _Slots:
    """Fill the slots of one class; stop where all are agreed, or after eight rounds."""
    open_, rounds = np.arange(EACH), np.zeros(EACH, np.intp)
    agreed = np.zeros(EACH, bool)
    first = kept = np.zeros((0, 0), np.float32)
    total = 0
    for number in range(ROUNDS):
        cells = list(painter.draws(code, len(open_), 1000 * painter.seed + number))
        vectors = embed(pictures_of(cells))
        total += len(cells)
        if number == 0:
            first, kept = vectors, np.zeros((EACH, vectors.shape[1]), np.float32)
        says = judge.predict(vectors)
        for slot, vector, said in zip(open_, vectors, says, strict=False):
            kept[slot], agreed[slot], rounds[slot] = vector, said == code, number + 1
        open_ = np.flatnonzero(~agreed)
        if not len(open_):
            break
    return _Slots(first, kept, agreed, rounds, total)


def _first(slots: Mapping[str, _Slots]) -> dict[str, Vectors]:
    return {code: own.first for code, own in slots.items()}


def _kept(slots: Mapping[str, _Slots]) -> dict[str, Vectors]:
    """Return what the classifier agreed to; the others are given up, not passed on."""
    return {code: own.kept[own.agreed] for code, own in slots.items()}


def _some(
    cells: LabelledCells, embed: Embed, classes: tuple[str, ...]
) -> dict[str, Vectors]:
    codes = np.asarray(cells.codes, np.str_)
    return {c: embed(cells.crops[codes == c][:EACH]) for c in classes}


def _scored(
    case: str, by: str, sets: Mapping[str, Vectors], judge: NormalValidator, drawn: Deal
) -> dict[Key, Floats]:
    """Score what a judge says of cells that were meant to be of a class."""
    classes = drawn.classes
    there = {code: vectors for code, vectors in sets.items() if len(vectors)}
    if not there:
        return {(case, by, "macro_f1", ""): np.zeros(REPEATS + 1)}
    meant = [classes.index(code) for code, vectors in there.items() for _ in vectors]
    says = judge.predict(np.concatenate(list(there.values())))
    truth = np.array(meant, np.intp)
    guesses = np.asarray(np.searchsorted(classes, says), np.intp)
    weights = draw_counts(len(truth), REPEATS, np.random.default_rng(drawn.seed))
    scores = weighted_scores(truth, guesses, weights, len(classes))
    found: dict[Key, Floats] = {(case, by, "macro_f1", ""): scores.macro_f1}
    for number, code in enumerate(classes):
        found[case, by, "precision", code] = scores.precision[:, number]
        found[case, by, "recall", code] = scores.recall[:, number]
        found[case, by, "f1", code] = scores.f1[:, number]
    return found


def _effort(slots: Mapping[str, _Slots]) -> dict[Key, Floats]:
    """Return acceptance (cells agreed to, over draws) and rounds of each class."""
    found: dict[Key, Floats] = {}
    same = np.ones(REPEATS + 1)
    for code, own in slots.items():
        found[LOOP, "", "acceptance", code] = same * own.agreed.sum() / own.drawn
        found[LOOP, "", "rounds", code] = same * own.rounds.mean()
    lost = sum(not own.agreed.any() for own in slots.values())
    found[LOOP, "", "classes lost", ""] = same * lost
    drawn = sum(own.drawn for own in slots.values())
    agreed = sum(int(own.agreed.sum()) for own in slots.values())
    found[LOOP, "", "acceptance", ""] = same * agreed / max(drawn, 1)
    return found


def told(study: Study) -> tuple[str, ...]:
    """Say what the loop brought, and what it brought in other eyes."""
    if not study.rows:
        return ("no cell could be painted, so there is no figure",)
    own = study.find(FIRST, "macro_f1", "by the loop's own judge")
    first, after, real = (
        study.find(case, "macro_f1", "by a judge outside")
        for case in (FIRST, LOOP, REAL)
    )
    share, lost = (study.find(LOOP, what) for what in ("acceptance", "classes lost"))
    without = (
        f"; figures after the loop lack {lost.value:.2g} classes a run, of which no "
        "draw was agreed to"
    )
    return (
        f"of the first draws the loop's judge says macro-F1 {span(own)}, one outside "
        f"{span(first)}",
        f"after the loop the one outside says {span(after)}, and {span(real)} of as "
        f"many real cells; {share.value:.0%} of the draws were agreed to"
        f"{without if lost.value else ''}",
    )


def left_out(plan: Plan, rows: Sequence[StudyRow]) -> tuple[str, ...]:
    """Return what a run does not do, and why."""
    del plan, rows
    return ()
