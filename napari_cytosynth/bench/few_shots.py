"""What vectors are worth: heads of a few labels, and nearest neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import TrainingSet, Vectors
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.metrics.scores import draw_counts, pooled, weighted_scores

REPEATS = 500
"""Resamples of the test cells."""

Codes = npt.NDArray[np.str_]
Floats = npt.NDArray[np.float64]


def few_shot_scores(vectors: Vectors, codes: Codes, shots: int, seeds: int) -> Floats:
    """Fit a head on a few cells of each class, and score it on all others.

    Chance depends on ``shots`` and the seed only, so that two embedders of the same
    cells are compared on the same draws and the same resamples.

    Returns
    -------
    float64[seeds, REPEATS + 1, 1 + classes]
        Macro-F1, then F1 of each class in sorted order; as the cells are, then under
        resamples of them.
    """
    kinds = np.unique(codes)
    out = np.empty((seeds, REPEATS + 1, 1 + len(kinds)))
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        train = np.concatenate(
            [draw.permutation(np.flatnonzero(codes == k))[:shots] for k in kinds]
        )
        test = np.setdiff1d(np.arange(len(codes)), train)
        known = TrainingSet(vectors[train], tuple(codes[train]), np.ones(len(train)))
        head = fit_head(known, folds=0)
        guesses = head.predict_proba(vectors[test]).argmax(axis=1)
        truth = np.searchsorted(kinds, codes[test])
        rng = np.random.default_rng([shots, seed])
        weights = draw_counts(len(test), REPEATS, rng)
        scores = weighted_scores(truth, guesses, weights, len(kinds))
        out[seed] = np.column_stack([scores.macro_f1, scores.f1])
    return out


def neighbour_hits(vectors: Vectors, codes: Codes) -> Floats:
    """Tell whose nearest other cell has its class: accuracy of a 1-nearest neighbour.

    Columns are standardised over the cells, and directions compared.

    Returns
    -------
    float64[1, REPEATS + 1]
        As the cells are, then under resamples of them.
    """
    spread = vectors.std(axis=0)
    spread[spread < 1e-9] = np.inf
    rows = (vectors - vectors.mean(axis=0)) / spread
    rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)
    alike = rows @ rows.T
    np.fill_diagonal(alike, -np.inf)
    hits = codes[alike.argmax(axis=1)] == codes
    weights = draw_counts(len(codes), REPEATS, np.random.default_rng(len(codes)))
    shares: Floats = weights @ hits / len(codes)
    return shares[None]


def interval(values: Floats) -> tuple[float, float, float]:
    """Return mean and 95 % interval by a two-level bootstrap: seeds, then test cells.

    Parameters
    ----------
    values : float64[seeds, REPEATS + 1]
        As the cells are, then under resamples of them.
    """
    found = pooled(values)
    return found.value, found.low, found.high
