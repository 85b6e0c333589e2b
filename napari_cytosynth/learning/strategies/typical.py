"""Typical: before any label, the most ordinary cell of each kind that can be seen.

TypiClust: Hacohen, Dekel, Weinshall (2022), Active learning on a budget: opposite
strategies suit high and low budgets, ICML, arXiv 2202.02794. Clusters that hold no
labelled cell come first, the largest before the others; within one, the cell whose
neighbours lie closest.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.space import PoolSpace, in_order
from napari_cytosynth.metrics.neighbours import nearest

CLUSTERS = 100
"""Clusters at most."""

_AHEAD = 20
_NEIGHBOURS = 20
_REACH = 20_000
_ROUNDS = 12

Points = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.intp]


class Typical:
    """Ranks one ordinary cell of each cluster, then the next of each."""

    key = "typical"
    summary = "Ordinary cells of every kind there is: for the first labels."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return ``n`` cells; the utility is one over the rank.

        Of more than 20,000 cells, as many drawn at random are clustered and ranked.
        """
        rows = rng.permutation(in_order(candidates))[:_REACH]
        n = min(max(n, 0), len(rows))
        if not n:
            return Query(candidates.ids[:0], np.zeros(0, np.float32), ())
        space = PoolSpace.of(candidates)
        points = space.apply(candidates.vectors[rows])
        known = points[:0]
        if candidates.labelled is not None and len(candidates.labelled):
            known = space.apply(candidates.labelled.vectors)
        cluster, taken = _clusters(points, known, rng)
        chosen, sizes = _in_turns(points, cluster, taken, n)
        reasons = tuple(f"typical of {size} alike cells" for size in sizes)
        worth = (1 / (1 + np.arange(n))).astype(np.float32)
        return Query(candidates.ids[rows[chosen]], worth, reasons)


def _clusters(
    points: Points, known: Points, rng: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Return the cluster of each point, and the labelled cells of each cluster."""
    everything = np.concatenate([points, known]).astype(np.float64)
    distinct = len(np.unique(everything, axis=0))
    k = min(len(known) + _AHEAD, CLUSTERS, distinct)
    with warnings.catch_warnings():
        # Equal cells make an empty cluster, which harms nothing here.
        warnings.filterwarnings("ignore", message="One of the clusters is empty")
        _, cluster = kmeans2(everything, k, iter=_ROUNDS, minit="++", rng=rng)
    taken = np.bincount(cluster[len(points) :], minlength=k)
    return cluster[: len(points)].astype(np.intp), taken


def _in_turns(
    points: Points, cluster: Numbers, taken: Numbers, n: int
) -> tuple[Numbers, list[int]]:
    """Deal clusters' cells in turns: those without labels first, then the largest."""
    size = np.bincount(cluster, minlength=len(taken))
    order = np.lexsort([-size, taken])
    place = np.empty(len(taken), np.intp)
    place[order] = np.arange(len(taken))
    rank = np.empty(len(points), np.intp)
    for number in np.unique(cluster):
        members = np.flatnonzero(cluster == number)
        apart, _ = nearest(
            points[members], points[members], _NEIGHBOURS, leave_out_self=True
        )
        apart = apart.mean(axis=1) if apart.size else np.zeros(len(members))
        rank[members[np.argsort(apart, kind="stable")]] = np.arange(len(members))
    # A cluster with labels has had as many turns already.
    turns = rank + taken[cluster]
    chosen = np.lexsort([place[cluster], turns])[:n]
    return chosen, [int(size[cluster[i]]) for i in chosen]
