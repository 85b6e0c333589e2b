"""How many labels each strategy needs: ours beside those of two libraries.

A simulated annotator labels ten cells at random, then batches of ten that a strategy
chose. All strategies have the same start, head, split and embeddings. The best rival is
chosen on some seeds and compared on others, so that its luck does not count.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.annotators import Codes, ours
from napari_cytosynth.bench.course import METRICS, Course, Entrant, Figures, Name
from napari_cytosynth.bench.pack import Pack, embedded, whole_pack
from napari_cytosynth.bench.rivals import rivals
from napari_cytosynth.bench.stains import other_stains, with_enough
from napari_cytosynth.core.protocols import TrainingSet
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.ranking import to_pool_shares
from napari_cytosynth.metrics.calibration import (
    calibration_error,
    error_of_calibrated,
    log_loss_ratio,
)

EMBEDDERS = ("starter", "morphology")
OURS, SUBJECT, YARDSTICK = "ours", "balanced", "random"

BUDGET = 1000
CHOSEN_ON = 5
"""Seeds on which the best rival is chosen."""

CALIBRATION = ("calibration_error", "calibration_error if calibrated", "log_loss_ratio")
CALIBRATED_ON = 200
"""Labels after which probabilities are tried on cells that chance held out."""

FIRST_SEED = 20
"""Smaller ones were used while the strategies were made."""

_NOISE = 0.1
_QUICK_BUDGET = 200
_AT_LEAST = 20
_DRAWS = 2000

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]


def run(
    data: Path, *, seeds: int = 3, quick: bool = False, keep: Path | None = None
) -> list[Row]:
    """Measure labelling curves.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    seeds : int
        Seeds of the comparison; the best rival is chosen on five others, or as many.
    quick : bool
        A quarter of the cells, 200 labels, ``starter`` only.
    keep : Path, optional
        Folder for finished games and for vectors: a run that was cut short goes on.

    Returns
    -------
    list of dict
        Labels to 95 % of the full pool's macro-F1, and the mean macro-F1 over 20 to
        1,000 labels; ours against the best rival; what was not run.
    """
    rows: list[Row] = []
    for dataset, pack in _pools(data, quick):
        for embedder in EMBEDDERS[:1] if quick else EMBEDDERS:
            vectors = embedded(embedder, dataset, pack, keep)
            course = Course(
                {"dataset": dataset, "embedder": embedder},
                vectors,
                pack.codes,
                taxonomy_of(pack.codes),
                _QUICK_BUDGET if quick else BUDGET,
                keep,
            )
            rows += _measured(course, seeds, quick)
    return rows


def _pools(data: Path, quick: bool) -> Iterator[tuple[str, Pack]]:
    yield "pack_pbc128", whole_pack(data, quick)
    if not quick and (bccd := other_stains(data).get("bccd")) is not None:
        yield "bccd", with_enough(bccd, _AT_LEAST)


def taxonomy_of(codes: Codes) -> Taxonomy:
    """Return ``pbc11`` where it knows all codes, else a plain taxonomy of them."""
    known = built_in("pbc11")
    kinds = np.unique(codes).tolist()
    if set(kinds) <= set(known.codes):
        return known
    keys = "123456789abcdefghijklmnopqrstuvwxyz"
    plain = [
        CellClass(code.lower(), code, code, "", key, "#888888")
        for code, key in zip(kinds, keys, strict=False)
    ]
    return Taxonomy("plain", tuple(plain))


def _measured(course: Course, seeds: int, quick: bool) -> Iterator[Row]:
    """Choose the best rival on seeds of its own, then compare on the others."""
    compared = range(FIRST_SEED, FIRST_SEED + seeds)
    found = [Entrant(name, picker) for name, picker in rivals().items()]
    kept = [e for e in found if not quick or e.name[1] == "margin"]
    best = yield from _chosen(course, kept, compared.stop, 1 if quick else CHOSEN_ON)
    players = [
        Entrant((OURS, name), ours(load("strategies", name)()))
        for name in (SUBJECT, YARDSTICK)
    ]
    players += [best] if best is not None else []
    played = {e.name: course.figures(e, compared) for e in players}
    for name, figures in played.items():
        yield from _rows(course, name, figures)
        if name != (OURS, SUBJECT):
            yield from _against(course, name, played[OURS, SUBJECT], figures)
    yield from _calibrated(course, players[0], compared)
    for entrant in () if quick else players:
        figures = course.figures(replace(entrant, noise=_NOISE), compared)
        told = f"{_NOISE:.0%} of labels wrong: "
        yield from _rows(course, entrant.name, figures, told)


def _chosen(
    course: Course, kept: Sequence[Entrant], first: int, number: int
) -> Generator[Row, None, Entrant | None]:
    """Yield what each rival needs, and return the one that needs the fewest labels.

    Their games end when that is known.
    """
    tried: dict[Name, list[int]] = {entrant.name: [] for entrant in kept}
    for seed in range(first, first + number):
        for entrant in kept:
            tried[entrant.name].append(course.labels_needed(entrant, seed))
    for (peer, case), needed in tried.items():
        told = {"peer": peer, "case": f"choice: {case}"}
        yield _row(course, told, METRICS[0], np.array(needed, float))
    if not kept:
        yield _row(course, {"case": "best rival", "peer": "not installed"})
        return None
    return min(kept, key=lambda entrant: float(np.mean(tried[entrant.name])))


def _calibrated(
    course: Course, entrant: Entrant, seeds: Sequence[int]
) -> Iterator[Row]:
    """Yield what the probabilities are worth after 200 labels, on held-out cells."""
    found = np.stack([_after(course, entrant, seed) for seed in seeds])
    for case, figures in zip(
        ("calibration", "calibration, no prior"), found.transpose(1, 0, 2), strict=True
    ):
        for metric, values in zip(CALIBRATION, figures.T, strict=True):
            yield _row(course, {"peer": OURS, "case": case}, metric, values)


def _after(course: Course, entrant: Entrant, seed: int) -> Floats:
    """Return float64[corrected or not, figures]."""
    game = course.game(seed, entrant.noise)
    rows = course.played(entrant, seed).labelled[:CALIBRATED_ON]
    codes = tuple(game.codes[rows].tolist())
    training = TrainingSet(game.vectors[rows], codes, balanced(codes))
    head = fit_head(training, seed=seed)
    plain = head.predict_proba(game.test)
    corrected = to_pool_shares(plain, np.random.default_rng(seed))
    return np.array(
        [
            [
                calibration_error(chances, head.codes_, game.truth),
                error_of_calibrated(chances, np.random.default_rng(seed)),
                log_loss_ratio(chances, head.codes_, game.truth),
            ]
            for chances in (corrected, plain)
        ]
    )


def _rows(
    course: Course, name: Name, figures: Figures, ahead: str = ""
) -> Iterator[Row]:
    for metric, values in zip(METRICS, figures.T, strict=True):
        yield _row(course, {"peer": name[0], "case": ahead + name[1]}, metric, values)


def _against(
    course: Course, name: Name, mine: Figures, theirs: Figures
) -> Iterator[Row]:
    """Yield the ratio of labels and the difference of areas, paired by seed."""
    told = {"peer": OURS, "case": f"{SUBJECT} against {name[0]} {name[1]}"}
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(mine), size=(_DRAWS, len(mine)))
    ratios = mine[drawn, 0].mean(axis=1) / theirs[drawn, 0].mean(axis=1)
    row = _row(course, told, "labels_to_95 ratio", mine[:, 0])
    low, high = np.quantile(ratios, (0.025, 0.975))
    value = mine[:, 0].mean() / theirs[:, 0].mean()
    yield row | {"value": float(value), "low": float(low), "high": float(high)}
    yield _row(course, told, "aulc difference", mine[:, 1] - theirs[:, 1])


def _row(
    course: Course, told: Mapping[str, str], metric: str = "", values: Any = None
) -> Row:
    row: Row = {**course.told, **told, "metric": metric or None}
    if values is None:
        return row
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(len(values), size=(_DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    ends = {"value": float(values.mean()), "low": float(low), "high": float(high)}
    return {**row, **ends, "n": len(values), "size": str(len(course.codes))}
