"""How much do synthetic cells help, by how many there are for each real one.

Heads are trained on the same few real cells: alone, with every control, with synthetic
ones at several ratios, with synthetic ones only, and with as many further *real* cells:
the axis on which a synthetic cell's worth is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from napari_cytosynth.core.protocols import (
    Compute,
    Control,
    TrainingSet,
)
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.training import balanced
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.jury import REPEATS, Jury, with_gains
from napari_cytosynth.evidence.study import Floats, Key, Study, StudyRow, span
from napari_cytosynth.learning.training import joined
from napari_cytosynth.workflows.drawn import fit_source
from napari_cytosynth.workflows.studies.plan import (
    HEADS,
    RATIOS,
    REFUSALS,
    RESNET_RATIOS,
    Material,
    Outcome,
    Plan,
    Run,
)

BASE = "class_weights"
"""Control that every gain is told against."""

ALONE, SYNTHETIC, ONLY, REAL = "none", "synthetic", "synthetic only", "more real"

PASSED = "passed"
"""Metric: of the synthetic cells that a ratio asks for, the share there was."""

SATURATED = 0.95
"""The knee is where the gain reaches this share of the largest one."""


Case = tuple[str, str, TrainingSet]
"""What it is called, its ratio, and what a head of it is trained on."""


def run(given: Run) -> Outcome:
    """Train all heads of one run and score them on real test cells."""
    drawn, material, compute = given.drawn, given.material, given.compute
    jury = Jury(drawn, material.taxonomy)
    found: dict[Key, Floats] = {}
    reasons: tuple[str, ...] = ()
    cases = list(_real_cases(drawn, material))
    try:
        cases += _synthetic_cases(drawn, material, compute)
    except REFUSALS as error:
        # What rests on real cells is kept: it is worth as much without these rows.
        rows = (*(f"{SYNTHETIC}, {ratio:g} : 1" for ratio in RATIOS), ONLY)
        reasons = tuple(f"{row}: {error}" for row in rows)
    else:
        if ONLY not in {case for case, _, _ in cases}:
            reasons = (f"{ONLY}: vectors of fewer than two classes passed the gate",)
    for case, ratio, training in cases:
        found |= jury.tried(case, ratio, training)
        if case == SYNTHETIC:
            found[case, ratio, PASSED, ""] = passed(drawn, ratio, training.codes)
    return Outcome(with_gains(found, BASE), reasons)


def passed(drawn: Deal, ratio: str, codes: Sequence[str]) -> Floats:
    """Return which share of the synthetic cells of a ratio there were to train with.

    Parameters
    ----------
    drawn : Deal
        Gives the real training cells.
    ratio : str
        Synthetic cells that were asked for, for each real one of a rare class.
    codes : sequence of str
        Class of each training cell, the real ones included.

    Returns
    -------
    float64[REPEATS + 1]
        0..1, the same throughout; under 1 where the gate let fewer through.
    """
    asked = sum(round(float(ratio) * drawn.train.count(code)) for code in drawn.rare)
    share = (len(codes) - len(drawn.train)) / max(asked, 1)
    return np.full(REPEATS + 1, share)


def _real_cases(drawn: Deal, material: Material) -> Iterator[Case]:
    """Yield what is trained on real cells: as they are, controlled, and more."""
    train = drawn.train
    alone = TrainingSet(train.vectors, train.codes, np.ones(len(train)))
    yield ALONE, "", alone
    for name in names("controls"):
        yield name, "", _controlled(name, drawn, material)
    for ratio in RATIOS:
        wanted = {code: round(ratio * train.count(code)) for code in drawn.rare}
        if has_more(drawn, wanted):
            yield REAL, f"{ratio:g}", _more_real(drawn, alone, wanted)


def _synthetic_cases(
    drawn: Deal, material: Material, compute: Compute
) -> Iterator[Case]:
    """Yield what is trained on vectors that passed the gate, at every ratio.

    Raises
    ------
    InputError, UnknownClassError
        Before the first, if the generator refuses the cells or a class.
    """
    train = drawn.train
    alone = TrainingSet(train.vectors, train.codes, np.ones(len(train)))
    source = run_to_end(fit_source(train, material.taxonomy, compute, seed=drawn.seed))
    few = {code: train.count(code) for code in drawn.classes}
    most = {code: round(RATIOS[-1] * few[code]) for code in drawn.rare}
    most |= {code: n for code, n in few.items() if code not in drawn.rare}
    made = run_to_end(source.draw(most, drawn.seed))
    vectors, codes = made.vectors(train.vectors.shape[1]), made.codes
    for ratio in RATIOS:
        wanted = {code: round(ratio * few[code]) for code in drawn.rare}
        rows = first_of(codes, wanted)
        own = [codes[i] for i in rows]
        yield SYNTHETIC, f"{ratio:g}", joined(alone, vectors[rows], own)
    rows = first_of(codes, few)
    if len({codes[i] for i in rows}) > 1:
        none = TrainingSet(vectors[:0], (), np.ones(0))
        yield ONLY, "", joined(none, vectors[rows], [codes[i] for i in rows])


def has_more(drawn: Deal, wanted: Mapping[str, int]) -> bool:
    """Tell whether so many real cells of each class were withheld."""
    return all(drawn.more.count(code) >= n for code, n in wanted.items())


def _more_real(
    drawn: Deal, alone: TrainingSet, wanted: Mapping[str, int]
) -> TrainingSet:
    """Return the training cells and further real ones, each worth what those are."""
    rows = first_of(drawn.more.codes, wanted)
    codes = (*alone.codes, *(drawn.more.codes[i] for i in rows))
    vectors = np.concatenate([alone.vectors, drawn.more.vectors[rows]])
    return TrainingSet(vectors, codes, balanced(codes))


def _controlled(name: str, drawn: Deal, material: Material) -> TrainingSet:
    control: Control = load("controls", name)()
    if hasattr(control, "embed"):
        control.embed = load("embedders", material.embedder)().embed
    return control.enrich(drawn.train, np.random.default_rng(drawn.seed))


def first_of(codes: Sequence[str], wanted: Mapping[str, int]) -> list[int]:
    """Return the rows of the first cells of each class, as many as are wanted or there.

    Parameters
    ----------
    codes : sequence of str
        Class of each row.
    wanted : mapping of code to int
        Classes that are not in it are left out.
    """
    left = dict(wanted)
    rows = []
    for row, code in enumerate(codes):
        if left.get(code, 0) > 0:
            left[code] -= 1
            rows.append(row)
    return rows


def told(study: Study) -> tuple[str, ...]:
    """Say what the curve says: gain, knee, and worth in real cells."""
    gains = {
        float(row.setting): row.interval
        for row in study.rows
        if (row.case, row.metric) == (SYNTHETIC, "macro_f1_gain")
    }
    shares = {
        float(row.setting): row.interval.value
        for row in study.rows
        if (row.case, row.metric) == (SYNTHETIC, PASSED)
    }
    if not gains:
        return ("no generator could be fitted, so there is no curve",)
    gains = {ratio: gain for ratio, gain in gains.items() if shares.get(ratio, 1.0)}
    if not gains:
        return ("no synthetic cell passed the gate, so there is no curve",)
    best = max(gains, key=lambda ratio: gains[ratio].value)
    top, share = gains[best], shares.get(best, 1.0)
    lacking = f" ({share:.0%} of them passed the gate)" if share < 1 else ""
    if not top.low > 0:
        return (
            f"no benefit found: at best {span(top, '+')} macro-F1 against class "
            f"weights, at {best:g} : 1{lacking}",
            *_real_worth(study),
        )
    knee = min(r for r in gains if gains[r].value >= SATURATED * top.value)
    return (
        f"{span(top, '+')} macro-F1 against class weights at {best:g} : 1{lacking}; "
        f"{SATURATED:.0%} of it is reached at {knee:g} : 1",
        *_real_worth(study),
    )


def _real_worth(study: Study) -> tuple[str, ...]:
    """Say what as many real cells bring at the same ratio of one to one."""
    try:
        real = study.find(REAL, "macro_f1_gain", "1")
        made = study.find(SYNTHETIC, "macro_f1_gain", "1")
    except KeyError:
        return ()
    return (
        f"one further real cell for each real one brings {span(real, '+')}, one "
        f"synthetic one {span(made, '+')}",
    )


def left_out(plan: Plan, rows: Sequence[StudyRow]) -> tuple[str, ...]:
    """Return what a run does not do, and why."""
    if plan.head != HEADS[0]:
        others = ", ".join(f"{r:g}" for r in RATIOS if r not in RESNET_RATIOS)
        return (
            f"ratios {others} : 1, the controls beside class weights and duplicates, "
            "and synthetic cells only, with a ResNet: each takes a training from "
            "scratch",
            *_too_few_real(RESNET_RATIOS, rows),
        )
    return (
        "synthetic pre-training, then real, with the logistic head: a convex fit "
        "forgets where it started",
        *_too_few_real(RATIOS, rows),
    )


def _too_few_real(ratios: Sequence[float], rows: Sequence[StudyRow]) -> tuple[str, ...]:
    """Name the ratios at which there were too few further real cells."""
    there = {row.setting for row in rows if row.case == REAL}
    lacking = [f"{ratio:g}" for ratio in ratios if f"{ratio:g}" not in there]
    if not lacking:
        return ()
    return (
        f"{', '.join(lacking)} further real cells for each real one: a rare class has "
        "too few",
    )
