"""What test folds that hold synthetic cells pretend, beside folds of real cells only.

The published splits of CytoDiff draw test folds from real and synthetic cells together.
That protocol is repeated here to show what it does; nothing that it gives is evidence,
and its figures carry :data:`FLAWED` in their name wherever they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Compute, TrainingSet, Vectors
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.training import balanced
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.jury import REPEATS, Jury, chances_of
from napari_cytosynth.evidence.study import Floats, Key, Study, StudyRow, span
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.folds import FOLDS, deal_folds
from napari_cytosynth.learning.training import joined
from napari_cytosynth.metrics.scores import draw_counts, weighted_scores
from napari_cytosynth.workflows.studies.painting import Painter, pictures_of
from napari_cytosynth.workflows.studies.plan import Material, Plan, Run

FLAWED = "mixed test folds (flawed)"
"""Case of the protocol that tests on synthetic cells, too."""

ON_REAL, ON_SYNTHETIC = (
    "mixed folds, real cells scored",
    "mixed folds, synthetic scored",
)
CORRECTED, WITHOUT = "real test cells only", "real test cells only, no synthetic"

EACH = 5
"""Synthetic cells for each real training cell of a rare class."""

Numbers = npt.NDArray[np.intp]


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


def run(given: Run) -> dict[Key, Floats]:
    """Score heads by both protocols, with the same painted cells."""
    drawn, material, compute = given.drawn, given.material, given.compute
    made, codes = _painted(drawn, material, compute)
    train = drawn.train
    alone = TrainingSet(train.vectors, train.codes, balanced(train.codes))
    jury = Jury(drawn, material.taxonomy)
    found: dict[Key, Floats] = {}
    for case, training in (
        (WITHOUT, alone),
        (CORRECTED, joined(alone, made, codes)),
    ):
        found |= jury.tried(case, "", training)
    pool = MixedPool(
        np.concatenate([train.vectors, drawn.test.vectors, made]),
        (*train.codes, *drawn.test.codes, *codes),
        np.arange(len(train) + len(drawn.test) + len(codes))
        >= len(train) + len(drawn.test),
    )
    return found | _mixed(pool, drawn.seed)


def _painted(
    drawn: Deal, material: Material, compute: Compute
) -> tuple[Vectors, tuple[str, ...]]:
    """Paint cells of the rare classes and embed them."""
    painter = Painter(drawn.train, material.taxonomy, compute, drawn.seed)
    crops, codes = [], []
    for code in drawn.rare:
        count = EACH * drawn.train.count(code)
        cells = list(painter.draws(code, count, drawn.seed))
        crops.append(pictures_of(cells))
        codes += [code] * len(cells)
    vectors = run_to_end(compute.embed(material.embedder, np.concatenate(crops)))
    return vectors, tuple(codes)


def _mixed(pool: MixedPool, seed: int) -> dict[Key, Floats]:
    """Cross-validate over real and synthetic cells together: the flawed protocol."""
    classes = sorted(set(pool.codes))
    truth = np.asarray(np.searchsorted(classes, pool.codes), np.intp)
    own = np.arange(len(truth)).astype(np.str_)
    fold = deal_folds(truth, own, FOLDS, seed)
    guesses = np.empty(len(truth), np.intp)
    for number in range(FOLDS):
        held = fold == number
        codes = [c for c, out in zip(pool.codes, held, strict=True) if not out]
        head = fit_head(
            TrainingSet(pool.vectors[~held], tuple(codes), balanced(codes)), folds=0
        )
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
        (case, "", "macro_f1", ""): _macro_f1(truth[part], guesses[part], len(classes))
        for case, part in parts.items()
    }


def _macro_f1(truth: Numbers, guesses: Numbers, classes: int) -> Floats:
    weights = draw_counts(len(truth), REPEATS, np.random.default_rng(len(truth)))
    return weighted_scores(truth, guesses, weights, classes).macro_f1


def told(study: Study) -> tuple[str, ...]:
    """Say what the flawed protocol pretends, and why."""
    flawed, real, made, honest, without = (
        study.find(case, "macro_f1")
        for case in (FLAWED, ON_REAL, ON_SYNTHETIC, CORRECTED, WITHOUT)
    )
    return (
        f"test folds of real and synthetic cells together say macro-F1 {span(flawed)}; "
        f"real test cells say {span(honest)} of the same cells",
        f"of the gap, {flawed.value - real.value:+.3f} comes of scoring synthetic "
        f"cells, which are told apart at {made.value:.3f}; "
        f"{real.value - honest.value:+.3f} comes of folds that train on four fifths of "
        "the real cells, those that the synthetic ones were painted after among them, "
        "and weigh synthetic ones in full",
        f"without synthetic cells real test cells say {span(without)}",
    )


def left_out(plan: Plan, rows: Sequence[StudyRow]) -> tuple[str, ...]:
    """Return what a run does not do, and why."""
    del plan, rows
    return ("ResNet heads: both protocols are shown with the logistic head",)
