"""What painted cells are like, before any critic and after the gate.

``latent`` with its shipped weights; ``lora`` on a tiny base of random weights, which
cannot paint a cell: its rows prove that the same road is gone, and how it ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.bench.copies import (
    copies_of_cells,
    copies_of_training,
    looks_of_training,
)
from napari_cytosynth.bench.drawing import AFTER, BEFORE, fidelity, recognised
from napari_cytosynth.bench.rare_trial import EACH, REPEATS, Floats, Trial
from napari_cytosynth.bench.texture import area, texture_scores
from napari_cytosynth.core.protocols import (
    CellGenerator,
    Crops,
    LabelledCells,
    Reference,
    Request,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import Progress, Task, run_to_end
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.training import joined
from napari_cytosynth.learning.use_gate import UseAnswer, ask_use_gate
from napari_cytosynth.synthesis.gate import (
    CRITICS_EMBEDDER,
    DRAWS_PER_SLOT,
    OTHER_EMBEDDER,
    Gate,
    GatePlan,
    rehearsed,
)

SHOTS_PEER, TRAINING_PEER = "shots", "cells that trained the weights"
LOOKS_PEER = "embeddings of the cells that trained the weights"

TINY = "lora, tiny base of random weights"
"""Case of the rows of ``lora``."""

TINY_STEPS, TINY_DRAW_STEPS = 100, 4
"""Steps of training and of a draw of the tiny ``lora``."""

Rows = dict[tuple[str, str, str, str], Floats]
"""(metric, peer, class, size) to float64[REPEATS + 1]."""


@dataclass(frozen=True)
class Brush:
    """A generator of pictures, and how it is asked.

    Parameters
    ----------
    generator : CellGenerator
        Paints.
    each : int
        Cells of a class that are wanted.
    learning, drawing : mapping
        Options of its fit, and of its draws.
    """

    generator: CellGenerator
    each: int = EACH
    learning: Mapping[str, Any] = field(default_factory=dict)
    drawing: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Painted:
    """Cells of one class.

    Parameters
    ----------
    first, passed : uint8[n, 96, 96, 3]
        The first draws, and those that the gate passed among all.
    drawn : int
        Draws in all.
    """

    first: Crops
    passed: Crops
    drawn: int


@dataclass(frozen=True)
class Measured:
    """Figures of painted cells, and what the use gate says of those that passed."""

    rows: Rows
    answer: UseAnswer | None


def measure_painted(trial: Trial, brush: Brush, codes: Sequence[str]) -> Measured:
    """Paint cells of some classes from their shots, and measure.

    Parameters
    ----------
    trial : Trial
        Gives the shots, and the real cells that judge.
    brush : Brush
        Paints.
    codes : sequence of str
        Rare classes of the trial.
    """
    gate = _gate(trial)
    painted = {code: _paint(trial, brush, gate, code) for code in codes}
    embed = load("embedders", trial.cells.embedder)().embed
    first = {code: embed(p.first) for code, p in painted.items()}
    passed = {code: embed(p.passed) for code, p in painted.items()}
    rows: Rows = {}
    for size, drawn in ((BEFORE, first), (AFTER, passed)):
        for (metric, _), values in fidelity(trial, drawn, size).items():
            rows[metric, "", "", size] = values
    kept = {code: vectors for code, vectors in passed.items() if len(vectors)}
    for name, drawn in (("first_pass", first), ("gated", kept)):
        if drawn:
            told = recognised(trial, drawn, name)
            rows |= {(metric, "", "", ""): v for (metric, _), v in told.items()}
    rows |= _accepted(trial, painted)
    crops = np.concatenate([p.first for p in painted.values()])
    rows |= copied_pictures(
        trial, crops, np.concatenate(list(first.values())), brush.generator.key
    )
    rows["texture_auc", "", "", ""] = _told_apart(trial, crops, tuple(codes))
    more, answer = _gained(trial, kept)
    return Measured(rows | more, answer)


def _gate(trial: Trial) -> Gate:
    """Return the standard gate of a fill, fitted on the training cells."""
    own = trial.cells.embedder == CRITICS_EMBEDDER
    plan = GatePlan(OTHER_EMBEDDER if own else CRITICS_EMBEDDER, seed=trial.seed)
    embed = load("embedders", plan.embedder)().embed
    vectors = embed(trial.train.crops)
    return rehearsed(Reference(trial.train, vectors, embed, trial.seed), plan)


def _paint(trial: Trial, brush: Brush, gate: Gate, code: str) -> Painted:
    """Draw until enough passed, or the budget of a fill is spent."""
    taxonomy = trial.cells.taxonomy
    concepts = {c.code: c.concept for c in taxonomy}
    config = {"seed": trial.seed, "concepts": concepts, "only": code, **brush.learning}
    weights = run_to_end(brush.generator.fit(trial.train, config))
    budget = brush.each * DRAWS_PER_SLOT
    request = Request(code, budget, trial.seed, taxonomy, 0, brush.drawing)
    first: list[SyntheticCell] = []
    passed: list[SyntheticCell] = []
    drawn = 0
    gate.forget()
    for batch in brush.generator.generate(request, weights, np.random.default_rng(0)):
        judged = [i for i in gate.judge(batch) if isinstance(i, SyntheticCell)]
        more = [item for item in judged if item.passed][: brush.each - len(passed)]
        gate.remember(more)
        first += judged[: brush.each - len(first)]
        passed += more
        drawn += len(judged)
        if len(passed) == brush.each:
            break
    return Painted(_crops(first), _crops(passed), drawn)


def _crops(cells: Sequence[SyntheticCell]) -> Crops:
    none = np.zeros((0, 96, 96, 3), np.uint8)
    return np.stack([cell.pixels for cell in cells]) if cells else none


def _accepted(trial: Trial, painted: Mapping[str, Painted]) -> Rows:
    """Return the share of the draws that passed: of all, and of each class."""
    counts = {code: (len(p.passed), p.drawn) for code, p in painted.items()}
    counts[""] = tuple(np.sum(list(counts.values()), axis=0))
    found = {}
    for code, (hits, drawn) in counts.items():
        flags = np.arange(drawn) < hits
        found["acceptance", "", code, ""] = trial.share(flags)
    return found


def copied_pictures(trial: Trial, crops: Crops, vectors: Vectors, key: str) -> Rows:
    """Return shares of copies by the picture rules, against shots and training cells.

    Parameters
    ----------
    crops, vectors : uint8[n, 96, 96, 3], float32[n, dim]
        Cells, and their embeddings.
    key : str
        Generator; only the training cells of ``latent`` are known.
    """
    found = {SHOTS_PEER: copies_of_cells(crops, trial.train.crops)}
    if key == "latent":
        found[TRAINING_PEER] = copies_of_training(crops)
    if TRAINING_PEER in found and trial.cells.embedder == "starter":
        looks = looks_of_training(vectors)
        found |= {} if looks is None else {LOOKS_PEER: looks}
    return {("copy_rate", peer, "", ""): trial.share(f) for peer, f in found.items()}


def real_pictures(trial: Trial, codes: tuple[str, ...]) -> Crops:
    """Return pictures of real held-out cells, as many as are drawn of each class."""
    held = trial.held
    own = [held[trial.cells.pack.codes[held] == code][:EACH] for code in codes]
    found: Crops = trial.cells.pack.crops[np.concatenate(own)]
    return found


def _told_apart(trial: Trial, crops: Crops, codes: tuple[str, ...]) -> Floats:
    """Return how well texture tells painted from real cells, both resampled."""
    real = real_pictures(trial, codes)
    scores = texture_scores(real, crops)
    low, high = scores[: len(real)], scores[len(real) :]
    rng = np.random.default_rng(trial.seed)
    drawn = [
        area(rng.choice(low, len(low)), rng.choice(high, len(high)))
        for _ in range(REPEATS)
    ]
    return np.array([area(low, high), *drawn])


def _gained(
    trial: Trial, passed: Mapping[str, Vectors]
) -> tuple[Rows, UseAnswer | None]:
    """Train with what passed, and ask the use gate about it."""
    if not passed:
        return {}, None
    codes = tuple(code for code, v in passed.items() for _ in v)
    vectors = np.concatenate(list(passed.values()))
    train = trial.train
    alone = TrainingSet(train.vectors, train.codes, np.ones(len(train)))
    gain = trial.head_scores(joined(alone, vectors, codes)) - trial.baseline
    rows: Rows = {
        ("macro_f1_gain", "class_weights", "", ""): gain[0],
        ("rare_recall_gain", "class_weights", "", ""): gain[1:].mean(axis=0),
    }
    for code, values in zip(trial.rare, gain[1:], strict=True):
        rows["rare_recall_gain", "class_weights", code, ""] = values
    offer = _Offer(TrainingSet(vectors, codes, np.ones(len(codes))))
    return rows, run_to_end(ask_use_gate(train, offer, fit_head, seed=trial.seed))


@dataclass(frozen=True)
class _Offer:
    """Accepted cells, which join each half as they are: nothing was tuned to any."""

    made: TrainingSet

    def __call__(self, cells: LabelledCells, seed: int) -> Task[TrainingSet]:
        del cells, seed
        yield Progress(0, 1, "joining accepted cells")
        return self.made


def tiny_lora(folder: Path) -> Brush:
    """Return ``lora`` on a tiny base of random weights, made in a folder."""
    from napari_cytosynth.synthesis._torch.stable_random import StableSize, random_base
    from napari_cytosynth.synthesis.lora import LoraGenerator

    base = random_base(folder / "base", StableSize(64, (32, 64), (16, 32, 32), 8))
    generator = LoraGenerator(str(base), folder / "scratch")
    steps = {"train_steps": TINY_STEPS}
    return Brush(generator, EACH, steps, {"steps": TINY_DRAW_STEPS})


def measure_tiny_lora(trial: Trial, codes: Sequence[str]) -> Measured:
    """Measure ``lora`` on a tiny base."""
    with tempfile.TemporaryDirectory() as folder:
        return measure_painted(trial, tiny_lora(Path(folder)), codes)
