"""Whether the evidence computes what it says, says what is so, and at what price.

Each figure is compared with the same from another package, or written out plainly; sets
with a known fault are planted among real cells; and time and memory are taken at 5,000
by 5,000 cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.bench.evidence_cost import cost_rows
from napari_cytosynth.bench.pack import figure_cells
from napari_cytosynth.bench.planted import NEEDED, planted, told_of
from napari_cytosynth.bench.references import LEAST, REFERENCES, Clouds, K
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.evidence.findings import Kind
from napari_cytosynth.metrics.copying import authenticity, third_rule
from napari_cytosynth.metrics.coverage import coverage
from napari_cytosynth.metrics.data_copying import data_copying
from napari_cytosynth.metrics.discrimination import Answers, d_prime
from napari_cytosynth.metrics.divergence import gaussian_distance, kernel_distance
from napari_cytosynth.metrics.frechet import frechet_distance
from napari_cytosynth.metrics.intervals import wilson
from napari_cytosynth.metrics.multiplicity import holm
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.metrics.scores import (
    average_precisions,
    draw_counts,
    pooled,
    seeds_again,
    weighted_scores,
)
from napari_cytosynth.metrics.vendi import vendi_score

EMBEDDER = "starter"
SIZES = ((60, 45), (600, 500))
"""Training and synthetic objects of the clouds that figures are compared on."""

_DIM, _CLASSES, _REGIONS = 32, 4, 3
_QUESTIONS, _RUNS, _REPEATS = 9, 5, 500

Row = dict[str, Any]


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Compare every figure with its reference, judge planted sets, take the time.

    Parameters
    ----------
    data : Path
        Folder of the developer data, for the planted sets.
    seeds : int
        Draws of the clouds and of the planted sets.
    quick : bool
        One draw of the planted sets, and 2,000 cells instead of 5,000.

    Returns
    -------
    list of dict
        Rows; ``reference_error`` is the largest relative difference over the draws.
    """
    return [
        *reference_rows(seeds),
        *planted_rows(data, 1 if quick else seeds),
        *cost_rows(2000 if quick else 5000),
    ]


def reference_rows(seeds: int) -> Iterator[Row]:
    """Yield the largest relative difference of each figure at each size."""
    for size in SIZES:
        drawn = [clouds(size, seed) for seed in range(seeds)]
        ours = [our_figures(each) for each in drawn]
        for reference in REFERENCES:
            known = reference.installed
            theirs = [reference.figures(each) if known else {} for each in drawn]
            for case in reference.cases:
                errors = [
                    relative(one[case], other[case])
                    for one, other in zip(ours, theirs, strict=True)
                    if known
                ]
                yield {
                    "case": case,
                    "peer": reference.peer,
                    "dataset": "clouds",
                    "size": f"{size[0]} x {size[1]}, {_DIM} dimensions",
                    "metric": "reference_error",
                    "unit": "relative" if errors else reference.absence,
                    "value": max(errors, default=None),
                    "n": len(errors) or None,
                }


def relative(ours: float, theirs: float) -> float:
    """Return the difference over the reference; absolute where that is 0."""
    return abs(ours - theirs) / (abs(theirs) or 1.0)


def clouds(size: tuple[int, int], seed: int) -> Clouds:
    """Draw objects of unlike spreads, a tenth of the synthetic ones copies."""
    rng = np.random.default_rng([seed, *size])
    spread = np.linspace(1.5, 0.3, _DIM)
    real = spread * rng.normal(size=(2 * size[0], _DIM))
    fake = spread * rng.normal(0.2, 1.1, size=(size[1], _DIM))
    copied = size[1] // 10
    fake[:copied] = real[:copied] + 0.01 * spread * rng.normal(size=(copied, _DIM))
    truth = np.sort(rng.integers(_CLASSES, size=size[1]))
    wrong = rng.random(size[1]) < 0.3
    # The last class is never said.
    guesses = np.where(wrong, rng.integers(_CLASSES, size=size[1]), truth)
    guesses = guesses % (_CLASSES - 1)
    train = real[: size[0]]
    return Clouds(
        train,
        real[size[0] :],
        fake,
        train[:_REGIONS],
        truth,
        np.asarray(guesses),
        chances=(0.3 * (guesses == 0) + 0.7 * rng.random(size[1])).round(1),
        counts=draw_counts(size[1], 1, rng)[1],
        p=rng.random(_QUESTIONS) ** 3,
        runs=rng.normal(0.7, 0.1, size=(_RUNS, 1))
        + 0.05 * rng.normal(size=(_RUNS, _REPEATS + 1)),
        again=seeds_again(_RUNS, _REPEATS),
    )


def our_figures(drawn: Clouds) -> Mapping[str, float]:
    """Return every figure as the evidence computes it."""
    return _of_sets(drawn) | _of_answers(drawn) | _of_doubt(drawn)


def _of_sets(drawn: Clouds) -> dict[str, float]:
    """Return figures of fidelity, diversity and memorisation."""
    train, fake = drawn.train, drawn.fake
    overlap = coverage(train, fake, K)
    copied = data_copying(train, drawn.test, fake, drawn.centres, least=LEAST)
    return {
        "fd": frechet_distance(train, fake),
        "kd": kernel_distance(train, fake),
        "cmmd": gaussian_distance(train, fake),
        "precision": overlap.precision,
        "recall": overlap.recall,
        "density": overlap.density,
        "coverage": overlap.coverage,
        "vendi": vendi_score(fake),
        "third_rule": float(third_rule(nearest(fake, train, 2)[0]).mean()),
        "authenticity": authenticity(fake, train),
        "c_t": copied.score,
    }


def _of_answers(drawn: Clouds) -> dict[str, float]:
    """Return figures of what a classifier, a validator or a reader said."""
    truth, guesses = drawn.truth, drawn.guesses
    # Classes that weigh the same, objects as they are, and one resample of them.
    even = 1 / np.bincount(truth, minlength=_CLASSES)[truth]
    weights = np.stack([even, np.ones(len(truth)), drawn.counts])
    scores = weighted_scores(truth, guesses, weights, _CLASSES)
    areas = average_precisions(truth == 0, drawn.chances, weights)
    answers = Answers.of((truth == 0).tolist(), (guesses == 0).tolist())
    apart = d_prime(answers)
    return {
        "agreement": float(scores.recall[0].mean()),
        "macro_f1": float(scores.macro_f1[0]),
        "class_precision": float(scores.precision[1].mean()),
        "pr_auc": float(areas[2]),
        "d_prime": apart.value,
        "d_prime_low": apart.low,
    }


def _of_doubt(drawn: Clouds) -> dict[str, float]:
    """Return intervals, and p corrected for the number of questions."""
    right = int((drawn.truth == drawn.guesses).sum())
    share, seeds = wilson(right, len(drawn.truth)), pooled(drawn.runs)
    return {
        "wilson_low": share.low,
        "wilson_high": share.high,
        # One number in which no two p can change places unseen.
        "holm": float(holm(drawn.p) @ np.arange(1, len(drawn.p) + 1)),
        "two_level_low": seeds.low,
        "two_level_high": seeds.high,
    }


def planted_rows(data: Path, seeds: int) -> list[Row]:
    """Return how often each planted set is told for what it is.

    ``told``: its own word is among those said; ``told alone``: no other fault is.
    """
    if not (data / "pack_pbc128").is_dir():
        return [
            _planted_row(kind, metric, None)
            for kind in _FAULTS
            for metric in ("told", "told alone")
        ]
    told: Counter[tuple[Kind, str]] = Counter()
    tried: Counter[Kind] = Counter()
    vectors = real_vectors(data)
    for seed in range(seeds):
        for case in planted(vectors, seed):
            for kind, sets in case.sets.items():
                kinds = [finding.kind for finding in told_of(sets, case.code)]
                tried[kind] += 1
                told[kind, "told"] += kind in kinds
                told[kind, "told alone"] += kinds == [kind]
    return [
        _planted_row(kind, metric, (told[kind, metric], tried[kind]))
        for kind in tried
        for metric in ("told", "told alone")
    ]


_FAULTS = (Kind.GOOD, Kind.COPIES, Kind.OFF_CLASS, Kind.COLLAPSED)


def real_vectors(data: Path) -> dict[str, Vectors]:
    """Embed :data:`NEEDED` cells of each class of the pack that has so many."""
    pack = figure_cells(data, each=NEEDED)
    counts = Counter(pack.codes.tolist())
    embedder = load("embedders", EMBEDDER)()
    return {
        code: embedder.embed(pack.crops[pack.codes == code])
        for code, n in sorted(counts.items())
        if n >= NEEDED
    }


def _planted_row(kind: Kind, metric: str, hits: tuple[int, int] | None) -> Row:
    found = None if hits is None else wilson(*hits)
    return {
        "case": f"planted: {kind}",
        "dataset": "pbc",
        "embedder": EMBEDDER,
        "metric": metric,
        "unit": "not run" if found is None else "share",
        "value": None if found is None else found.value,
        "low": None if found is None else found.low,
        "high": None if found is None else found.high,
        "n": None if found is None else found.n,
    }
