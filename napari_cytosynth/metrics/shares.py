"""A share of cells, such as recall, and how far it can be trusted: by patients.

Cells of one patient are right or wrong together, so that ten cells of two patients tell
less than ten of ten. Wilson's interval takes them as independent.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.splits import MIN_GROUPS
from napari_cytosynth.metrics.intervals import Interval, wilson
from napari_cytosynth.metrics.scores import draw_counts, interval_of

_RESAMPLES = 500

Floats = npt.NDArray[np.float64]


def share_among(
    hits: npt.ArrayLike, asked: npt.ArrayLike, groups: npt.NDArray[np.str_]
) -> Interval:
    """Return the share of hits among what is asked of, with a 95 % interval.

    Where what is asked of comes from five groups or more, whole groups are drawn again.
    The interval is at least Wilson's: a bootstrap of ten hits in ten would claim no
    doubt at all. Of fewer groups it is Wilson's, and takes the cells as independent;
    :func:`too_few` tells.

    Parameters
    ----------
    hits, asked : float[n]
        Whether a cell was hit, and asked of; 0..1, as a mean over several runs.
    groups : str[n]
        Patient or slide of each.
    """
    own, there = np.asarray(hits, np.float64), np.asarray(asked, np.float64)
    total = float(there.sum())
    n = round(total)
    found = wilson(min(n * float(own.sum()) / total, n) if n else 0.0, n)
    names, index = np.unique(groups[there > 0], return_inverse=True)
    if too_few(groups[there > 0]):
        return found
    drawn = draw_counts(len(names), _RESAMPLES, np.random.default_rng(0))
    parts, whole = (
        np.bincount(index.ravel(), column[there > 0], len(names))
        for column in (own, there)
    )
    shares: Floats = (drawn @ parts) / (drawn @ whole)
    again = interval_of(shares, n)
    low, high = min(found.low, again.low), max(found.high, again.high)
    return Interval(found.value, low, high, n)


def too_few(groups: npt.NDArray[np.str_]) -> bool:
    """Tell whether cells come from too few groups to draw those again."""
    return len(np.unique(groups)) < MIN_GROUPS
