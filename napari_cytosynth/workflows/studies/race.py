"""Diffusion over embeddings against diffusion over pixels, given the same wall time.

Each generator learns from the training cells and draws for so many seconds, the fit
included; heads then tell what the draws are worth on real test cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic

import numpy as np

from napari_cytosynth.core.protocols import Compute, Request, TrainingSet, Vectors
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.training import balanced
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.jury import REPEATS, Jury, with_gains
from napari_cytosynth.evidence.study import Floats, Key, Study, StudyRow, span
from napari_cytosynth.learning.training import SYNTHETIC_CAP, joined
from napari_cytosynth.workflows.drawn import closable, fit_source
from napari_cytosynth.workflows.studies.painting import LATENT, Painter, pictures_of
from napari_cytosynth.workflows.studies.plan import Material, Plan, Run

BASE, VECTORS = "class_weights", "embedding"

Made = dict[str, Vectors]
"""Vectors of each class."""


def run(given: Run) -> dict[Key, Floats]:
    """Let both generators draw for the same time, and score heads."""
    drawn, material, compute = given.drawn, given.material, given.compute
    jury = Jury(drawn, material.taxonomy)
    train = drawn.train
    alone = TrainingSet(train.vectors, train.codes, balanced(train.codes))
    found = jury.tried(BASE, "", alone)
    makers: dict[str, Callable[..., Made]] = {VECTORS: _vectors, LATENT: _pictures}
    for case, make in makers.items():
        begun = monotonic()
        made = make(drawn, material, compute, given.plan.seconds)
        took = monotonic() - begun
        codes = [code for code, vectors in made.items() for _ in vectors]
        vectors = np.concatenate([train.vectors[:0], *made.values()])
        found |= jury.tried(case, "", joined(alone, vectors, codes))
        found[case, "", "made", ""] = np.full(REPEATS + 1, float(len(codes)))
        found[case, "", "took", ""] = np.full(REPEATS + 1, took)
    return with_gains(found, BASE)


def _vectors(drawn: Deal, material: Material, compute: Compute, seconds: float) -> Made:
    end = monotonic() + seconds
    source = run_to_end(
        fit_source(drawn.train, material.taxonomy, compute, seed=drawn.seed)
    )

    def draws(code: str, count: int) -> Iterator[Vectors]:
        request = Request(code, count, drawn.seed, material.taxonomy)
        for batch in closable(compute, VECTORS, request, source.weights):
            if len(batch):
                yield np.stack([item.vector for item in batch.items])  # type: ignore[union-attr]

    return _until(end, drawn, draws)


def _pictures(
    drawn: Deal, material: Material, compute: Compute, seconds: float
) -> Made:
    """Paint in turn; embedding the pictures is part of the time."""
    end = monotonic() + seconds
    painter = Painter(drawn.train, material.taxonomy, compute, drawn.seed)

    def draws(code: str, count: int) -> Iterator[Vectors]:
        for cell in painter.draws(code, count, drawn.seed):
            crops = pictures_of([cell])
            yield run_to_end(compute.embed(material.embedder, crops))

    return _until(end, drawn, draws)


def _until(
    end: float, drawn: Deal, draws: Callable[[str, int], Iterator[Vectors]]
) -> Made:
    """Give each rare class its share of the time, up to ten for each real cell."""
    made: Made = {}
    for left, code in zip(range(len(drawn.rare), 0, -1), drawn.rare, strict=True):
        stop = monotonic() + (end - monotonic()) / left
        parts: list[Vectors] = []
        for part in draws(code, SYNTHETIC_CAP * drawn.train.count(code)):
            parts.append(part)
            if monotonic() > stop:
                break
        made[code] = np.concatenate([drawn.train.vectors[:0], *parts])
    return made


def told(study: Study) -> tuple[str, ...]:
    """Say which of the two was the better use of the time."""
    lines = []
    for case in (VECTORS, LATENT):
        gain, made = study.find(case, "macro_f1_gain"), study.find(case, "made")
        took = study.find(case, "took")
        lines.append(
            f"{case}: {made.value:.0f} draws in {took.value:.0f} s of the "
            f"{study.plan['seconds']:g} s given, {span(gain, '+')} macro-F1 against "
            "class weights"
        )
    return tuple(lines)


def left_out(plan: Plan, rows: Sequence[StudyRow]) -> tuple[str, ...]:
    """Return what a run does not do, and why."""
    del plan, rows
    return ("the gate: both generators are compared on their first draws",)
