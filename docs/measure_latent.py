"""Measures weights of the ``latent`` generator beside real cells.

    python docs/measure_latent.py DATA [--weights DIR] [--each 24] [--steps 8] ...

Real cells are those of the PBC pack whose names hash to 6..9: no shipped weights were
trained on them. Half of them teach the judges; as many of the other half as are painted
stand beside the painted ones, judged in the same way. All figures come before any gate:

- agreement: share that a discriminant analysis (equal priors) takes for the class that
  was asked for, on two sets of features, and the macro-F1 of its verdicts;
- coverage and density in the encoder's space, within each class (k = 5);
- texture: cross-validated area under the curve of a classifier that tells painted from
  real cells of the same classes by simple texture (0.5: it cannot);
- copies: share nearer to a cell that trained the weights than the copy critic's bar, in
  small grey pictures, and by the same two rules in the encoder's space.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_cytosynth.bench.pack import figure_files
from napari_cytosynth.core.protocols import Crops, Request, Vectors, Weights
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features.morphology import MorphologyEmbedder
from napari_cytosynth.features.starter import StarterEmbedder
from napari_cytosynth.metrics.copying import THIRD, copy_threshold
from napari_cytosynth.metrics.coverage import covered, densities
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.synthesis._torch.train_latent import CONCEPTS, read_crop
from napari_cytosynth.synthesis.latent import LatentGenerator
from napari_cytosynth.synthesis.starter import (
    FOLDER,
    load_starter,
    load_training_looks,
    load_training_thumbnails,
)
from napari_cytosynth.synthesis.thumbnails import thumbnails, turned_distances

CODES = tuple(CONCEPTS)
_AXES = 24

Numbers = npt.NDArray[np.int64]


def real_cells(data: Path, each: int, judges: int) -> tuple[Crops, Crops]:
    """Return real cells that teach the judges, and others: so many of each class."""
    chosen: dict[str, list[Path]] = {code: [] for code in CODES}
    for path, code in figure_files(data):
        if code in chosen:
            chosen[code].append(path)
    rng = np.random.default_rng(0)
    taught, beside = [], []
    for code in CODES:
        order = rng.permutation(len(chosen[code]))
        crops = [read_crop(chosen[code][i]) for i in order[: judges + each]]
        taught.append(crops[:judges])
        beside.append(crops[judges:])
    return np.concatenate(taught), np.concatenate(beside)


def painted_cells(folder: Path, each: int, options: dict[str, Any]) -> Crops:
    """Paint so many cells of each class, without a fit."""
    generator = LatentGenerator(folder)
    taxonomy, rng = built_in("pbc11"), np.random.default_rng(0)
    crops = []
    for code in CODES:
        request = Request(code, each, 1, taxonomy, 0, options)
        batches = generator.generate(request, Weights({}), rng)
        crops += [item.pixels for batch in batches for item in batch.items]  # type: ignore[union-attr]
        sys.stderr.write(f"{code} ")
    return np.stack(crops)


def agreement(taught: Vectors, others: Vectors, each: int) -> dict[str, Any]:
    """Return the share of each class that judges take for it, and their macro-F1."""
    n = len(taught) // len(CODES)
    judge = make_pipeline(
        StandardScaler(),
        LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage="auto", priors=np.full(len(CODES), 1 / len(CODES))
        ),
    ).fit(taught, np.repeat(np.arange(len(CODES)), n))
    wanted = np.repeat(np.arange(len(CODES)), each)
    said = judge.predict(others)
    shares = [float((said[wanted == i] == i).mean()) for i in range(len(CODES))]
    return {
        "macro_f1": round(float(f1_score(wanted, said, average="macro")), 3),
        "mean": round(float(np.mean(shares)), 3),
        **{c: round(s, 2) for c, s in zip(CODES, shares, strict=True)},
    }


def spread(taught: Vectors, others: Vectors, each: int) -> dict[str, float]:
    """Return coverage and density within classes, on average."""
    axes = PCA(_AXES, random_state=0).fit(taught)
    real, made = axes.transform(taught), axes.transform(others)
    n = len(taught) // len(CODES)
    found = []
    for i in range(len(CODES)):
        own, fake = real[i * n : i * n + each], made[i * each : (i + 1) * each]
        found.append((covered(own, fake).mean(), densities(own, fake).mean()))
    cover, dense = np.mean(found, axis=0)
    return {"coverage": round(float(cover), 3), "density": round(float(dense), 3)}


def texture(crops: Crops) -> npt.NDArray[np.float64]:
    """Describe texture: spectrum, tails of fine detail, and how it is spread.

    Log power in ten bands, kurtosis of the Laplacian, and three quantiles of the local
    standard deviation, each of brightness and of red against green.
    """
    values = crops.astype(np.float64)
    channels = np.stack([values.mean(-1), values[..., 0] - values[..., 1]], 1)
    window = np.hanning(crops.shape[1])
    centred = channels - channels.mean((2, 3), keepdims=True)
    power = np.abs(np.fft.fft2(centred * np.outer(window, window))) ** 2
    step = np.fft.fftfreq(crops.shape[1])
    band = np.minimum((np.hypot(step[:, None], step) * 20).astype(int), 9)
    parts = [power[..., band == b].mean(-1) for b in range(10)]
    bands = np.log(np.stack(parts, -1) + 1).reshape(len(crops), -1)
    return np.concatenate([bands, *(_local(c) for c in np.moveaxis(channels, 1, 0))], 1)


def _local(channel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return kurtosis and local spread of ``float64[n, y, x]``, ``float64[n, 4]``."""
    fine = np.stack([ndimage.laplace(c) for c in channel]).reshape(len(channel), -1)
    mean = np.stack([ndimage.uniform_filter(c, 3) for c in channel])
    square = np.stack([ndimage.uniform_filter(c**2, 3) for c in channel])
    local = np.sqrt(np.maximum(square - mean**2, 0)).reshape(len(channel), -1)
    spread = np.quantile(local, (0.1, 0.5, 0.9), axis=1).T
    return np.column_stack([stats.kurtosis(fine, axis=1), np.log(spread + 1)])


def texture_auc(real: Crops, made: Crops) -> float:
    """Return how well texture alone tells painted from real cells, 0.5..1."""
    x = np.concatenate([texture(real), texture(made)])
    y = np.repeat([0, 1], [len(real), len(made)])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    order = np.random.default_rng(0).permutation(len(x))
    p = cross_val_predict(model, x[order], y[order], cv=5, method="predict_proba")
    return round(float(roc_auc_score(y[order], p[:, 1])), 3)


def copy_rate(crops: Crops, folder: Path) -> float:
    """Return the share that the copy critic's rule takes for training cells."""
    small, threshold = load_training_thumbnails(folder)
    near = np.sort(turned_distances(thumbnails(crops), small), axis=1)[:, :2]
    bar = np.maximum(threshold, THIRD * near[:, 1])
    return round(float((near[:, 0] < bar).mean()), 3)


def look_copy_rate(vectors: Vectors, folder: Path) -> float | None:
    """Return the share of copies among embeddings; None where no looks ship."""
    real, space = load_training_looks(folder), load_starter(folder).space
    if space is None or not len(real):
        return None
    known = real.astype(np.float64)
    near, _ = nearest(space.looks(vectors), known, 2)
    bar = np.maximum(copy_threshold(known), THIRD * near[:, 1])
    return round(float((near[:, 0] < bar).mean()), 3)


def measure(crops: Crops, taught: Crops, beside: Crops, folder: Path) -> dict[str, Any]:
    """Return all figures of one set of crops: painted, or the real ones beside."""
    each = len(crops) // len(CODES)
    row: dict[str, Any] = {"cells": len(crops)}
    for name, embedder in (
        ("morphology", MorphologyEmbedder()),
        ("starter", StarterEmbedder()),
    ):
        known, seen = embedder.embed(taught), embedder.embed(crops)
        row[f"agreement {name}"] = agreement(known, seen, each)
        if name == "starter":
            row |= spread(known, seen, each)
            row["copy rate, encoder"] = look_copy_rate(seen, folder)
    row["texture auc"] = texture_auc(beside, crops)
    row["copy rate"] = copy_rate(crops, folder)
    return row


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument("--each", type=int, default=24)
    parser.add_argument("--judges", type=int, default=100)
    parser.add_argument("--options", type=json.loads, default={})
    parser.add_argument("--real", action="store_true", help="real cells only")
    parser.add_argument("--keep", type=Path, help="NPY file for the painted crops")
    parser.add_argument("--given", type=Path, help="NPY file of such crops to measure")
    options = parser.parse_args()
    taught, beside = real_cells(options.data, options.each, options.judges)
    began = time.process_time()
    if options.real:
        crops, others = beside, taught[:: max(1, len(taught) // len(beside))]
    elif options.given:
        crops, others = np.load(options.given), beside
    else:
        crops = painted_cells(options.weights, options.each, options.options)
        others = beside
    took = time.process_time() - began
    if options.keep:
        np.save(options.keep, crops)
    row = measure(crops, taught, others, options.weights)
    row |= {"cpu seconds": round(took, 1), "options": options.options}
    sys.stdout.write(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
