"""Draws vectors and cells for the trials of ``bench synthesis``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_cytosynth.bench.rare_trial import EACH, Drawn, Floats, Trial, Validator
from napari_cytosynth.core.protocols import (
    Control,
    LabelledCells,
    Request,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.tasks import Progress, Task, run_to_end
from napari_cytosynth.core.training import balanced, lacking
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.training import SYNTHETIC_CAP, joined
from napari_cytosynth.learning.use_gate import UseAnswer, ask_use_gate
from napari_cytosynth.worker.inline import InlineCompute
from napari_cytosynth.workflows.drawn import Source, fit_source

VALIDATORS = {"first_pass": "analysis", "gated": "kernel"}
"""Model of the validator before the gate, and of the one that no loop has seen."""

BEFORE, AFTER = "before the gate", "after the gate"


@dataclass(frozen=True)
class Made:
    """What one generator or control made of the training cells of a trial.

    Parameters
    ----------
    training : TrainingSet
        What a head is fitted on.
    drawn : mapping of code to float32[n, dim]
        What it added to the rare classes; empty where it adds nothing.
    rows : mapping of (metric, size) to float64[REPEATS + 1]
        Figures.
    """

    training: TrainingSet
    drawn: Drawn = field(default_factory=dict)
    rows: Mapping[tuple[str, str], Floats] = field(default_factory=dict)


def peers_of(trial: Trial) -> dict[str, Made]:
    """Return what each control, save class weights, makes of the training cells."""
    found = {}
    for name in names("controls"):
        if name == "class_weights":
            continue
        control: Control = load("controls", name)()
        if hasattr(control, "embed"):
            control.embed = load("embedders", trial.cells.embedder)().embed
        made = control.enrich(trial.train, np.random.default_rng(trial.seed))
        added, own = made.vectors[len(trial.train) :], made.codes[len(trial.train) :]
        drawn = {c: added[[k == c for k in own]][:EACH] for c in trial.rare}
        found[name] = Made(made, {c: v for c, v in drawn.items() if len(v) > EACH // 2})
    return found


def measure_embedding(trial: Trial) -> Made:
    """Fit the ``embedding`` generator on the training cells, draw, and measure."""
    source = _source(trial, trial.train, trial.seed)
    count = {code: len(v) for code, v in trial.held_as_drawn(trial.classes).items()}
    raw = {code: _raw(source, code, EACH, trial.seed) for code in trial.classes}
    gated = run_to_end(source.draw(count, trial.seed))
    passed = _by_class(gated.codes, gated.vectors(trial.train.vectors.shape[1]))
    rows = fidelity(trial, {c: raw[c] for c in trial.rare}, BEFORE)
    none = trial.train.vectors[:0]
    rows |= fidelity(trial, {c: passed.get(c, none) for c in trial.rare}, AFTER)
    first = {code: raw[code][:n] for code, n in count.items()}
    rows |= recognised(trial, first, "first_pass")
    rows |= recognised(trial, passed, "gated")
    drawn = sum(tally.drawn for tally in gated.tallies.values())
    rows["acceptance", ""] = np.full_like(trial.baseline[0], len(gated.codes) / drawn)
    wanted = lacking(trial.train.codes, SYNTHETIC_CAP)
    added = run_to_end(source.draw(wanted, trial.seed))
    train = trial.train
    alone = TrainingSet(train.vectors, train.codes, np.ones(len(train)))
    vectors = added.vectors(train.vectors.shape[1])
    return Made(joined(alone, vectors, added.codes), raw, rows)


def fidelity(trial: Trial, drawn: Drawn, size: str) -> dict[tuple[str, str], Floats]:
    """Return how far draws fill the region of the real cells, and copy.

    Parameters
    ----------
    drawn : mapping of code to float32[n, dim]
        Classes of which nothing was drawn stand in it, too.
    size : str
        :data:`BEFORE` or :data:`AFTER`.
    """
    covered, dense = trial.filled(drawn)
    found = {("coverage_ratio", size): covered}
    if any(map(len, drawn.values())):
        found["copy_rate", size] = trial.copied(drawn)
        found["density_ratio", size] = dense
    return found


def recognised(trial: Trial, drawn: Drawn, name: str) -> dict[tuple[str, str], Floats]:
    """Return macro-F1 on draws, and over that on as many real held-out cells.

    Parameters
    ----------
    drawn : mapping of code to float32[n, dim]
        Some of each class.
    name : str
        ``"first_pass"`` or ``"gated"``: it begins the metrics, and says who validates.
    """
    guess = Validator(trial, VALIDATORS[name])
    real = {c: v[: len(drawn[c])] for c, v in _held(trial).items() if c in drawn}
    found = trial.recognised(drawn, guess)
    ratio = found / trial.recognised(real, guess)
    return {(f"{name}_f1", ""): found, (f"{name}_ratio", ""): ratio}


def _held(trial: Trial) -> dict[str, Vectors]:
    return trial.held_as_drawn(trial.classes)


def asked(trial: Trial, case: str) -> UseAnswer:
    """Ask the use gate of the training cells of a trial.

    Parameters
    ----------
    case : str
        ``"embedding"``; ``"planted"``, real cells that nobody trained on standing for
        those of a perfect generator; or a control.
    """
    makers: dict[str, Callable[[LabelledCells, int], Task[TrainingSet]]] = {
        "embedding": _ByEmbedding(trial),
        "planted": _Planted(trial),
    }
    make = makers.get(case, _ByControl(case))
    return run_to_end(ask_use_gate(trial.train, make, fit_head, seed=trial.seed))


@dataclass(frozen=True)
class _ByEmbedding:
    trial: Trial

    def __call__(self, cells: LabelledCells, seed: int) -> Task[TrainingSet]:
        yield Progress(0, 1, "drawing")
        source = _source(self.trial, cells, seed)
        drawn = run_to_end(source.draw(lacking(cells.codes, SYNTHETIC_CAP), seed))
        vectors = drawn.vectors(cells.vectors.shape[1])
        return TrainingSet(vectors, drawn.codes, np.ones(len(drawn.codes)))


@dataclass(frozen=True)
class _Planted:
    trial: Trial

    def __call__(self, cells: LabelledCells, seed: int) -> Task[TrainingSet]:
        yield Progress(0, 1, "drawing")
        del cells, seed
        trial = self.trial
        rows = np.concatenate([trial.reference, trial.held])
        codes = trial.cells.pack.codes[rows]
        return TrainingSet(
            trial.cells.vectors[rows], tuple(codes.tolist()), balanced(codes.tolist())
        )


@dataclass(frozen=True)
class _ByControl:
    name: str

    def __call__(self, cells: LabelledCells, seed: int) -> Task[TrainingSet]:
        yield Progress(0, 1, "drawing")
        control: Control = load("controls", self.name)()
        made = control.enrich(cells, np.random.default_rng(seed))
        n = len(cells)
        return TrainingSet(made.vectors[n:], made.codes[n:], made.weights[n:])


def _source(trial: Trial, cells: LabelledCells, seed: int) -> Source:
    taxonomy = trial.cells.taxonomy
    return run_to_end(fit_source(cells, taxonomy, InlineCompute(), seed=seed))


def _raw(source: Source, code: str, count: int, seed: int) -> Vectors:
    """Draw vectors that no critic has seen."""
    request = Request(code, count, seed, source.taxonomy)
    batches = source.compute.generate(source.generator, request, source.weights)
    items: list[Any] = [item for batch in batches for item in batch.items]
    return np.stack([item.vector for item in items])


def _by_class(codes: Sequence[str], vectors: Vectors) -> dict[str, Vectors]:
    own = np.array(codes, dtype=str)
    return {str(code): vectors[own == code] for code in np.unique(own)}
