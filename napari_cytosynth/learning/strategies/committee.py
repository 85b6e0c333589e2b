"""Committee: cells on which models of resampled labels disagree.

Query by bagging: Abe, Mamitsuka (1998), ICML. Cells are ranked by the information that
their label holds on the members' parameters (BALD: Houlsby, Huszar, Ghahramani, Lengyel
2011, arXiv 1112.5745); the votes are told. A member is a discriminant analysis with a
shrunk covariance, which needs no iterations.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, LabelledCells, Query
from napari_cytosynth.learning.discriminant import Discriminant
from napari_cytosynth.learning.ranking import NO_MODEL, query_at_random, query_best
from napari_cytosynth.learning.space import PoolSpace

MEMBERS = 8
"""Models in the committee."""

_BLOCK = 16384

Floats = npt.NDArray[np.float64]


class Committee:
    """Ranks by mutual information between label and member."""

    key = "committee"
    summary = "Cells on which eight models of resampled labels disagree."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells of largest mutual information, in bits."""
        labelled = candidates.labelled
        if labelled is None or len(set(labelled.codes)) < 2:
            return query_at_random(candidates, n, rng, NO_MODEL)
        space = PoolSpace.of(candidates)
        members = _members(space.apply(labelled.vectors), labelled, rng)
        codes = sorted(set(labelled.codes))
        bald = np.empty(len(candidates.ids))
        votes = np.empty((len(candidates.ids), len(codes)), np.int8)
        for at in range(0, len(bald), _BLOCK):
            points = space.apply(candidates.vectors[at : at + _BLOCK])
            shares = np.stack([member.shares(points) for member in members])
            bald[at : at + _BLOCK] = _information(shares)
            votes[at : at + _BLOCK] = _votes(shares)

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            return tuple(_reason(codes, votes[i]) for i in best)

        return query_best(candidates, bald, n, rng, explain)


def _members(
    points: npt.NDArray[np.float32], labelled: LabelledCells, rng: np.random.Generator
) -> list[Discriminant]:
    """Fit discriminant analyses of equal priors to Bayesian bootstraps.

    The weights of Rubin (1981) leave every cell in: a class of one cell stays known.
    """
    _, classes = np.unique(np.array(labelled.codes), return_inverse=True)
    rows = points.astype(np.float64)
    return [
        Discriminant.fit(rows, classes, rng.exponential(size=len(rows)))
        for _ in range(MEMBERS)
    ]


def _information(shares: Floats) -> Floats:
    """Return entropy of the mean less mean entropy, float64[n], of [member, n, k]."""

    def entropy(p: Floats) -> Floats:
        bits: Floats = -(p * np.log2(np.maximum(p, 1e-12))).sum(axis=-1)
        return bits

    gain: Floats = np.maximum(entropy(shares.mean(axis=0)) - entropy(shares).mean(0), 0)
    return gain


def _votes(shares: Floats) -> npt.NDArray[np.int8]:
    k = shares.shape[2]
    votes: npt.NDArray[np.int8] = (
        (shares.argmax(axis=2)[..., None] == np.arange(k)).sum(axis=0).astype(np.int8)
    )
    return votes


def _reason(codes: list[str], votes: npt.NDArray[np.int8]) -> str:
    order = np.argsort(-votes, kind="stable")
    told = [f"{codes[i]} {votes[i]}" for i in order[:3] if votes[i]]
    return f"of {MEMBERS} models: " + ", ".join(told)
