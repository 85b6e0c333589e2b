"""What generated vectors and cells are worth: novel, true to the class, and of use.

Each row is a generator, or a control as its peer, on cells of real smears. Rare classes
are cut down to a few shots; all other real cells judge (see
:mod:`napari_cytosynth.bench.rare_trial`). What was not run is listed as not run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.drawing import (
    asked,
    measure_embedding,
    peers_of,
)
from napari_cytosynth.bench.few_shots import interval
from napari_cytosynth.bench.pack import Pack, figure_cells, figure_files
from napari_cytosynth.bench.painted import (
    TINY,
    Brush,
    Measured,
    copied_pictures,
    measure_painted,
    measure_tiny_lora,
    real_pictures,
)
from napari_cytosynth.bench.rare_trial import REPEATS, EmbeddedSet, Trial
from napari_cytosynth.bench.stains import other_stains
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.use_gate import REPEATS as HALVINGS
from napari_cytosynth.learning.use_gate import UseAnswer
from napari_cytosynth.metrics.intervals import wilson

SHOTS = (5, 10, 20)
SUBJECT, BASE = "starter", "morphology"
GATE_SEEDS = 3
"""Seeds for which the use gate is asked: each takes ten fits and fifty heads."""

BASE_SEEDS = 3
"""Seeds at most with the embedder that has no shipped weights."""

LATENT = (3, 5, 3)
"""Seeds, shots and classes of ``latent``."""

_EACH, _EACH_QUICK = 100, 60
_COARSE = "blood5"
_SETS = ("pack_pbc128", "bccd", "wbc_dataset1")

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
Key = tuple[str, str, str, str, str]
"""Case, peer, metric, class and size of a row."""

Pooled = dict[tuple[str, int, Key], list[Floats]]
"""Embedder, shots and row to the values of each set."""

_GAIN: Key = ("embedding", "class_weights", "macro_f1_gain", "", "")
_DECIDED = "as the use gate decides"


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Measure the generators and their controls.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    seeds : int
        Draws of the training cells; figures of the notes take ten.
    quick : bool
        The pack with ``starter`` at five shots alone, two seeds, without use gate.

    Returns
    -------
    list of dict
        Rows with 95 % intervals by a two-level bootstrap: seeds, then judging cells.
    """
    sets = _sets(data, quick=quick)
    seeds = min(seeds, 2) if quick else seeds
    rows: list[Row] = []
    pooled: Pooled = {}
    gains: dict[tuple[str, int], Floats] = {}
    for cells in sets:
        for shots in SHOTS[:1] if quick else SHOTS:
            if len(cells.judged(shots)) < 2:
                rows.append(_not_run(cells.dataset, "embedding", shots))
                continue
            few = min(seeds, BASE_SEEDS) if cells.embedder == BASE else seeds
            found = _measured(cells, shots, few)
            rows += [_row(cells, shots, key, v) for key, v in found.items()]
            if cells.embedder == SUBJECT:
                gains[cells.dataset, shots] = found[_GAIN]
            for key, values in found.items():
                if key[2].endswith("_gain") and not key[3]:
                    pooled.setdefault((cells.embedder, shots, key), []).append(values)
    rows += [_pooled_row(*about, values) for about, values in pooled.items()]
    if quick:
        return rows + _left_out()
    return [
        *rows,
        *_gates(sets, seeds, gains),
        *_known_truth(sets, seeds),
        *_painted(sets),
    ]


def _sets(data: Path, *, quick: bool) -> list[EmbeddedSet]:
    """Embed each set once by each embedder."""
    each = _EACH_QUICK if quick else _EACH
    packs = {_SETS[0]: figure_cells(data, each=each)}
    source = {_SETS[0]: Counter(code for _, code in figure_files(data))}
    if not quick:
        others = other_stains(data)
        packs |= {name: _named(others[name]) for name in _SETS[1:] if name in others}
    made = []
    for name in (SUBJECT,) if quick else (SUBJECT, BASE):
        embed = load("embedders", name)().embed
        for dataset, pack in packs.items():
            counts = source.get(dataset) or Counter(pack.codes.tolist())
            vectors = embed(pack.crops)
            taxonomy = built_in("pbc11" if dataset == _SETS[0] else _COARSE)
            known = EmbeddedSet(dataset, name, pack, vectors, counts, taxonomy)
            made.append(known)
    return made


def _named(pack: Pack) -> Pack:
    """Return the cells under the codes of the coarse taxonomy."""
    taxonomy = built_in(_COARSE)
    codes = [taxonomy.find(code).code for code in pack.codes.tolist()]
    return Pack(pack.crops, np.array(codes))


def _measured(cells: EmbeddedSet, shots: int, seeds: int) -> dict[Key, Floats]:
    """Return float64[seeds, REPEATS + 1] for each row of a set and number of shots."""
    found: dict[Key, list[Floats]] = {}
    for seed in range(seeds):
        trial = Trial(cells, shots, seed)
        for key, values in _of_trial(trial).items():
            found.setdefault(key, []).append(values)
    return {key: np.stack(values) for key, values in found.items()}


def _of_trial(trial: Trial) -> dict[Key, Floats]:
    found: dict[Key, Floats] = {}
    real = trial.held_as_drawn(trial.rare)
    found["real cells", "", "copy_rate", "", ""] = trial.copied(real)
    found["class_weights", "", "macro_f1", "", ""] = trial.baseline[0]
    scores = {"class_weights": trial.baseline}
    for name, peer in peers_of(trial).items():
        scores[name] = trial.head_scores(peer.training)
        if peer.drawn:
            found[name, "", "copy_rate", "", ""] = trial.copied(peer.drawn)
            filled = trial.filled(peer.drawn)
            for metric, values in zip(_FILLED, filled, strict=True):
                found[name, "", metric, "", ""] = values
    made = measure_embedding(trial)
    scores["embedding"] = trial.head_scores(made.training)
    for (metric, size), values in made.rows.items():
        found["embedding", "", metric, "", size] = values
    for other in scores:
        if other != "embedding":
            found |= _gains(trial, scores, "embedding", other)
            found |= _gains(trial, scores, other, "class_weights")
    return found


_FILLED = ("coverage_ratio", "density_ratio")


def _gains(
    trial: Trial, scores: dict[str, Floats], case: str, peer: str
) -> dict[Key, Floats]:
    """Return what a case gains over a peer: macro-F1, recall of rare classes."""
    if case == peer:
        return {}
    gain = scores[case] - scores[peer]
    found: dict[Key, Floats] = {
        (case, peer, "macro_f1_gain", "", ""): gain[0],
        (case, peer, "rare_recall_gain", "", ""): gain[1:].mean(axis=0),
    }
    for code, values in zip(trial.rare, gain[1:], strict=True):
        found[case, peer, "rare_recall_gain", code, ""] = values
    return found


def _gates(
    sets: Sequence[EmbeddedSet], seeds: int, gains: Mapping[tuple[str, int], Floats]
) -> Iterator[Row]:
    """Yield how often the use gate opens, and what is gained where it decides."""
    few = min(seeds, GATE_SEEDS)
    pooled: Pooled = {}
    for cells in sets:
        if cells.embedder != SUBJECT:
            yield _not_run(cells.dataset, "embedding", None, "gate_open_rate", BASE)
            continue
        for shots in SHOTS:
            if len(cells.judged(shots)) > 1:
                trials = [Trial(cells, shots, seed) for seed in range(few)]
                answers = [asked(trial, "embedding") for trial in trials]
                yield from _gate_rows(cells, shots, "embedding", answers)
                values = decided(gains[cells.dataset, shots], answers)
                key = (*_GAIN[:4], _DECIDED)
                yield _row(cells, shots, key, values)
                pooled.setdefault((SUBJECT, shots, key), []).append(values)
    yield from (_pooled_row(*about, values) for about, values in pooled.items())


def decided(gains: Floats, answers: Sequence[UseAnswer]) -> Floats:
    """Return the gains of so many draws; none where the gate stayed shut.

    Parameters
    ----------
    gains : float64[seeds, REPEATS + 1]
        What synthetic cells bring or take; of as many seeds as answers, or more.
    """
    opened = np.array([[answer.opened] for answer in answers], np.float64)
    return gains[: len(answers)] * opened


def _known_truth(sets: Sequence[EmbeddedSet], seeds: int) -> Iterator[Row]:
    """Yield what the use gate does where the truth is known.

    With vectors that leave more to learn: on those of the shipped weights ten times
    as many real cells hardly raise macro-F1 at 20 shots.
    """
    few = min(seeds, GATE_SEEDS)
    cells, shots = next(c for c in sets if c.embedder == BASE), SHOTS[-1]
    answers = [asked(Trial(cells, shots, seed), "planted") for seed in range(few)]
    yield from _gate_rows(cells, shots, "planted benefit", answers)
    for case in ("embedding", "gaussian"):
        trials = [Trial(cells, shots, seed, shuffled=True) for seed in range(few)]
        answers = [asked(trial, case) for trial in trials]
        yield from _gate_rows(cells, shots, f"{case}, shuffled labels", answers)


def _painted(sets: Sequence[EmbeddedSet]) -> Iterator[Row]:
    """Yield what painted cells are like, embedded as any cell is."""
    seeds, shots, classes = LATENT
    cells = sets[0]
    for case, few in (("latent", seeds), (TINY, 1)):
        found: dict[Key, list[Floats]] = {}
        answers = []
        for seed in range(few):
            trial = Trial(cells, shots, seed)
            made = measured_painted(trial, case, trial.rare[:classes])
            told = {(case, *key): values for key, values in made.rows.items()}
            if case == "latent":
                told |= _real_pictures(trial, trial.rare[:classes])
            for (name, metric, peer, code, size), values in told.items():
                key = (name, peer, metric, code, size)
                found.setdefault(key, []).append(values)
            answers += [made.answer] if made.answer else []
        yield from (_row(cells, shots, k, np.stack(v)) for k, v in found.items())
        if not answers:
            yield _not_run(cells.dataset, case, shots, "gate_open_rate")
            continue
        yield from _gate_rows(cells, shots, case, answers)
        gain = np.stack(found[case, *_GAIN[1:]])
        yield _row(cells, shots, (case, *_GAIN[1:4], _DECIDED), decided(gain, answers))


def measured_painted(trial: Trial, case: str, codes: tuple[str, ...]) -> Measured:
    """Paint by ``latent``, or by ``lora`` on a tiny base, and measure."""
    if case == "latent":
        return measure_painted(trial, Brush(load("generators", case)()), codes)
    return measure_tiny_lora(trial, codes)


def _real_pictures(
    trial: Trial, codes: tuple[str, ...]
) -> dict[tuple[str, str, str, str, str], Floats]:
    """Return the copies among as many real held-out cells."""
    vectors = np.concatenate(list(trial.held_as_drawn(codes).values()))
    rows = copied_pictures(trial, real_pictures(trial, codes), vectors, "latent")
    return {("real cells", *key): values for key, values in rows.items()}


def _left_out() -> list[Row]:
    """Return what a quick run does not measure."""
    rows = [_not_run(name, "embedding", None) for name in _SETS[1:]]
    rows += [_not_run(_SETS[0], "embedding", shots) for shots in SHOTS[1:]]
    rows.append(_not_run(_SETS[0], "embedding", None, "gate_open_rate"))
    return rows + [_not_run(_SETS[0], case, None) for case in ("latent", "lora")]


def _row(cells: EmbeddedSet, shots: int, key: Key, values: Floats) -> Row:
    case, peer, metric, code, size = key
    value, low, high = interval(values)
    return {
        "case": case,
        "peer": peer or None,
        "dataset": cells.dataset,
        "embedder": cells.embedder,
        "class": code or None,
        "shots": shots,
        "size": size or None,
        "metric": metric,
        "unit": "1",
        "value": value,
        "low": low,
        "high": high,
        "n": len(values),
    }


def _pooled_row(embedder: str, shots: int, key: Key, values: list[Floats]) -> Row:
    """Return the mean over the sets, which count alike."""
    case, peer, metric, _, about = key
    value, low, high = interval(np.mean(values, axis=0))
    sets = f"{len(values)} sets"
    return {
        "case": case,
        "peer": peer,
        "dataset": "all",
        "embedder": embedder,
        "shots": shots,
        "size": f"{about}, {sets}" if about else sets,
        "metric": metric,
        "unit": "1",
        "value": value,
        "low": low,
        "high": high,
        "n": len(values[0]),
    }


def _gate_rows(
    cells: EmbeddedSet, shots: int, case: str, answers: Sequence[UseAnswer]
) -> Iterator[Row]:
    """Yield how often the gate opened, and the gains that it saw.

    Its rate has a Wilson interval over the draws, its gain one by a two-level
    bootstrap: draws, then halves.
    """
    rate = wilson(sum(answer.opened for answer in answers), len(answers))
    halves = 2 * HALVINGS
    drawn = np.random.default_rng(0).integers(halves, size=(REPEATS, halves))
    gains = [np.array(answer.differences or [0.0] * halves) for answer in answers]
    values = np.stack([np.append(g.mean(), g[drawn].mean(axis=1)) for g in gains])
    for metric, (value, low, high) in (
        ("gate_open_rate", (rate.value, rate.low, rate.high)),
        ("gate_gain", interval(values)),
    ):
        row = _not_run(cells.dataset, case, shots, metric, cells.embedder)
        told = {"unit": "1", "value": value, "low": low, "high": high}
        yield row | told | {"n": len(answers)}


def _not_run(
    dataset: str,
    case: str,
    shots: int | None,
    metric: str | None = None,
    embedder: str | None = None,
) -> Row:
    return {
        "case": case,
        "dataset": dataset,
        "embedder": embedder,
        "shots": shots,
        "metric": metric,
        "unit": "not run",
    }
