"""Distance between two sets of features, usable from about fifty objects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.neighbours import Points


def kernel_distance(first: Points, second: Points) -> float:
    """Return the unbiased squared maximum mean discrepancy with a cubic kernel.

    The kernel distance of Binkowski et al. 2018, arXiv 1801.01401, on these features.

    Parameters
    ----------
    first, second : float[n, dim], float[m, dim]
        At least two objects each.

    Returns
    -------
    float
        About 0 for equal distributions, and then negative half of the time.
    """
    if min(len(first), len(second)) < 2:
        raise InputError(
            f"A kernel distance was asked of sets of {len(first)} and {len(second)}. "
            "Each needs two objects at least."
        )
    return (
        _mean_off_diagonal(_cubic(first, first))
        + _mean_off_diagonal(_cubic(second, second))
        - 2 * float(_cubic(first, second).mean())
    )


def split_half_distance(
    real: Points, rng: np.random.Generator, repeats: int = 10
) -> tuple[float, float]:
    """Return mean and standard deviation of the kernel distance of random halves.

    The figure that a perfect generator would reach with half as many objects.
    """
    if len(real) < 4:
        raise InputError(
            f"A split-half distance was asked of {len(real)} objects. It needs four at "
            "least."
        )
    values = []
    for _ in range(repeats):
        order = rng.permutation(len(real))
        half = len(real) // 2
        values.append(kernel_distance(real[order[:half]], real[order[half:]]))
    return float(np.mean(values)), float(np.std(values))


def _cubic(first: Points, second: Points) -> npt.NDArray[np.float64]:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    kernel: npt.NDArray[np.float64] = (a @ b.T / a.shape[1] + 1) ** 3
    return kernel


def _mean_off_diagonal(kernel: npt.NDArray[np.float64]) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
