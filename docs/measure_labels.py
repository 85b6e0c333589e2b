"""Measures how well labels are doubted, and how far forecasts of recall go wrong.

    python docs/measure_labels.py DATA [--embedder starter] [--pools 10] [--noise 0.05]

The cells are those of the PBC pack whose names hash to 6..9: no shipped weights were
trained on them.

- doubts: of labels chosen at random a share is spoilt, each into any other class; how
  many are listed, how many of the spoilt ones are, and how many lead the list.
- forecasts: a pool is labelled by a strategy; from its first labels and a ninth as many
  audit cells, it is foretold what half as many again bring. The truth is the recall of
  heads of both on all other cells.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.annotators import Game, ours, play
from napari_cytosynth.bench.labels import taxonomy_of
from napari_cytosynth.bench.pack import embedded, figure_cells
from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.learning.doubts import find_doubts
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.folds import fitted
from napari_cytosynth.learning.outlook import Forecast
from napari_cytosynth.learning.stopping import look_ahead

LABELS = 200
STEP = 0.5
"""Labels further that are checked, as a share of those there are."""

Codes = npt.NDArray[np.str_]


def cells_of(vectors: Any, codes: Codes, rows: Any) -> LabelledCells:
    """Return labelled cells, each a group of its own."""
    rows, none = np.asarray(rows, np.int64), np.zeros((0, 96, 96, 3), np.uint8)
    told = tuple(codes[rows].tolist())
    return LabelledCells(rows, told, none, vectors[rows], "", rows.astype(np.str_))


def doubts(vectors: Any, codes: Codes, noise: float, pools: int) -> str:
    """Spoil labels and say how many are found."""
    rows = []
    kinds = np.unique(codes)
    for seed in range(pools):
        rng = np.random.default_rng([seed, LABELS])
        chosen = rng.permutation(len(codes))[:LABELS]
        bad = rng.random(LABELS) < noise
        told = codes.copy()
        for row in chosen[bad]:
            told[row] = rng.choice(kinds[kinds != codes[row]])
        cells = cells_of(vectors, told, chosen)
        found = run_to_end(find_doubts(cells, fit_head, seed=seed)).found
        spoilt = set(chosen[bad].tolist())
        hits = [doubt.cell in spoilt for doubt in found]
        rows.append((len(spoilt), len(hits), sum(hits), sum(hits[: len(spoilt)])))
    spoilt_, listed, hit, top = np.mean(rows, axis=0)
    return (
        f"{noise:.0%} of {LABELS} labels spoilt: {spoilt_:.1f} spoilt, {listed:.1f} "
        f"listed, {hit:.1f} of the spoilt among them, {top:.1f} at the top of the list"
    )


def recalls(train: LabelledCells, test: LabelledCells) -> dict[str, float]:
    """Return the recall of each class by a head of these cells."""
    head = fitted(train, fit_head)
    assert head is not None
    truth = np.array(test.codes)
    right = np.array(head.predict(test.vectors)) == truth
    return {code: float(right[truth == code].mean()) for code in np.unique(truth)}


def told(vectors: Any, codes: Codes, strategy: str, seed: int) -> Iterator[Any]:
    """Yield each forecast of a pool with the recalls before and after."""
    game = Game.deal(vectors, codes, taxonomy_of(codes), seed)
    more = round(STEP * LABELS)
    order = play(game, ours(load("strategies", strategy)()), LABELS + more).labelled
    drawn = np.random.default_rng([seed, 3]).permutation(len(game.truth))
    audit, rest = np.split(drawn, [LABELS // 9])
    real = cells_of(game.vectors, game.codes, order[:LABELS])
    after = cells_of(game.vectors, game.codes, order[: LABELS + more])
    test = cells_of(game.test, game.truth, rest)
    measure = cells_of(game.test, game.truth, audit)
    before, then = recalls(real, test), recalls(after, test)
    found = run_to_end(look_ahead(real, measure, fit_head, seed=seed, steps=(STEP,)))
    known = [f for f in found.forecasts if f.now is not None]
    shares = {code: test.count(code) / len(test) for code in before}
    # Without a class it is the accuracy, as there are ten audit cells.
    before[""] = sum(before[code] * share for code, share in shares.items())
    then[""] = sum(then[code] * share for code, share in shares.items())
    yield from ((f, before[f.code], then[f.code]) for f in known)


def forecasts(vectors: Any, codes: Codes, strategy: str, pools: int) -> Iterator[str]:
    """Foretell pool after pool and say how far it went wrong."""
    rows = [r for seed in range(pools) for r in told(vectors, codes, strategy, seed)]
    for what, mean in (("accuracy", True), ("recall of a class", False)):
        own = [row for row in rows if (row[0].code == "") is mean]
        yield f"{strategy}, {what} ({len(own)}): {_error(own)}"


def _error(rows: list[tuple[Forecast, float, float]]) -> str:
    foretold, truth, held, claims = [], [], [], []
    for forecast, before, after in rows:
        gain = forecast.gain
        assert gain is not None
        foretold.append(gain.value)
        truth.append(after - before)
        held.append(gain.low <= after - before <= gain.high)
        if str(forecast.outlook) == "rises":
            claims.append(after > before)
    miss = np.abs(np.subtract(foretold, truth)).mean()
    none = np.abs(truth).mean()
    return (
        f"gain foretold {np.mean(foretold):+.3f}, true {np.mean(truth):+.3f}; error "
        f"{miss:.3f} (of saying 'no gain': {none:.3f}); in its 80 % interval "
        f"{np.mean(held):.2f}; 'would raise' said {len(claims)} times, rightly "
        f"{sum(claims)}"
    )


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--embedder", default="starter")
    parser.add_argument("--pools", type=int, default=10)
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--keep", type=Path, help="Folder that keeps the vectors.")
    asked = parser.parse_args(arguments)
    pack = figure_cells(asked.data, each=sys.maxsize)
    vectors = embedded(asked.embedder, "pbc", pack, asked.keep)
    lines = [doubts(vectors, pack.codes, asked.noise, asked.pools)]
    for strategy in ("random", "balanced"):
        lines += forecasts(vectors, pack.codes, strategy, asked.pools)
    sys.stdout.write("".join(f"{asked.embedder}: {line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
