"""How much the embedders tell, and how fast they are.

A head is fitted on a few labelled cells of each class of the PBC pack, and tried on
others of it. The peer is the plainest feature that works: a colour histogram.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.bench.pack import figure_cells
from napari_cytosynth.core.protocols import Crops, Embedder, TrainingSet, Vectors
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.learning.head import fit_head
from napari_cytosynth.metrics.scores import draw_counts, weighted_scores

SHOTS = (5, 10, 20, 50)
"""Labelled cells of each class."""

_EACH, _EACH_QUICK = 180, 100
_REPEATS = 500
_BINS = 6

Row = dict[str, Any]


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Measure all installed embedders.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    seeds : int
        Draws of the labelled cells.
    quick : bool
        Fewer cells.

    Returns
    -------
    list of dict
        Macro-F1 at each number of shots, and seconds a crop beside the floor: optical
        density and one Gaussian of the same crops.
    """
    pack = figure_cells(data, each=_EACH_QUICK if quick else _EACH)
    floor = _seconds(_floor, pack.crops)
    rows: list[Row] = []
    for name in names("embedders"):
        made: Embedder = load("embedders", name)()
        began = time.perf_counter()
        vectors = made.embed(pack.crops)
        took = time.perf_counter() - began
        rows.append(_speed(name, took, floor, len(pack.crops)))
        rows += _worth(name, vectors, pack.codes, seeds)
    rows += _worth("colour histogram", _histograms(pack.crops), pack.codes, seeds)
    return rows


def _speed(name: str, took: float, floor: float, n: int) -> Row:
    return {
        "case": "speed",
        "peer": "ours",
        "embedder": name,
        "metric": "time",
        "unit": "s/crop",
        "value": took / n,
        "n": n,
        "floor": floor / n,
        "ratio": took / floor,
    }


def _worth(
    name: str, vectors: Vectors, codes: npt.NDArray[np.str_], seeds: int
) -> list[Row]:
    rows = []
    for shots in SHOTS:
        if np.unique(codes, return_counts=True)[1].min() <= shots:
            continue
        rng = np.random.default_rng(shots)
        runs = [_macro_f1(vectors, codes, shots, seed, rng) for seed in range(seeds)]
        values = np.stack(runs)
        # Two levels: seeds are drawn again, and test cells within each.
        drawn = rng.integers(seeds, size=(_REPEATS, seeds))
        picked = values[drawn, np.arange(1, _REPEATS + 1)[:, None]].mean(axis=1)
        low, high = np.quantile(picked, [0.025, 0.975])
        rows.append(
            {
                "case": "logistic head",
                "peer": "ours" if name in names("embedders") else "plain",
                "dataset": "pack_pbc128",
                "embedder": name,
                "class": "all",
                "shots": shots,
                "metric": "macro-F1",
                "unit": "share",
                "value": float(values[:, 0].mean()),
                "low": float(low),
                "high": float(high),
                "n": len(codes) - shots * len(np.unique(codes)),
            }
        )
    return rows


def _macro_f1(
    vectors: Vectors,
    codes: npt.NDArray[np.str_],
    shots: int,
    seed: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Return macro-F1 on the cells left out: as it is, then under resamples of them."""
    draw = np.random.default_rng(seed)
    kinds = np.unique(codes)
    train = np.concatenate(
        [draw.permutation(np.flatnonzero(codes == kind))[:shots] for kind in kinds]
    )
    test = np.setdiff1d(np.arange(len(codes)), train)
    known = TrainingSet(vectors[train], tuple(codes[train]), np.ones(len(train)))
    head = fit_head(known, folds=0)
    guesses = head.predict_proba(vectors[test]).argmax(axis=1)
    truth = np.searchsorted(kinds, codes[test])
    weights = draw_counts(len(test), _REPEATS, rng)
    return weighted_scores(truth, guesses, weights, len(kinds)).macro_f1


def _seconds(work: Callable[[Crops], object], crops: Crops) -> float:
    began = time.perf_counter()
    work(crops)
    return time.perf_counter() - began


def _floor(crops: Crops) -> object:
    density = -np.log((crops + 1.0) / 256).astype(np.float32)
    return ndimage.gaussian_filter(density, (0, 1, 1, 0))


def _histograms(crops: Crops) -> Vectors:
    """Return the shares of 6 x 6 x 6 colours in the middle of each crop."""
    middle = crops[:, 24:72, 24:72].astype(np.intp) * _BINS // 256
    index = (middle[..., 0] * _BINS + middle[..., 1]) * _BINS + middle[..., 2]
    rows = [np.bincount(i.ravel(), minlength=_BINS**3) for i in index]
    shares: Vectors = (np.stack(rows) / index[0].size).astype(np.float32)
    return np.sqrt(shares)
