"""What test folds that hold synthetic cells pretend, beside folds of real cells only.

The published splits of CytoDiff (arXiv 2507.05063) draw five test folds from real and
synthetic cells together, and train with every cell of the other four at the same
weight. That protocol is repeated here to show what it does; nothing that it gives is
evidence, and its figures carry :data:`FLAWED` in their name wherever they stand. Beside
it stands the same with the weights that heads of this program train with, so that what
the folds do and what the weights do can be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Compute, TrainingSet, Vectors
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.jury import REPEATS, Jury, chances_of
from napari_cytosynth.evidence.study import Floats, Key, Study, StudyRow, span
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.folds import FOLDS, deal_folds
from napari_cytosynth.learning.training import joined
from napari_cytosynth.metrics.scores import draw_counts, weighted_scores
from napari_cytosynth.workflows.studies.painting import Painter, pictures_of
from napari_cytosynth.workflows.studies.plan import (
    REFUSALS,
    Material,
    Outcome,
    Plan,
    Run,
)

FLAWED = "mixed test folds (flawed)"
"""Case of the protocol that tests on synthetic cells, too."""

ON_REAL, ON_SYNTHETIC = (
    "mixed folds, real cells scored",
    "mixed folds, synthetic scored",
)
CORRECTED, WITHOUT = "real test cells only", "real test cells only, no synthetic"

PUBLISHED, OURS = (
    "weights: every cell 1, as published",
    "weights: classes alike, synthetic at most as real",
)
"""How training rows weigh, real or synthetic: the setting of each figure."""

EACH = 5
"""Synthetic cells for each real training cell of a rare class."""

Numbers = npt.NDArray[np.intp]
Rows = tuple[Vectors, tuple[str, ...]]
"""Vectors and their classes."""


@dataclass(frozen=True)
class MixedPool:
    """Real and synthetic cells shuffled together, as no evidence may have them.

    Parameters
    ----------
    vectors, codes : float32[n, dim], tuple of str
        Cells.
    synthetic : bool[n]
        Which of them are.
    """

    vectors: Vectors
    codes: tuple[str, ...]
    synthetic: npt.NDArray[np.bool_]

    def rows(self, which: npt.NDArray[np.bool_]) -> Rows:
        """Return vectors and classes of some of them."""
        codes = tuple(c for c, own in zip(self.codes, which, strict=True) if own)
        return self.vectors[which], codes


def run(given: Run) -> Outcome:
    """Score heads by both protocols, with the same painted cells and weights."""
    drawn, material, compute = given.drawn, given.material, given.compute
    made, codes, reasons = _painted(drawn, material, compute)
    train, test = drawn.train, drawn.test
    jury = Jury(drawn, material.taxonomy)
    pool = MixedPool(
        np.concatenate([train.vectors, test.vectors, made]),
        (*train.codes, *test.codes, *codes),
        np.arange(len(train) + len(test) + len(codes)) >= len(train) + len(test),
    )
    found: dict[Key, Floats] = {}
    for weights in (PUBLISHED, OURS):
        for case, vectors, own in (
            (WITHOUT, made[:0], ()),
            (CORRECTED, made, codes),
        ):
            training = _weighed(weights, (train.vectors, train.codes), (vectors, own))
            found |= jury.tried(case, weights, training)
        found |= _mixed(pool, weights, drawn.seed)
    return Outcome(found, reasons)


def _weighed(weights: str, real: Rows, synthetic: Rows) -> TrainingSet:
    """Return real and synthetic rows with the weights of one of the two schemes."""
    if weights == OURS:
        return joined(TrainingSet(*real, np.ones(len(real[1]))), *synthetic)
    codes = (*real[1], *synthetic[1])
    return TrainingSet(
        np.concatenate([real[0], synthetic[0]]), codes, np.ones(len(codes))
    )


def _painted(
    drawn: Deal, material: Material, compute: Compute
) -> tuple[Vectors, tuple[str, ...], tuple[str, ...]]:
    """Paint cells of the rare classes and embed them; tell what was refused."""
    painter = Painter(drawn.train, material.taxonomy, compute, drawn.seed)
    crops, codes, reasons = [pictures_of([])], [], []
    for code in drawn.rare:
        count = EACH * drawn.train.count(code)
        try:
            cells = list(painter.draws(code, count, drawn.seed))
        except REFUSALS as error:
            reasons.append(f"painted cells of {code}: {error}")
            continue
        crops.append(pictures_of(cells))
        codes += [code] * len(cells)
    vectors = run_to_end(compute.embed(material.embedder, np.concatenate(crops)))
    return vectors, tuple(codes), tuple(reasons)


def _mixed(pool: MixedPool, weights: str, seed: int) -> dict[Key, Floats]:
    """Cross-validate over real and synthetic cells together: the flawed protocol."""
    classes = sorted(set(pool.codes))
    truth = np.asarray(np.searchsorted(classes, pool.codes), np.intp)
    own = np.arange(len(truth)).astype(np.str_)
    fold = deal_folds(truth, own, FOLDS, seed)
    guesses = np.empty(len(truth), np.intp)
    for number in range(FOLDS):
        held = fold == number
        training = _weighed(
            weights,
            pool.rows(~held & ~pool.synthetic),
            pool.rows(~held & pool.synthetic),
        )
        head = fit_head(training, folds=0)
        chances = chances_of(
            head.codes_, head.predict_proba(pool.vectors[held]), classes
        )
        guesses[held] = chances.argmax(axis=1)
    parts = {
        FLAWED: np.ones(len(truth), bool),
        ON_REAL: ~pool.synthetic,
        ON_SYNTHETIC: pool.synthetic,
    }
    return {
        (case, weights, "macro_f1", ""): _macro_f1(
            truth[part], guesses[part], len(classes)
        )
        for case, part in parts.items()
        if part.any()
    }


def _macro_f1(truth: Numbers, guesses: Numbers, classes: int) -> Floats:
    weights = draw_counts(len(truth), REPEATS, np.random.default_rng(len(truth)))
    return weighted_scores(truth, guesses, weights, classes).macro_f1


def told(study: Study) -> tuple[str, ...]:
    """Say what the flawed protocol pretends, and why, under both ways to weigh."""
    lines: list[str] = []
    for weights in (PUBLISHED, OURS):
        try:
            flawed, real, made, honest, without = (
                study.find(case, "macro_f1", weights)
                for case in (FLAWED, ON_REAL, ON_SYNTHETIC, CORRECTED, WITHOUT)
            )
        except KeyError:
            return ("no cell could be painted, so both protocols are the same",)
        lines += [
            f"{weights}: test folds of real and synthetic cells together say macro-F1 "
            f"{span(flawed)}; real test cells say {span(honest)} of the same cells, "
            f"and {span(without)} without synthetic ones",
            f"of that gap, {flawed.value - real.value:+.3f} comes of scoring synthetic "
            f"cells, which are told apart at {made.value:.3f}, and "
            f"{real.value - honest.value:+.3f} of folds that train on four fifths of "
            "the real cells, those that the synthetic ones were painted after among "
            "them",
        ]
    return tuple(lines)


def left_out(plan: Plan, rows: Sequence[StudyRow]) -> tuple[str, ...]:
    """Return what a run does not do, and why."""
    del plan, rows
    return (
        "ResNet heads: both protocols are shown with the logistic head",
        f"as many synthetic cells of every class: {EACH} for each real cell of a rare "
        "class are painted, and none of the others",
    )
