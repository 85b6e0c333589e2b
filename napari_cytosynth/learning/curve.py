"""The learning curve so far: what heads of the first labels are worth.

Every point is a head fitted anew on the labels given first, in the order in which they
were given, and tried on the same cells as all others. Those are the audit cells, once
there are ten; before that the labels themselves, groups held out in turn, which the
ranking chose: such points can be compared with each other, and say little of a slide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.splits import MIN_AUDIT
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.folds import (
    CELLWISE,
    FOLDS,
    fitted,
    folds_of,
    has_groups,
)
from napari_cytosynth.learning.head import HeadFitter
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.metrics.scores import (
    draw_counts,
    draw_group_counts,
    interval_of,
    numbered,
    weighted_scores,
)
from napari_cytosynth.metrics.shares import share_among

START = 10
"""Labels of the first point, as far as they name two classes."""

POINTS = 8
"""Points at most, evenly spaced on a logarithmic axis."""

_RESAMPLES = 400


class Measure(StrEnum):
    """What the axis of a learning curve says."""

    AUDIT = "accuracy on audit cells"
    CROSS = "cross-validated macro-F1"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One head.

    Parameters
    ----------
    labels : int
        Labels of the training split that it was fitted on, the first ones given.
    score : Interval
        0..1 with its 95 % interval, and the cells that it was tried on.
    """

    labels: int
    score: Interval


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """What was measured.

    Parameters
    ----------
    measure : Measure
        What the points show.
    points : tuple of CurvePoint
        In order of labels; empty while fewer than two classes are labelled.
    labels : int
        Labels of the training split when it was measured.
    caveat : str
        What limits the figures; empty where nothing does.
    """

    measure: Measure = Measure.CROSS
    points: tuple[CurvePoint, ...] = ()
    labels: int = 0
    caveat: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        rows = [
            [p.labels, p.score.value, p.score.low, p.score.high, p.score.n]
            for p in self.points
        ]
        return {
            "measure": str(self.measure),
            "points": rows,
            "labels": self.labels,
            "caveat": self.caveat,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LearningCurve:
        """Build a curve from what :meth:`to_json` wrote."""
        points = tuple(
            CurvePoint(labels, Interval(*score)) for labels, *score in value["points"]
        )
        measure = Measure(value["measure"])
        return cls(measure, points, value["labels"], value["caveat"])


def sizes_to(n: int) -> list[int]:
    """Return how many labels the points of a curve stand at, the last at ``n``."""
    if n <= START:
        return [n] if n else []
    return sorted({round(s) for s in np.geomspace(START, n, POINTS)})


def learning_curve(
    real: LabelledCells, audit: LabelledCells, fit: HeadFitter, *, seed: int = 0
) -> Task[LearningCurve]:
    """Measure the curve.

    Parameters
    ----------
    real : LabelledCells
        Cells of the training split, in the order in which they were labelled.
    audit : LabelledCells
        Audit cells; they measure where there are ten.
    fit : callable
        Fits heads.
    seed : int
        Decides folds and resamples.
    """
    drawn = len(audit) >= MIN_AUDIT
    measure = Measure.AUDIT if drawn else Measure.CROSS
    sizes = sizes_to(len(real))
    fold = folds_of(real, seed)
    points = []
    for done, n in enumerate(sizes):
        yield Progress(done, len(sizes), "drawing the learning curve")
        if drawn:
            score = _on_audit(real.take(np.arange(n)), audit, fit)
        else:
            score = yield from _across(real, np.arange(len(real)) < n, fold, fit, seed)
        if score is not None:
            points.append(CurvePoint(n, score))
    caveat = "" if drawn or has_groups(real) else CELLWISE
    return LearningCurve(measure, tuple(points), len(real), caveat)


def _on_audit(
    first: LabelledCells, audit: LabelledCells, fit: HeadFitter
) -> Interval | None:
    """Return the share of audit cells that a head of these gets right."""
    head = fitted(first, fit)
    if head is None:
        return None
    hits = np.array(head.predict(audit.vectors)) == np.array(audit.codes)
    return share_among(hits, np.ones(len(audit)), audit.groups)


def _across(
    real: LabelledCells,
    first: npt.NDArray[np.bool_],
    fold: npt.NDArray[np.intp],
    fit: HeadFitter,
    seed: int,
) -> Task[Interval | None]:
    """Return macro-F1 over all cells, each judged by first labels of other folds."""
    guesses = np.full(len(real), "", dtype=object)
    for part in range(FOLDS):
        yield Progress(part, FOLDS, "drawing the learning curve")
        out = fold == part
        head = fitted(real.take(first & ~out), fit)
        if head is None:
            return None
        guesses[out] = head.predict(real.vectors[out])
    return _macro_f1(real, guesses.tolist(), np.random.default_rng(seed))


def _macro_f1(
    real: LabelledCells, guesses: Sequence[str], rng: np.random.Generator
) -> Interval:
    """Return macro-F1 over the classes there are, resampled as cells were held out."""
    truth, found, codes = numbered(real.codes, guesses)
    weights = (
        draw_group_counts(real.groups, _RESAMPLES, rng, within=True)
        if has_groups(real)
        else draw_counts(len(truth), _RESAMPLES, rng)
    )
    scores = weighted_scores(truth, found, weights, len(codes))
    # A resample without cells of a class says nothing of it. Were the class left out
    # there, one that fails would be forgotten just where it is rarest.
    f1 = np.where(np.isnan(scores.recall), scores.f1[:1], scores.f1)
    return interval_of(f1.mean(axis=1), len(truth))
