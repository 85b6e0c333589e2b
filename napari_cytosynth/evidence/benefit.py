"""Does training with synthetic cells help? Measured on real audit cells, with controls.

Heads are fitted to the same real training cells: alone; enriched by each control, such
as class weights and repeats of rare cells; with the accepted synthetic cells; and with
vectors of the ``embedding`` generator. Synthesis helps where it is better than *every*
control: a gain that repeats or weights bring too is owed to the balance only. In the
last two cases all classes weigh the same, as in the head that the project trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import TrainingSet
from napari_cytosynth.core.splits import MIN_AUDIT, MIN_GROUPS
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.question import Question
from napari_cytosynth.evidence.record import (
    CaseResult,
    ClassResult,
    Difference,
    Evidence,
)
from napari_cytosynth.evidence.verdict import (
    ALPHA,
    EMBEDDING,
    NONE,
    SYNTHETIC,
    verdict_of,
)
from napari_cytosynth.learning.head import fitter_here
from napari_cytosynth.learning.training import capped, joined
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.metrics.multiplicity import holm, holm_levels, two_sided
from napari_cytosynth.metrics.scores import (
    Scores,
    draw_group_counts,
    interval_of,
    weighted_scores,
)
from napari_cytosynth.metrics.shares import share_among

SEEDS = 5
REPEATS = 2000

_Predictions = npt.NDArray[np.intp]


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
    predictions: dict[str, list[_Predictions]] = {case: [] for case in question.cases}
    fitted: dict[str, TrainingSet] = {}
    for number in range(seeds):
        for case, title in question.cases.items():
            training, known = _training(question, case, number), predictions[case]
            # Where nothing is left to chance one fit stands for all runs.
            if known and _same(training, fitted[case]):
                known.append(known[-1])
            else:
                known.append(_predicted(question, training))
            fitted[case] = training
            yield Progress(number, seeds, f"run {number + 1}: {title}")
    return _judged(question, {k: np.stack(v) for k, v in predictions.items()})


def _training(question: Question, case: str, number: int) -> TrainingSet:
    """Return what the head of a case is trained on in one run."""
    rng = np.random.default_rng([question.seed, number])
    real = question.real
    alone = TrainingSet(real.vectors, real.codes, np.ones(len(real)))
    if case == NONE:
        return alone
    if case == SYNTHETIC:
        chosen = capped(question.codes, real.codes, rng)
        codes = [question.codes[i] for i in chosen]
        return joined(alone, question.vectors[chosen], codes)
    if case == EMBEDDING:
        drawn = question.drawn[number % len(question.drawn)]
        return joined(alone, drawn.vectors, drawn.codes)
    control = next(c for c in question.controls if c.key == case)
    return control.enrich(real, rng)


def _same(one: TrainingSet, other: TrainingSet) -> bool:
    return (
        one.codes == other.codes
        and np.array_equal(one.weights, other.weights)
        and np.array_equal(one.vectors, other.vectors)
    )


def _predicted(question: Question, training: TrainingSet) -> _Predictions:
    """Return the class number that a head gives to each audit cell."""
    position = {code: i for i, code in enumerate(question.classes)}
    head = (question.fit or fitter_here())(training, folds=0)
    guesses = head.predict(question.audit.vectors)
    return np.array([position.get(code, -1) for code in guesses], np.intp)


def _judged(question: Question, predictions: dict[str, _Predictions]) -> Evidence:
    """Score all cases under the same resamples, so that differences are paired."""
    classes = list(question.classes)
    position = {code: i for i, code in enumerate(classes)}
    truth = np.array([position.get(c, -1) for c in question.audit.codes], np.intp)
    rng = np.random.default_rng([question.seed, 99])
    few = bool(_in_few(question))
    weights = draw_group_counts(question.audit.groups, REPEATS, rng, within=few)
    runs = len(next(iter(predictions.values())))
    drawn = rng.integers(runs, size=(REPEATS, runs))
    scored = {
        case: _averaged(
            [weighted_scores(truth, row, weights, len(classes)) for row in rows], drawn
        )
        for case, rows in predictions.items()
    }
    cases = tuple(
        _case_result(question, case, scored[case], predictions[case]) for case in scored
    )
    return _evidence(question, cases, _differences(question, scored), runs)


def _in_few(question: Question) -> list[str]:
    """Return the classes with figures whose audit cells are of a few groups."""
    audit, few = question.audit, []
    for code in (question.classes[number] for number in question.estimable):
        own = audit.groups[[c == code for c in audit.codes]]
        if len(set(own.tolist())) < MIN_GROUPS:
            few.append(code)
    return few


def _averaged(runs: list[Scores], drawn: npt.NDArray[np.integer]) -> Scores:
    """Average over seeds; in each resample, over seeds that were drawn again."""

    def mean(name: str) -> npt.NDArray[np.float64]:
        values = np.stack([getattr(run, name) for run in runs])
        first = values[:, :1].mean(axis=0)
        rows = np.arange(1, values.shape[1])
        rest = values[drawn, rows[:, None]].mean(axis=1)
        return np.concatenate([first, rest])

    return Scores(mean("precision"), mean("recall"), mean("f1"))


def _case_result(
    question: Question, case: str, scores: Scores, predictions: _Predictions
) -> CaseResult:
    truth = np.array(question.audit.codes)
    results = {}
    for number, code in enumerate(question.classes):
        there, found = truth == code, (predictions == number).mean(axis=0)
        results[code] = ClassResult(
            precision=_share(question, there * found, found),
            recall=_share(question, there * found, there),
        )
    kept = question.estimable
    macro = interval_of(_macro(scores, kept), len(truth)) if kept else None
    confusion = _confusion(question, predictions)
    return CaseResult(case, question.cases[case], macro, results, confusion)


def _confusion(
    question: Question, predictions: _Predictions
) -> tuple[tuple[float, ...], ...]:
    """Count truth against guess, as a mean over the runs; the last column is none."""
    classes = list(question.classes)
    counts = np.zeros((len(classes), len(classes) + 1))
    for code, guesses in zip(question.audit.codes, predictions.T, strict=True):
        if code in classes:
            for guess in guesses:
                counts[classes.index(code), guess] += 1 / len(guesses)
    return tuple(tuple(row) for row in counts.round(6).tolist())


def _share(
    question: Question,
    hits: npt.NDArray[np.float64],
    asked: npt.NDArray[np.float64] | npt.NDArray[np.bool_],
) -> Interval | None:
    """Return a share as a mean over the runs, where ten cells were asked of."""
    if round(float(asked.sum())) < MIN_AUDIT:
        return None
    return share_among(hits, asked, question.audit.groups)


def _macro(scores: Scores, kept: list[int]) -> npt.NDArray[np.float64]:
    part = Scores(scores.precision[:, kept], scores.recall[:, kept], scores.f1[:, kept])
    return part.macro_f1


def _differences(
    question: Question, scored: dict[str, Scores]
) -> tuple[Difference, ...]:
    """Return each synthetic case minus each control, on the same resamples."""
    controls = [case for case in scored if case not in (SYNTHETIC, EMBEDDING)]
    return tuple(
        difference
        for case in (SYNTHETIC, EMBEDDING)
        if case in scored and controls
        for difference in _compared(question, scored, case, controls)
    )


def _compared(
    question: Question, scored: dict[str, Scores], case: str, controls: Sequence[str]
) -> Iterator[Difference]:
    kept, cells, with_ = question.estimable, question.audit, scored[case]
    changes = {other: with_.recall - scored[other].recall for other in controls}
    asked = question.asked(case)
    # A class is helped where every control is beaten, so its p is the largest of them;
    # the classes are one family. Holm for each control apart would call more helped.
    raw = np.array(
        [max(two_sided(changes[o][1:, number]) for o in controls) for number in asked]
    )
    corrected = dict(zip(asked, holm(raw).tolist(), strict=True))
    levels = dict(zip(asked, holm_levels(raw, ALPHA).tolist(), strict=True))
    for other in controls:
        if kept:
            change = _macro(with_, kept) - _macro(scored[other], kept)
            whole = interval_of(change, len(cells))
            yield Difference("macro-F1", "", other, whole, case)
        for number in kept:
            code, level = question.classes[number], levels.get(number, 1 - ALPHA)
            change = changes[other][:, number]
            interval = interval_of(change, cells.count(code), level)
            told = corrected.get(number)
            yield Difference("recall", code, other, interval, case, told)


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
            "blocks of the audit cells, and so do those of a class's recall and "
            f"precision where its cells come from {MIN_GROUPS} of them or more; else "
            "they take cells one by one"
        )
    elif cells > groups:
        told.append(
            "all audit cells come from one group or block, so intervals do not cover "
            "differences between patients"
        )
    if groups > 1 and (few := _in_few(question)):
        told.append(
            f"audit cells of {', '.join(few)} come from fewer than {MIN_GROUPS} groups "
            "or blocks, so their intervals hardly cover differences between patients"
        )
    told += _coverage(question)
    for case, word in ((SYNTHETIC, "filled"), (EMBEDDING, "given vectors")):
        k = len(question.asked(case))
        if k > 1:
            told.append(
                f"{k} classes were {word} and can be judged: p of their differences in "
                "recall are corrected by Holm, whose steps also set their intervals "
                f"({1 - ALPHA:.0%} to {1 - ALPHA / k:.1%}); all others are of "
                f"{1 - ALPHA:.0%}"
            )
    return tuple(told)


def _coverage(question: Question) -> list[str]:
    """Say which classes macro-F1 does not cover, above all filled ones."""
    kept = {question.classes[number] for number in question.estimable}
    without = [c for c in question.filled(SYNTHETIC) if c not in kept]
    if not kept or len(kept) == len(question.classes):
        return []
    told = (
        f"macro-F1 covers {len(kept)} of {len(question.classes)} classes: those with "
        f"{MIN_AUDIT} audit cells"
    )
    if without:
        filled = "which was filled" if len(without) == 1 else "which were filled"
        told += f". It says nothing of {', '.join(without)}, {filled}"
    return [told]
