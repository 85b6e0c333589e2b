"""Labelled cells drawn from overlapping classes whose truth is known."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.protocols import LabelledCells

DIM = 20
CODES = ("BA", "LY", "MO", "SNE")


def toy_cells(
    counts: dict[str, int], seed: int = 0, *, apart: float = 0.5, groups: int = 12
) -> LabelledCells:
    """Return normal clouds in an order drawn by chance.

    ``apart`` is the spread of the class means in each of the 20 dimensions; the cells
    spread by 1.
    """
    means = np.random.default_rng(1).normal(0, apart, (len(CODES), DIM))
    rng = np.random.default_rng(seed)
    codes = [code for code, n in counts.items() for _ in range(n)]
    codes = [codes[i] for i in rng.permutation(len(codes))]
    vectors = np.stack([means[CODES.index(c)] + rng.normal(size=DIM) for c in codes])
    names = np.array([f"g{i % groups}" for i in range(len(codes))])
    none = np.zeros((0, 96, 96, 3), np.uint8)
    ids = np.arange(len(codes)) + 1
    return LabelledCells(
        ids, tuple(codes), none, vectors.astype(np.float32), "toy", names
    )
