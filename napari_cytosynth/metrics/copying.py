"""Tell copies of real objects from new ones: rules on nearest-neighbour distances.

The one-third rule is that of Gu et al. 2023, arXiv 2310.02664; the percentile rule
follows Dar et al. 2024, arXiv 2402.01054.
"""

from __future__ import annotations

import numpy as np

from napari_cytosynth.metrics.neighbours import Points, nearest

THIRD = 1.0 / 3.0
"""A copy lies nearer to one real object than a third of the way to the next."""

PERCENTILE = 1.0
"""A copy lies nearer than this percentile of real-to-real distances."""


def copy_threshold(real: Points, percentile: float = PERCENTILE) -> float:
    """Return the distance below which two different real objects hardly ever lie.

    Parameters
    ----------
    real : float[n, dim]
        Real objects; exact repeats among them do not count.
    percentile : float
        0..100.

    Returns
    -------
    float
        That percentile of the distances to the nearest other real object; 0 for n < 2.
    """
    distinct = np.unique(np.asarray(real), axis=0)
    if len(distinct) < 2:
        return 0.0
    distances, _ = nearest(distinct, distinct, 1, leave_out_self=True)
    return float(np.percentile(distances[:, 0], percentile))


def authenticity(fake: Points, real: Points) -> float:
    """Return the share of synthetic objects that are not closer than real ones are.

    A synthetic object is authentic if it lies farther from its nearest real object than
    that one from its own nearest real neighbour (Alaa et al. 2022, arXiv 2102.08921).

    Returns
    -------
    float
        0..1; for perfect samples one half or more. NaN under two real objects.
    """
    if len(real) < 2 or not len(fake):
        return float("nan")
    to_real, index = nearest(fake, real, 1)
    between, _ = nearest(real, real, 1, leave_out_self=True)
    return float((to_real[:, 0] > between[index[:, 0], 0]).mean())
