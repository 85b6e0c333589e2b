"""How many different objects a set seems to hold."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.neighbours import Points


def vendi_score(points: Points) -> float:
    """Return the Vendi score with the cosine of two objects as their likeness.

    The exponential of the entropy of the eigenvalues of the kernel matrix over n
    (Friedman and Dieng 2022, arXiv 2210.02410). They are those of the smaller of the
    kernel matrix and the matrix of second moments, so that no more is held than that.

    Parameters
    ----------
    points : float[n, dim]
        One object at least; one of length 0 is like no other.

    Returns
    -------
    float
        1 (all alike) to n (none like another). It grows with n: compare it at equal
        sizes only.

    Raises
    ------
    InputError
        If there is no object.
    """
    x = np.asarray(points, np.float64)
    if not len(x):
        raise InputError("A Vendi score was asked of no cell. It needs one at least.")
    lengths = np.linalg.norm(x, axis=1)
    there = lengths > 0
    unit = x[there] / lengths[there, None]
    small = unit @ unit.T if len(unit) < unit.shape[1] else unit.T @ unit
    shares = np.linalg.eigvalsh(small) / len(x) if len(unit) else np.zeros(0)
    alone = np.full(int((~there).sum()), 1 / len(x))
    shares = np.concatenate([shares[shares > 0], alone])
    return float(np.exp(-(shares * np.log(shares)).sum()))
