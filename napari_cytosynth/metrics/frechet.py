"""Frechet distance of two sets of features, each taken for a normal distribution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.neighbours import Points

Floats = npt.NDArray[np.float64]


def frechet_distance(first: Points, second: Points) -> float:
    """Return the squared Frechet distance (Dowson and Landau 1982; Heusel et al. 2017).

    ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))``. It is biased upwards, the more so
    the fewer objects there are, and by another amount for each generator (Chong and
    Forsyth 2020, arXiv 1911.07023): compare it at equal sizes only.

    Parameters
    ----------
    first, second : float[n, dim], float[m, dim]
        ``dim`` objects at least, and two.

    Returns
    -------
    float
        At least 0; in the square of the features' unit.

    Raises
    ------
    InputError
        If a set has fewer objects than dimensions: its covariance would be made up.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    least = max(a.shape[1], 2)
    if min(len(a), len(b)) < least:
        raise InputError(
            f"A Frechet distance was asked of sets of {len(a)} and {len(b)} objects in "
            f"{a.shape[1]} dimensions. Each needs {least} at least."
        )
    apart = float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum())
    one, other = _covariance(a), _covariance(b)
    root = _root(one)
    # The product of both has the eigenvalues of this symmetric matrix.
    shared = np.linalg.eigvalsh(root @ other @ root)
    common = float(np.sqrt(np.maximum(shared, 0)).sum())
    return max(apart + float(np.trace(one) + np.trace(other)) - 2 * common, 0.0)


def _covariance(x: Floats) -> Floats:
    centred = x - x.mean(axis=0)
    covariance: Floats = centred.T @ centred / (len(x) - 1)
    return covariance


def _root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
