"""Joining training sets, and how many synthetic rows of each class may train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import TrainingSet, Vectors
from napari_cytosynth.core.training import balanced

SYNTHETIC_CAP = 10
"""Synthetic cells of a class that may train, for each real one; one real at least is
counted, so that a class without real cells can still be looked for.

The gains of synthetic pictures saturate there (Sagers et al. 2023, arXiv 2308.12453).
"""


SYNTHETIC_WEIGHT = 1.0
"""What the synthetic rows of a class weigh at most, in units of its real ones.

The middle of painted cells lies farther from that of their class than the middle of a
few real ones does: many of them would drag it along.
"""


def joined(
    real: TrainingSet, vectors: Vectors, codes: Sequence[str], *, rebalance: bool = True
) -> TrainingSet:
    """Return a training set with further vectors, such as accepted synthetic ones.

    Parameters
    ----------
    real : TrainingSet
        What there is.
    vectors, codes : float32[m, dim], sequence of str
        What is added, at weight 1, or less where there is more of it in a class than
        :data:`SYNTHETIC_WEIGHT` allows.
    rebalance : bool
        Let all classes weigh the same afterwards, whatever the weights were.
    """
    everything = (*real.codes, *codes)
    added = _light(codes, real.codes)
    weights = np.concatenate([real.weights, added])
    if rebalance:
        weights = balanced(
            everything, np.concatenate([np.ones(len(real.codes)), added])
        )
    return TrainingSet(np.concatenate([real.vectors, vectors]), everything, weights)


def _light(codes: Sequence[str], real: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the weight of each synthetic row; 1 where its class has no real one."""
    there, here = Counter(real), Counter(codes)
    share = {
        code: min(1.0, SYNTHETIC_WEIGHT * there[code] / n) if there[code] else 1.0
        for code, n in here.items()
    }
    return np.array([share[code] for code in codes], np.float64)


def capped(
    codes: Sequence[str],
    real: Sequence[str],
    rng: np.random.Generator,
    cap: int = SYNTHETIC_CAP,
) -> npt.NDArray[np.intp]:
    """Choose which synthetic rows may train: at most ``cap`` for each real cell.

    Parameters
    ----------
    codes : sequence of str
        Class of each synthetic row.
    real : sequence of str
        Class of each real training cell.

    Returns
    -------
    intp[k]
        Positions in ``codes``, ascending.
    """
    chosen = []
    for code in sorted(set(codes)):
        rows = np.flatnonzero(np.asarray(codes, dtype=np.str_) == code)
        limit = cap * max(list(real).count(code), 1)
        chosen.append(rng.permutation(rows)[:limit])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.intp)
