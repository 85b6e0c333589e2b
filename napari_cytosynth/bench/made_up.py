"""Made-up vectors, and how long something takes on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import (
    Candidates,
    LabelledCells,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.head import Head

LABELS = 400
"""Labelled cells, unless told otherwise."""

DIM = 384
SIZES = (10_000, 100_000, 1_000_000)
"""Length of the vectors, and cells, of :func:`pools`."""

_ROUNDS = 3
_BLOCK = 8192


def centres_of(rng: np.random.Generator, dim: int) -> Vectors:
    """Return float32[11, dim]: where the classes lie."""
    number = len(built_in("pbc11").cell_codes)
    return rng.normal(scale=0.25, size=(number, dim)).astype(np.float32)


def cells(
    rng: np.random.Generator, centres: Vectors, n: int
) -> tuple[Vectors, npt.NDArray[np.intp]]:
    """Return made-up vectors float32[n, dim], and the class number of each."""
    kinds = rng.integers(len(centres), size=n)
    vectors = rng.standard_normal((n, centres.shape[1]), dtype=np.float32)
    for at in range(0, n, _BLOCK):
        vectors[at : at + _BLOCK] += centres[kinds[at : at + _BLOCK]]
    return vectors, kinds


def training_of(
    rng: np.random.Generator, centres: Vectors, n: int = LABELS
) -> TrainingSet:
    """Return labelled cells around the same centres, all classes of one weight."""
    vectors, kinds = cells(rng, centres, n)
    codes = built_in("pbc11").cell_codes
    labels = tuple(codes[k] for k in kinds)
    return TrainingSet(vectors, labels, balanced(labels))


def pools(quick: bool, labels: int = LABELS) -> tuple[TrainingSet, Iterator[Vectors]]:
    """Return labelled cells, and one pool after the other around the same centres.

    Parameters
    ----------
    quick : bool
        Leaves the largest out.
    labels : int
        Labelled cells.

    Returns
    -------
    training : TrainingSet
        The labelled cells.
    pools : iterator of float32[n, dim]
        A pool of each of :data:`SIZES`, drawn when it is asked for.
    """
    rng = np.random.default_rng(0)
    centres = centres_of(rng, DIM)
    training = training_of(rng, centres, labels)
    sizes = SIZES[:-1] if quick else SIZES
    return training, (cells(rng, centres, size)[0] for size in sizes)


def pool_of(vectors: Vectors, training: TrainingSet, head: Head) -> Candidates:
    """Score a pool, and return it as strategies see it."""
    taxonomy, n = built_in("pbc11"), len(training.codes)
    known = LabelledCells(
        -1 - np.arange(n, dtype=np.int64),
        training.codes,
        np.zeros((0, 96, 96, 3), np.uint8),
        training.vectors,
        "bench",
        np.arange(n).astype(np.str_),
    )
    return Candidates(
        ids=np.arange(len(vectors), dtype=np.int64),
        vectors=vectors,
        probabilities=head.predict_proba(vectors),
        codes=head.codes_,
        taxonomy=taxonomy,
        counts={code: training.codes.count(code) for code in taxonomy.codes},
        labelled=known,
        labelled_probabilities=head.predict_proba(training.vectors),
    )


def best_time(work: Callable[[], object]) -> float:
    """Return the seconds of the quickest of three rounds."""
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
