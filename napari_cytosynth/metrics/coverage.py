"""How far a synthetic set fills the region of the real one, and all of it.

Precision and recall: Kynkaanniemi et al. 2019, arXiv 1904.06991. Density and
coverage: Naeem et al. 2020, arXiv 2002.09797.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.neighbours import (
    Points,
    blocks,
    nearest,
    squared_distances,
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How two sets overlap.

    Parameters
    ----------
    precision : float
        Share of synthetic objects inside the real region, 0..1.
    recall : float
        Share of real objects inside the synthetic region, 0..1.
    density : float
        Real neighbourhoods around a synthetic object, over ``k``; about 1 for equal
        sets.
    coverage : float
        Share of real neighbourhoods that hold a synthetic object, 0..1; ``1 - 2**-k``
        for equal distributions.
    k : int
        Neighbours that span a neighbourhood.
    real, fake : int
        Sizes of the sets. Print them: all four figures depend on them.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    k: int
    real: int
    fake: int


@dataclass(frozen=True, slots=True)
class _Hits:
    """Which neighbourhoods hold another object, and how many hold each other one.

    ``held`` is bool[n], one for each centre; ``counts`` is int64[m].
    """

    held: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.int64]


def covered(real: Points, fake: Points, k: int = 5) -> npt.NDArray[np.bool_]:
    """Tell which real neighbourhoods hold a synthetic object; their mean is coverage.

    Returns
    -------
    bool[n]
        One for each real object; all false where nothing is synthetic.
    """
    return _hits(real, fake, k).held


def densities(real: Points, fake: Points, k: int = 5) -> npt.NDArray[np.float64]:
    """Return how many real neighbourhoods hold each synthetic object, over ``k``.

    Returns
    -------
    float64[m]
        Their mean is density.
    """
    found: npt.NDArray[np.float64] = _hits(real, fake, k).counts / k
    return found


def _hits(centres: Points, others: Points, k: int) -> _Hits:
    """Find the others nearer to each centre than its k-th neighbour, in blocks."""
    if len(centres) <= k:
        raise InputError(
            f"Coverage was asked of the neighbourhoods of {len(centres)} cells. A "
            f"neighbourhood needs more than {k}; add cells or lower k."
        )
    radius = nearest(centres, centres, k, leave_out_self=True)[0][:, -1]
    hits = _Hits(np.zeros(len(centres), bool), np.zeros(len(others), np.int64))
    for rows in blocks(len(centres), len(others)):
        away = np.sqrt(squared_distances(centres[rows], others))
        inside = away < radius[rows, None]
        hits.held[rows] = inside.any(axis=1)
        hits.counts[:] += inside.sum(axis=0)
    return hits


def coverage(real: Points, fake: Points, k: int = 5) -> Coverage:
    """Compare two sets of features; no array of all pairs is held.

    Parameters
    ----------
    real, fake : float[n, dim], float[m, dim]
        More than ``k`` objects each.

    Raises
    ------
    InputError
        If either set is too small.
    """
    in_real, in_fake = _hits(real, fake, k), _hits(fake, real, k)
    return Coverage(
        precision=float((in_real.counts > 0).mean()),
        recall=float((in_fake.counts > 0).mean()),
        density=float(in_real.counts.mean() / k),
        coverage=float(in_real.held.mean()),
        k=k,
        real=len(real),
        fake=len(fake),
    )
