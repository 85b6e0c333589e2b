"""Distances between two sets of features by a kernel, usable from about fifty objects.

Both are U-statistics: their expectation is 0 for equal distributions at any size. The
usual estimate of CMMD pairs each object with itself too, which is biased upwards by
about one over the size. Sums run over blocks, so that no array of all pairs is held.
"""

from __future__ import annotations

from collections.abc import Callable
from math import fsum

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.neighbours import Points, blocks, squared_distances

Floats = npt.NDArray[np.float64]
Kernel = Callable[[Floats, Floats], Floats]
"""float64[b, dim], float64[m, dim] to float64[b, m]."""


def kernel_distance(first: Points, second: Points) -> float:
    """Return the unbiased squared maximum mean discrepancy with a cubic kernel.

    The kernel distance of Binkowski et al. 2018, arXiv 1801.01401, on these features,
    over all pairs instead of subsets of a fixed size.

    Parameters
    ----------
    first, second : float[n, dim], float[m, dim]
        At least two objects each.

    Returns
    -------
    float
        About 0 for equal distributions, and then negative half of the time.

    Raises
    ------
    InputError
        If either set is too small.
    """
    return _discrepancy(first, second, _cubic)


def gaussian_distance(
    first: Points, second: Points, width: float | None = None
) -> float:
    """Return the unbiased squared maximum mean discrepancy with a Gaussian kernel.

    CMMD (Jayasumana et al. 2024, arXiv 2401.09603) on these features, by the
    U-statistic, and not multiplied by 1000.

    Parameters
    ----------
    first, second : float[n, dim], float[m, dim]
        At least two objects each.
    width : float, optional
        Standard deviation of the kernel; by default :func:`kernel_width` of ``first``.

    Returns
    -------
    float
        -1..2; about 0 for equal distributions, and then negative half of the time.

    Raises
    ------
    InputError
        If either set is too small.
    """
    wide = kernel_width(first) if width is None else width

    def gaussian(a: Floats, b: Floats) -> Floats:
        squared = squared_distances(a, b)
        squared /= -2 * wide**2
        kernel: Floats = np.exp(squared, out=squared)
        return kernel

    return _discrepancy(first, second, gaussian)


def kernel_width(points: Points) -> float:
    """Return the root mean square distance of two different objects of a set.

    It stands in for the usual median of the distances, which it comes near to in many
    dimensions, and needs no distance: it is the root of twice the summed variances.

    Parameters
    ----------
    points : float[n, dim]
        One object at least.

    Returns
    -------
    float
        Above 0; 1 where all objects are the same.
    """
    x = np.asarray(points, np.float64)
    return float(np.sqrt(2 * x.var(axis=0, ddof=min(1, len(x) - 1)).sum())) or 1.0


def _discrepancy(first: Points, second: Points, kernel: Kernel) -> float:
    if min(len(first), len(second)) < 2:
        raise InputError(
            f"A kernel distance was asked of sets of {len(first)} and {len(second)}. "
            "Each needs two objects at least."
        )
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    cross = fsum(kernel(a[rows], b).sum() for rows in blocks(len(a), len(b)))
    return _within(a, kernel) + _within(b, kernel) - 2 * cross / (len(a) * len(b))


def _within(x: Floats, kernel: Kernel) -> float:
    """Return the mean of the kernel over pairs of two different objects."""
    n, sums = len(x), []
    for rows in blocks(n, n):
        values = kernel(x[rows], x)
        own = values[np.arange(len(values)), np.arange(rows.start, rows.stop)]
        sums.append(float(values.sum() - own.sum()))
    return fsum(sums) / (n * (n - 1))


def _cubic(a: Floats, b: Floats) -> Floats:
    kernel = a @ b.T
    kernel /= a.shape[1]
    kernel += 1
    return kernel * kernel * kernel
