"""A scarce class to find in a pool: three known cells of it, or none and no name.

The class is thinned to one cell in two hundred. Of each other class the reader has
labelled twenty, so that none but the one that is sought lacks labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest

from napari_cytosynth.bench.annotators import Codes, Numbers
from napari_cytosynth.core.protocols import (
    Candidates,
    LabelledCells,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.core.training import SyntheticVectors, balanced
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.space import spread_of
from napari_cytosynth.learning.training import SYNTHETIC_CAP
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.synthesis.density import FlowDensity
from napari_cytosynth.synthesis.gaussian import GaussianModel
from napari_cytosynth.worker.inline import InlineCompute
from napari_cytosynth.workflows.drawn import fit_source

SHARE = 0.005
"""Part of the pool that is of the class."""

KNOWN = 3
"""Labelled cells of the class."""

LABELLED = 20
"""Labelled cells of each other class."""

_TREES = 200

Floats = npt.NDArray[np.float64]
Cells = tuple[Vectors, Codes, Taxonomy]
"""Vector and class of all cells, and a taxonomy that knows the classes."""

Worth = Callable[["Hunt"], npt.NDArray[np.floating]]
"""From a hunt to the worth of each cell of the pool."""


@dataclass(frozen=True)
class Hunt:
    """A pool in which a class is sought.

    Parameters
    ----------
    pool : Candidates
        With the probabilities of a head on the labelled cells.
    is_sought : bool[pool]
        The cells of the class.
    code : str
        The class.
    seed : int
        Decides all chance.
    """

    pool: Candidates
    is_sought: npt.NDArray[np.bool_]
    code: str
    seed: int

    @classmethod
    def deal(
        cls,
        cells: Cells,
        code: str,
        seed: int,
        *,
        known: int = KNOWN,
        share: float | None = SHARE,
    ) -> Hunt:
        """Thin the class, label cells, and fit a head on them.

        Parameters
        ----------
        cells : (float32[n, dim], str[n], Taxonomy)
            All there are.
        code : str
            The class.
        seed : int
            Decides which cells are left and labelled.
        known : int
            Labelled cells of the class; 0: it has no name yet.
        share : float, optional
            Part of the pool that it makes up; by default all its cells are kept.
        """
        vectors, codes, taxonomy = cells
        rng = np.random.default_rng([seed, *code.encode()])
        others = rng.permutation(np.flatnonzero(codes != code))
        others = others[np.argsort(_turn(codes[others]) >= LABELLED, kind="stable")]
        seen = np.count_nonzero(_turn(codes[others]) < LABELLED)
        own = rng.permutation(np.flatnonzero(codes == code))
        if share is not None:
            own = own[: known + round(len(others) * share / (1 - share))]
        rows = np.concatenate([own[:known], others[:seen]])
        pool = np.sort(np.concatenate([own[known:], others[seen:]]))
        labelled = _labelled(vectors, codes, rows)
        head = fit_head(
            TrainingSet(labelled.vectors, labelled.codes, balanced(labelled.codes)),
            seed=seed,
        )
        counts = {c: labelled.count(c) for c in taxonomy.codes}
        made = Candidates(
            ids=pool.astype(np.int64) + 1,
            vectors=vectors[pool],
            probabilities=head.predict_proba(vectors[pool]),
            codes=head.codes_,
            taxonomy=taxonomy,
            counts=counts,
            labelled=labelled,
            labelled_probabilities=head.predict_proba(labelled.vectors),
        )
        return cls(made, codes[pool] == code, code, seed)

    @property
    def known(self) -> LabelledCells:
        """The labelled cells."""
        if self.pool.labelled is None:
            raise ValueError("a hunt has labelled cells")
        return self.pool.labelled

    def rng(self) -> np.random.Generator:
        """Return the generator that decides the chance of a strategy."""
        return np.random.default_rng([self.seed, 3])

    def with_draws(self) -> Hunt:
        """Return it with synthetic vectors of the class, as far as the gate lets."""
        compute = InlineCompute()
        source = run_to_end(
            fit_source(self.known, self.pool.taxonomy, compute, seed=self.seed)
        )
        wanted = {self.code: SYNTHETIC_CAP * self.known.count(self.code)}
        drawn = run_to_end(source.draw(wanted, self.seed))
        vectors = drawn.vectors(self.known.vectors.shape[1])
        ids = np.zeros(len(vectors), np.int64)
        made = SyntheticVectors(ids, drawn.codes, vectors)
        return replace(self, pool=replace(self.pool, synthetic=made))

    def with_density(self) -> Hunt:
        """Return it with the density of the ``embedding`` generator."""
        source = run_to_end(
            fit_source(self.known, self.pool.taxonomy, InlineCompute(), seed=self.seed)
        )
        return replace(
            self, pool=replace(self.pool, density=FlowDensity(source.weights))
        )

    def with_gaussian(self) -> Hunt:
        """Return it with the plain density."""
        model = GaussianModel.fit(self.known.vectors, self.known.codes)
        return replace(self, pool=replace(self.pool, density=model))

    def standard(self) -> tuple[Vectors, Vectors]:
        """Return pool and labelled cells, all columns of the same weight."""
        unit = spread_of(self.pool.vectors)
        return self.pool.vectors / unit, self.known.vectors / unit


def _turn(codes: Codes) -> Numbers:
    """Return how many of its class come before each cell."""
    turn = np.zeros(len(codes), np.intp)
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        turn[own] = np.arange(len(own))
    return turn


def _labelled(vectors: Vectors, codes: Codes, rows: Numbers) -> LabelledCells:
    return LabelledCells(
        rows.astype(np.int64) + 1,
        tuple(codes[rows].tolist()),
        np.zeros((0, 96, 96, 3), np.uint8),
        vectors[rows],
        "bench",
        rows.astype(np.str_),
    )


def by_neighbours(hunt: Hunt) -> Floats:
    """Return the nearness to the nearest known cell of the class."""
    pool, known = hunt.standard()
    own = known[[code == hunt.code for code in hunt.known.codes]]
    return -nearest(pool, own, 1)[0][:, 0]


def by_angle(hunt: Hunt) -> Floats:
    """Return the largest cosine to a known cell of the class, around the mean."""
    pool, known = hunt.standard()
    middle = pool.mean(axis=0)
    own = known[[code == hunt.code for code in hunt.known.codes]]
    rows, own = (part - middle for part in (pool, own))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    best: Floats = (rows @ own.T).max(axis=1)
    return best


def by_class_means(hunt: Hunt) -> Floats:
    """Return the distance to the nearest class mean."""
    pool, known = hunt.standard()
    codes = np.array(hunt.known.codes)
    means = np.stack([known[codes == code].mean(axis=0) for code in np.unique(codes)])
    return nearest(pool, means, 1)[0][:, 0]


def by_labelled(hunt: Hunt) -> Floats:
    """Return the distance to the nearest labelled cell, of whatever class."""
    pool, known = hunt.standard()
    return nearest(pool, known, 1)[0][:, 0]


def by_isolation(hunt: Hunt) -> Floats:
    """Return how few cuts set a cell apart from the labelled ones."""
    forest = IsolationForest(n_estimators=_TREES, random_state=hunt.seed)
    likely: Floats = forest.fit(hunt.known.vectors).score_samples(hunt.pool.vectors)
    return -likely


def by_isolation_in_pool(hunt: Hunt) -> Floats:
    """Return how few cuts set a cell apart from the pool."""
    forest = IsolationForest(n_estimators=_TREES, random_state=hunt.seed)
    likely: Floats = forest.fit(hunt.pool.vectors).score_samples(hunt.pool.vectors)
    return -likely
