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
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_cytosynth.bench.copies import copies_of_training, looks_of_training
from napari_cytosynth.bench.pack import files_by_class
from napari_cytosynth.bench.texture import texture_auc
from napari_cytosynth.core.protocols import Crops, Request, Vectors, Weights
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features.morphology import MorphologyEmbedder
from napari_cytosynth.features.starter import StarterEmbedder
from napari_cytosynth.metrics.coverage import covered, densities
from napari_cytosynth.synthesis._torch.train_latent import CONCEPTS, read_crop
from napari_cytosynth.synthesis.latent import LatentGenerator
from napari_cytosynth.synthesis.starter import FOLDER

CODES = tuple(CONCEPTS)
_AXES = 24

Numbers = npt.NDArray[np.int64]


def real_cells(data: Path, each: int, judges: int) -> tuple[Crops, Crops]:
    """Return real cells that teach the judges, and others: so many of each class."""
    chosen = files_by_class(data)
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
            alike = looks_of_training(seen, folder)
            row["copy rate, encoder"] = None if alike is None else _share(alike)
    row["texture auc"] = round(texture_auc(beside, crops), 3)
    row["copy rate"] = _share(copies_of_training(crops, folder))
    return row


def _share(flags: npt.NDArray[np.bool_]) -> float:
    return round(float(flags.mean()), 3)


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
