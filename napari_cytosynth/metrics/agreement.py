"""How far two readings of the same cells agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from napari_cytosynth.metrics.intervals import Interval, wilson


def kappa(pairs: Sequence[tuple[str, str]]) -> Interval:
    """Return Cohen's kappa (1960) of two readings, with a 95 % interval.

    The interval is Wilson's of the observed agreement, carried through with the
    agreement by chance held fixed: unlike a bootstrap it does not shrink to a point
    where all pairs agree.

    Parameters
    ----------
    pairs : sequence of (str, str)
        The two classes that each cell was given.

    Returns
    -------
    Interval
        -1..1; NaN and the whole range without pairs, or where all readings are of one
        class, so that chance alone would make them agree.
    """
    n = len(pairs)
    first, second = (Counter(pair[i] for pair in pairs) for i in (0, 1))
    by_chance = sum(first[code] * second[code] for code in first) / max(n * n, 1)
    if not n or by_chance == 1:
        return Interval(float("nan"), -1.0, 1.0, n)
    seen = wilson(sum(a == b for a, b in pairs), n)
    value, low, high = (
        (share - by_chance) / (1 - by_chance)
        for share in (seen.value, seen.low, seen.high)
    )
    return Interval(value, max(low, -1.0), high, n)
