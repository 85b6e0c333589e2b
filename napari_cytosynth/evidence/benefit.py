"""Does training with synthetic cells help? Measured on real audit cells, with controls.

Three heads are fitted to the same real training cells: (a) these alone, all classes
weighing the same; (b) with repeats of them, as many as there are synthetic cells of
each class; (c) with the accepted synthetic cells. Synthetic cells help where (c) is
better than (a) *and* than (b): a gain that repeats bring too is owed to numbers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet, Vectors
from napari_cytosynth.core.provenance import refuse_synthetic
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.record import (
    MIN_AUDIT,
    CaseResult,
    ClassResult,
    Difference,
    Evidence,
)
from napari_cytosynth.evidence.verdict import verdict_of
from napari_cytosynth.learning.head import fit_head
from napari_cytosynth.learning.training import capped, joined
from napari_cytosynth.metrics.intervals import Interval, wilson
from napari_cytosynth.metrics.scores import (
    Scores,
    draw_counts,
    interval_of,
    weighted_scores,
)

__all__ = ["CASES", "SEEDS", "Evidence", "Question", "measure"]

CASES = {
    "real": "real cells, balanced",
    "duplicates": "real cells and repeats of them",
    "synthetic": "real and accepted synthetic cells",
}
"""The heads that are compared, and what each is trained on."""

SEEDS = 5
REPEATS = 2000
ALPHA = 0.05

_Predictions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Question:
    """What the experiment needs.

    Parameters
    ----------
    real : LabelledCells
        Real labelled cells of the training split.
    audit : LabelledCells
        Real audit cells. One of no class in ``classes``, such as an artefact, counts
        against the precision of the class that it is taken for.
    vectors, codes : float32[m, dim], sequence of str
        Accepted synthetic cells.
    classes : sequence of str
        Codes of the cell classes, in the taxonomy's order; only they are reported.
    caveats : tuple of str
        What every figure must say.
    seed : int
        Makes the experiment repeatable.
    """

    real: LabelledCells
    audit: LabelledCells
    vectors: Vectors
    codes: Sequence[str]
    classes: Sequence[str]
    caveats: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_synthetic(self.audit, "an evaluation")

    @property
    def filled(self) -> tuple[str, ...]:
        """Classes that got synthetic cells: each is asked whether it gained."""
        return tuple(code for code in self.classes if code in self.codes)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Real, accepted synthetic and audit cells of each class."""
        return {
            code: {
                "real": self.real.count(code),
                "synthetic": list(self.codes).count(code),
                "audit": self.audit.count(code),
            }
            for code in self.classes
        }


def measure(question: Question, *, seeds: int = SEEDS) -> Task[Evidence]:
    """Fit the heads, try them on the audit cells, and say what came out.

    Parameters
    ----------
    question : Question
        Real cells, audit cells and accepted synthetic cells.
    seeds : int
        Runs of each case; a seed decides which cells are repeated, and which synthetic
        ones train where there are more than the cap allows.

    Returns
    -------
    Evidence
        Also where nothing can be estimated yet; then its verdict says why.
    """
    yield Progress(0, seeds, "comparing heads on audit cells")
    if len(set(question.real.codes)) < 2 or not len(question.audit):
        return _evidence(question, (), (), seeds)
    predictions: dict[str, list[_Predictions]] = {case: [] for case in CASES}
    for number in range(seeds):
        for case, known in predictions.items():
            # Real cells alone leave nothing to chance: one fit stands for all runs.
            repeat = case == "real" and known
            known.append(known[0] if repeat else _predicted(question, case, number))
            yield Progress(number, seeds, f"run {number + 1}: {CASES[case]}")
    return _judged(question, {k: np.stack(v) for k, v in predictions.items()})


def _predicted(question: Question, case: str, number: int) -> _Predictions:
    """Return the class number that the head of a case gives to each audit cell."""
    rng = np.random.default_rng([question.seed, number])
    chosen = capped(question.codes, question.real.codes, rng)
    codes = [question.codes[i] for i in chosen]
    vectors = question.vectors[chosen]
    real = question.real
    training = TrainingSet(real.vectors, real.codes, np.ones(len(real)))
    if case == "duplicates":
        rows = _repeats(real.codes, codes, rng)
        training = joined(training, real.vectors[rows], [real.codes[i] for i in rows])
    elif case == "synthetic":
        training = joined(training, vectors, codes)
    else:
        training = joined(training, vectors[:0], ())
    head = fit_head(training, folds=0)
    position = {code: i for i, code in enumerate(question.classes)}
    guesses = head.predict(question.audit.vectors)
    return np.array([position.get(code, -1) for code in guesses], np.intp)


def _repeats(
    real: Sequence[str], codes: Iterable[str], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Draw a real cell of the same class for each synthetic one; none where none is."""
    names = np.asarray(real, dtype=np.str_)
    rows = {code: np.flatnonzero(names == code) for code in set(codes)}
    drawn = [int(rng.choice(rows[code])) for code in codes if len(rows[code])]
    return np.array(drawn, np.intp)


def _judged(question: Question, predictions: dict[str, _Predictions]) -> Evidence:
    """Score all cases under the same resamples, so that differences are paired."""
    classes = list(question.classes)
    position = {code: i for i, code in enumerate(classes)}
    truth = np.array([position.get(c, -1) for c in question.audit.codes], np.intp)
    rng = np.random.default_rng([question.seed, 99])
    weights = _resamples(question.audit.groups, rng)
    runs = len(next(iter(predictions.values())))
    drawn = rng.integers(runs, size=(REPEATS, runs))
    scored = {
        case: _averaged(
            [weighted_scores(truth, row, weights, len(classes)) for row in rows], drawn
        )
        for case, rows in predictions.items()
    }
    cases = tuple(
        _case_result(question, case, scored[case], predictions[case]) for case in CASES
    )
    return _evidence(question, cases, _differences(question, scored), runs)


def _resamples(
    groups: npt.NDArray[np.str_], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return bootstrap counts of cells; cells of a group are drawn together.

    Cells of one patient resemble each other, so that they are fewer than they seem.
    With a single group nothing but its cells can be drawn.
    """
    names, index = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return draw_counts(len(groups), REPEATS, rng)
    return draw_counts(len(names), REPEATS, rng)[:, index.ravel()]


def _averaged(runs: list[Scores], drawn: npt.NDArray[np.integer]) -> Scores:
    """Average over seeds; in each resample, over seeds that were drawn again."""

    def mean(name: str) -> npt.NDArray[np.float64]:
        values = np.stack([getattr(run, name) for run in runs])
        # A class that a head never predicts has no precision; the others still have.
        values = np.where(np.isnan(values), 0.0, values) if name != "recall" else values
        first = values[:, :1].mean(axis=0)
        rows = np.arange(1, values.shape[1])
        rest = values[drawn, rows[:, None]].mean(axis=1)
        return np.concatenate([first, rest])

    return Scores(mean("precision"), mean("recall"), mean("f1"))


def _case_result(
    question: Question, case: str, scores: Scores, predictions: _Predictions
) -> CaseResult:
    truth = question.audit.codes
    results = {}
    for number, code in enumerate(question.classes):
        there = question.audit.count(code)
        found = int(np.round((predictions == number).sum(axis=1).mean()))
        hits = np.mean(
            [
                sum(t == code and p == number for t, p in zip(truth, row, strict=True))
                for row in predictions
            ]
        )
        # Shares by Wilson: a bootstrap of ten hits in ten would claim no doubt at all.
        results[code] = ClassResult(
            precision=_share(min(round(hits), found), found),
            recall=_share(round(hits), there),
        )
    kept = _estimable(question)
    macro = interval_of(_macro(scores, kept), len(truth)) if kept else None
    return CaseResult(case, CASES[case], macro, results)


def _share(hits: int, n: int) -> Interval | None:
    return wilson(hits, n) if n >= MIN_AUDIT else None


def _estimable(question: Question) -> list[int]:
    counts = [question.audit.count(code) for code in question.classes]
    return [number for number, count in enumerate(counts) if count >= MIN_AUDIT]


def _macro(scores: Scores, kept: list[int]) -> npt.NDArray[np.float64]:
    part = Scores(scores.precision[:, kept], scores.recall[:, kept], scores.f1[:, kept])
    return part.macro_f1


def _differences(
    question: Question, scored: dict[str, Scores]
) -> tuple[Difference, ...]:
    kept, level = _estimable(question), 1 - ALPHA / max(len(question.filled), 1)
    found = []
    for other in ("real", "duplicates"):
        with_, without = scored["synthetic"], scored[other]
        if kept:
            change = _macro(with_, kept) - _macro(without, kept)
            n = len(question.audit)
            found.append(Difference("macro-F1", "", other, interval_of(change, n)))
        for number in kept:
            code = question.classes[number]
            change = with_.recall[:, number] - without.recall[:, number]
            n = question.audit.count(code)
            interval: Interval = interval_of(change, n, level)
            found.append(Difference("recall", code, other, interval))
    return tuple(found)


def _evidence(
    question: Question,
    cases: tuple[CaseResult, ...],
    differences: tuple[Difference, ...],
    seeds: int,
) -> Evidence:
    return Evidence(
        verdict=verdict_of(question.counts, differences),
        caveats=(*question.caveats, *_caveats(question)),
        cases=cases,
        differences=differences,
        counts=question.counts,
        seeds=tuple(range(seeds)),
        seed=question.seed,
        embedder=question.real.embedder,
    )


def _caveats(question: Question) -> tuple[str, ...]:
    """Say how the intervals were made, where that is not what one would think."""
    groups, cells = len(set(question.audit.groups.tolist())), len(question.audit)
    told = []
    if 1 < groups < cells:
        told.append(
            f"intervals of macro-F1 and of differences resample the {groups} groups or "
            "blocks of the audit cells; those of a class's recall take cells one by one"
        )
    elif cells > groups:
        told.append(
            "all audit cells come from one group or block, so intervals do not cover "
            "differences between patients"
        )
    k = len(question.filled)
    if k > 1:
        told.append(
            f"{k} classes were filled, so each difference in recall has an interval of "
            f"{1 - ALPHA / k:.1%} (Bonferroni)"
        )
    return tuple(told)
