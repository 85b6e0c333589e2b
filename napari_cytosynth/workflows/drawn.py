"""Vectors drawn by the ``embedding`` generator: they train a head and nothing else."""

from __future__ import annotations

from collections import Counter

import numpy as np

from napari_cytosynth.core.protocols import Compute, LabelledCells, Request, Vectors
from napari_cytosynth.core.provenance import SyntheticVector
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.learning.training import SYNTHETIC_CAP

EMBEDDING = "embedding"
"""Registry name of the generator."""


def draw_vectors(
    real: LabelledCells, taxonomy: Taxonomy, compute: Compute, *, seed: int = 0
) -> Task[tuple[Vectors, tuple[str, ...]]]:
    """Fit the generator on real training vectors, and draw the rare classes up.

    Each class is drawn up to the size of the largest, with at most ten draws for each
    real cell. Nothing is stored.

    Parameters
    ----------
    real : LabelledCells
        Training cells with vectors.
    taxonomy : Taxonomy
        The project's.
    compute : Compute
        Fits and draws.
    seed : int
        Makes it repeatable.

    Returns
    -------
    float32[m, dim], tuple of str
        Drawn vectors and their classes.

    Raises
    ------
    InputError
        If there are too few cells to learn a spread from.
    """
    weights = yield from compute.fit(EMBEDDING, real, {"seed": seed})
    vectors: list[Vectors] = [real.vectors[:0]]
    codes: list[str] = []
    for code, count in _wanted(real).items():
        request = Request(code, count, seed, taxonomy)
        for batch in compute.generate(EMBEDDING, request, weights):
            rows = [i for i in batch.items if isinstance(i, SyntheticVector)]
            vectors += [row.vector[None] for row in rows]
            codes += [row.code for row in rows]
            yield Progress(len(codes), 0, f"drawing vectors of {code}")
    return np.concatenate(vectors).astype(np.float32), tuple(codes)


def _wanted(real: LabelledCells) -> dict[str, int]:
    """Return how many vectors of each class are drawn; classes with none left out."""
    counts = Counter(real.codes)
    most = max(counts.values())
    wanted = {c: min(most - n, SYNTHETIC_CAP * n) for c, n in sorted(counts.items())}
    return {code: n for code, n in wanted.items() if n}
