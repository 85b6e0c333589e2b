"""How many labels each strategy needs: ours beside those of two libraries.

A simulated annotator labels ten cells at random, then batches of ten that a strategy
chose. All strategies have the same start, head, split and embeddings. The best rival is
chosen on some seeds and compared on others, so that its luck does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.annotators import (
    Codes,
    Game,
    Picker,
    area,
    ceiling,
    labels_to,
    ours,
    play,
)
from napari_cytosynth.bench.pack import Pack, figure_files, pack_crop
from napari_cytosynth.bench.rivals import Name, rivals
from napari_cytosynth.bench.stains import other_stains, with_enough
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy

EMBEDDERS = ("starter", "morphology")
OURS, SUBJECT, YARDSTICK = "ours", "balanced", "random"
METRICS = ("labels_to_95", "aulc", "pool_share_to_96_accuracy")

BUDGET, REACHED = 1000, 0.95
ACCURACY = 0.96
"""Labels to this accuracy are told as a share of the pool."""

CHOSEN_ON = 5
"""Seeds on which the best rival is chosen."""

_NOISE = 0.1
_QUICK, _QUICK_BUDGET = 1500, 200
_AT_LEAST = 20
_DRAWS = 2000
_BATCH = 128

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
Figures = Floats
"""float64[seeds, metrics], in the order of :data:`METRICS`."""


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Measure labelling curves.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    seeds : int
        Seeds of the comparison; the best rival is chosen on five others, or as many.
    quick : bool
        A quarter of the cells, 200 labels, ``starter`` only.

    Returns
    -------
    list of dict
        Labels to 95 % of the full pool's macro-F1, and the mean macro-F1 over 20 to
        1,000 labels; ours against the best rival; what was not run.
    """
    rows: list[Row] = []
    for dataset, pack in _pools(data, quick):
        for embedder in EMBEDDERS[:1] if quick else EMBEDDERS:
            vectors = _embed(embedder, pack)
            course = _Course(
                {"dataset": dataset, "embedder": embedder},
                vectors,
                pack.codes,
                taxonomy_of(pack.codes),
                _QUICK_BUDGET if quick else BUDGET,
            )
            rows += _measured(course, seeds, quick)
    return rows


def _pools(data: Path, quick: bool) -> Iterator[tuple[str, Pack]]:
    files = figure_files(data)
    files = files[:: max(1, len(files) // _QUICK)] if quick else files
    crops = np.stack([pack_crop(path) for path, _ in files])
    yield "pack_pbc128", Pack(crops, np.array([code for _, code in files]))
    if not quick and (bccd := other_stains(data).get("bccd")) is not None:
        yield "bccd", with_enough(bccd, _AT_LEAST)


def _embed(embedder: str, pack: Pack) -> Vectors:
    made = load("embedders", embedder)()
    crops = pack.crops
    parts = [made.embed(crops[at : at + _BATCH]) for at in range(0, len(crops), _BATCH)]
    return np.concatenate(parts)


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


@dataclass(frozen=True)
class _Course:
    """A pool with its vectors, and how far it is labelled."""

    told: Mapping[str, str]
    vectors: Vectors
    codes: Codes
    taxonomy: Taxonomy
    budget: int

    def figures(
        self, picker: Picker, seeds: Sequence[int], noise: float = 0.0
    ) -> Figures:
        """Play one game a seed."""
        return np.stack([self._figures(picker, seed, noise) for seed in seeds])

    def _figures(self, picker: Picker, seed: int, noise: float) -> Floats:
        game = Game.deal(self.vectors, self.codes, self.taxonomy, seed, noise)
        goal, pool = REACHED * ceiling(game)[0], len(game.codes)
        curve = play(game, picker, self.budget)
        accurate = labels_to(curve, ACCURACY, pool, column=2) / pool
        return np.array([labels_to(curve, goal, pool), area(curve), accurate])


def _measured(course: _Course, seeds: int, quick: bool) -> Iterator[Row]:
    """Choose the best rival on seeds of its own, then compare on the others."""
    chosen_on = range(seeds, seeds + (1 if quick else CHOSEN_ON))
    found = rivals()
    kept = {k: p for k, p in found.items() if not quick or k[1] == "margin"}
    tried = {key: course.figures(pick, chosen_on) for key, pick in kept.items()}
    for key, figures in tried.items():
        yield from _rows(course, key, figures, "choice: ")
    best = min(tried, key=lambda key: tried[key][:, 0].mean(), default=None)
    players = {
        (OURS, name): ours(load("strategies", name)()) for name in (SUBJECT, YARDSTICK)
    }
    if best is None:
        yield _row(course, {"case": "best rival", "peer": "not installed"})
    else:
        players[best] = kept[best]
    played = {key: course.figures(pick, range(seeds)) for key, pick in players.items()}
    for key, figures in played.items():
        yield from _rows(course, key, figures)
        if key != (OURS, SUBJECT):
            yield from _against(course, key, played[OURS, SUBJECT], figures)
    for key in () if quick else players:
        figures = course.figures(players[key], range(seeds), _NOISE)
        yield from _rows(course, key, figures, f"{_NOISE:.0%} of labels wrong: ")


def _rows(
    course: _Course, key: Name, figures: Figures, ahead: str = ""
) -> Iterator[Row]:
    for metric, values in zip(METRICS, figures.T, strict=True):
        yield _row(course, {"peer": key[0], "case": ahead + key[1]}, metric, values)


def _against(
    course: _Course, key: Name, mine: Figures, theirs: Figures
) -> Iterator[Row]:
    """Yield the ratio of labels and the difference of areas, paired by seed."""
    told = {"peer": OURS, "case": f"{SUBJECT} against {key[0]} {key[1]}"}
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(mine), size=(_DRAWS, len(mine)))
    ratios = mine[drawn, 0].mean(axis=1) / theirs[drawn, 0].mean(axis=1)
    row = _row(course, told, "labels_to_95 ratio", mine[:, 0])
    low, high = np.quantile(ratios, (0.025, 0.975))
    value = mine[:, 0].mean() / theirs[:, 0].mean()
    yield row | {"value": float(value), "low": float(low), "high": float(high)}
    yield _row(course, told, "aulc difference", mine[:, 1] - theirs[:, 1])


def _row(
    course: _Course, told: Mapping[str, str], metric: str = "", values: Any = None
) -> Row:
    row: Row = {**course.told, **told, "metric": metric or None}
    if values is None:
        return row
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(len(values), size=(_DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    ends = {"value": float(values.mean()), "low": float(low), "high": float(high)}
    return {**row, **ends, "n": len(values), "size": str(len(course.codes))}
