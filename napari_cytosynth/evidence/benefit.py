"""Does training with synthetic cells help? Measured on real audit cells, with controls.

Heads are fitted to the same real training cells: alone; enriched by each control, such
as class weights and repeats of rare cells; with the accepted synthetic cells; and with
vectors of the ``embedding`` generator. Synthesis helps where it is better than *every*
control: a gain that repeats or weights bring too is owed to the balance only. In the
last two cases all classes weigh the same, as in the head that the project trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import (
    Control,
    LabelledCells,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.provenance import refuse_synthetic
from napari_cytosynth.core.splits import MIN_AUDIT, MIN_GROUPS
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.record import (
    CaseResult,
    ClassResult,
    Difference,
    Evidence,
)
from napari_cytosynth.evidence.verdict import (
    EMBEDDING,
    NONE,
    SYNTHETIC,
    control_name,
    verdict_of,
)
from napari_cytosynth.learning.head import HeadFitter, fitter_here
from napari_cytosynth.learning.training import capped, joined
from napari_cytosynth.metrics.intervals import Interval, wilson
from napari_cytosynth.metrics.scores import (
    Scores,
    draw_group_counts,
    interval_of,
    weighted_scores,
)

__all__ = ["SEEDS", "Evidence", "Question", "measure"]

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
    controls : tuple of Control
        What synthesis has to beat, beside the real cells alone.
    drawn : tuple of TrainingSet
        Vectors of the ``embedding`` generator, fitted on ``real`` and nothing else: one
        set a run, taken in turn; empty leaves that case out.
    caveats : tuple of str
        What every figure must say.
    seed : int
        Makes the experiment repeatable.
    fit : callable, optional
        Fits the heads; by default this process does.
    """

    real: LabelledCells
    audit: LabelledCells
    vectors: Vectors
    codes: Sequence[str]
    classes: Sequence[str]
    controls: tuple[Control, ...] = ()
    drawn: tuple[TrainingSet, ...] = ()
    caveats: tuple[str, ...] = ()
    seed: int = 0
    fit: HeadFitter | None = None

    def __post_init__(self) -> None:
        refuse_synthetic(self.audit, "an evaluation")

    @property
    def cases(self) -> dict[str, str]:
        """The heads that are compared, and what each is trained on."""
        named = {NONE: control_name(NONE)}
        for control in self.controls:
            named[control.key] = f"real cells, {control_name(control.key)}"
        if self.codes:
            named[SYNTHETIC] = "real and accepted synthetic cells"
        if self.drawn:
            named[EMBEDDING] = "real cells and synthetic vectors"
        return named

    def filled(self, case: str) -> tuple[str, ...]:
        """Return the classes that a case adds to: each is asked whether it gained."""
        word = "synthetic" if case == SYNTHETIC else "vectors"
        return tuple(code for code, n in self.counts.items() if n[word])

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Real, accepted synthetic and audit cells and vectors of each class."""
        drawn = [code for run in self.drawn for code in run.codes]
        return {
            code: {
                "real": self.real.count(code),
                "synthetic": list(self.codes).count(code),
                "vectors": round(drawn.count(code) / max(len(self.drawn), 1)),
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
    for code in (question.classes[number] for number in _estimable(question)):
        own = audit.groups[[c == code for c in audit.codes]]
        if len(set(own.tolist())) < MIN_GROUPS:
            few.append(code)
    return few


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
    """Return each synthetic case minus each control, on the same resamples."""
    controls = [case for case in scored if case not in (SYNTHETIC, EMBEDDING)]
    return tuple(
        difference
        for case in (SYNTHETIC, EMBEDDING)
        if case in scored
        for other in controls
        for difference in _compared(question, scored, case, other)
    )


def _compared(
    question: Question, scored: dict[str, Scores], case: str, other: str
) -> Iterator[Difference]:
    kept, level = _estimable(question), 1 - ALPHA / max(len(question.filled(case)), 1)
    with_, without = scored[case], scored[other]
    if kept:
        change = _macro(with_, kept) - _macro(without, kept)
        interval = interval_of(change, len(question.audit))
        yield Difference("macro-F1", "", other, interval, case)
    for number in kept:
        code = question.classes[number]
        change = with_.recall[:, number] - without.recall[:, number]
        interval = interval_of(change, question.audit.count(code), level)
        yield Difference("recall", code, other, interval, case)


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
    if groups > 1 and (few := _in_few(question)):
        told.append(
            f"audit cells of {', '.join(few)} come from fewer than {MIN_GROUPS} groups "
            "or blocks, so their intervals hardly cover differences between patients"
        )
    told += _coverage(question)
    for case, word in ((SYNTHETIC, "filled"), (EMBEDDING, "given vectors")):
        k = len(question.filled(case))
        if k > 1:
            told.append(
                f"{k} classes were {word}, so each of those differences in recall has "
                f"an interval of {1 - ALPHA / k:.1%} (Bonferroni)"
            )
    return tuple(told)


def _coverage(question: Question) -> list[str]:
    """Say which classes macro-F1 does not cover, above all filled ones."""
    kept = {question.classes[number] for number in _estimable(question)}
    without = [c for c in question.filled(SYNTHETIC) if c not in kept]
    if not kept or len(kept) == len(question.classes):
        return []
    told = (
        f"macro-F1 covers {len(kept)} of {len(question.classes)} classes: those with "
        f"{MIN_AUDIT} audit cells"
    )
    if without:
        told += f". It says nothing of {', '.join(without)}, which was filled"
    return [told]
