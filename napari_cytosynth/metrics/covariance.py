"""A covariance matrix that can be trusted with few samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.metrics.neighbours import Points


def shrunk_covariance(centred: Points) -> tuple[npt.NDArray[np.float64], float]:
    """Return the covariance shrunk towards a multiple of the identity.

    Ledoit and Wolf 2004, doi 10.1016/S0047-259X(03)00096-4.

    Parameters
    ----------
    centred : float[n, dim]
        Samples whose mean (or class means) was taken off; at least one.

    Returns
    -------
    covariance : float64[dim, dim]
        Positive definite unless all samples are 0.
    shrinkage : float
        Weight of the identity, 0..1.
    """
    x = np.asarray(centred, dtype=np.float64)
    n, dim = x.shape
    sample = x.T @ x / n
    level = float(np.trace(sample) / dim)
    distance = float(((sample - level * np.eye(dim)) ** 2).sum())
    fourth = float(((x**2).T @ (x**2)).sum()) / n
    noise = max(fourth - float((sample**2).sum()), 0.0) / n
    shrinkage = 1.0 if distance <= 0 or n < 2 else min(noise / distance, 1.0)
    return (1 - shrinkage) * sample + shrinkage * level * np.eye(dim), shrinkage


def shrunk_factor(centred: Points) -> npt.NDArray[np.float64]:
    """Return the lower Cholesky factor of :func:`shrunk_covariance`.

    Where all samples are 0 a trace of spread is left, so that there is a factor.

    Parameters
    ----------
    centred : float[n, dim]
        As there.

    Returns
    -------
    float64[dim, dim]
    """
    covariance, _ = shrunk_covariance(centred)
    tiny = 1e-6 * max(np.trace(covariance) / len(covariance), 1e-6)
    factor: npt.NDArray[np.float64] = np.linalg.cholesky(
        covariance + tiny * np.eye(len(covariance))
    )
    return factor
