"""Labels that the model doubts: confident learning on held-out predictions.

A cell counts as possibly mislabelled where a class other than its own is confidently
predicted: with at least the mean self-confidence of the cells that bear that class. The
pairs so counted are the off-diagonal of the confident joint (Northcutt, Jiang and
Chuang 2021, Confident learning, JAIR 70, arXiv:1911.00068). They are ranked by the
normalised margin, the held-out probability of the label less that of the other class.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.tasks import Task
from napari_cytosynth.learning.folds import CELLWISE, has_groups, held_out_chances
from napari_cytosynth.learning.head import HeadFitter

MIN_CLASS = 5
"""Labels of classes with fewer cells are not doubted: the others tell too little."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Doubt:
    """One label that may be wrong.

    Parameters
    ----------
    cell : int
        Number of the cell.
    given, likely : str
        Its label, and the class that the model takes it for.
    own, other : float
        Held-out probabilities of the two, 0..1.
    """

    cell: int
    given: str
    likely: str
    own: float
    other: float

    @property
    def reason(self) -> str:
        """For a person: ``"MYB? 0.91, labelled MMY 0.04"``."""
        return f"{self.likely}? {self.other:.2f}, labelled {self.given} {self.own:.2f}"


@dataclass(frozen=True, slots=True)
class Doubts:
    """What was found.

    Parameters
    ----------
    found : tuple of Doubt
        Most doubtful first.
    judged : int
        Labels that could be judged.
    unjudged : tuple of str
        Classes whose labels were not judged: fewer than five cells.
    caveat : str
        What limits it; empty where nothing does.
    """

    found: tuple[Doubt, ...] = ()
    judged: int = 0
    unjudged: tuple[str, ...] = ()
    caveat: str = ""

    @property
    def pairs(self) -> dict[tuple[str, str], int]:
        """Doubted labels by (label, likely class): the confident joint's off-diagonal.

        Most frequent first.
        """
        return dict(Counter((d.given, d.likely) for d in self.found).most_common())


def find_doubts(
    cells: LabelledCells, fit: HeadFitter, *, seed: int = 0
) -> Task[Doubts]:
    """Find labels that heads of the other groups doubt.

    Parameters
    ----------
    cells : LabelledCells
        Real cells of the training split.
    fit : callable
        Fits heads.
    seed : int
        Decides the folds.
    """
    counts = Counter(cells.codes)
    codes = tuple(sorted(counts))
    chances = yield from held_out_chances(cells, codes, fit, seed=seed)
    given = np.array([codes.index(code) for code in cells.codes], np.intp)
    enough = np.array([counts[code] >= MIN_CLASS for code in codes], bool)
    judged = ~np.isnan(chances).any(axis=1)
    judged &= enough[given] if len(codes) else judged
    rows = np.flatnonzero(judged)
    likely = confident_class(chances[rows], given[rows])
    off = likely != given[rows]
    rows, likely = rows[off], likely[off]
    own, other = chances[rows, given[rows]], chances[rows, likely]
    found = tuple(
        Doubt(
            int(cells.ids[rows[i]]),
            cells.codes[rows[i]],
            codes[likely[i]],
            float(own[i]),
            float(other[i]),
        )
        for i in np.argsort(own - other, kind="stable")
    )
    unjudged = tuple(code for code in codes if counts[code] < MIN_CLASS)
    caveat = "" if has_groups(cells) else CELLWISE
    return Doubts(found, int(judged.sum()), unjudged, caveat)


def confident_class(
    chances: Floats, given: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Return the class that each cell is confidently taken for, else its own.

    Parameters
    ----------
    chances : float64[n, classes]
        Held-out probabilities.
    given : intp[n]
        Class number of each label. A class without cells has no threshold, and is
        never confident.
    """
    thresholds = np.full(chances.shape[1], np.inf)
    for number in np.unique(given):
        thresholds[number] = chances[given == number, number].mean()
    confident = np.where(chances >= thresholds, chances, -1.0)
    likely = confident.argmax(axis=1) if confident.size else given.copy()
    sure = confident[np.arange(len(given)), likely] >= 0
    return np.where(sure, likely, given).astype(np.intp)
