"""Whether an independent validator takes a cell for the class it was asked for.

The validator is a discriminant analysis of shrunk covariance and equal priors, trained
on features other than the classifier's. It is cross-fitted: how it treats real cells
that it has not seen sets the bar for synthetic ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Batch, LabelledCells, Reference, Vectors
from napari_cytosynth.core.provenance import Assessment, SyntheticCell, SyntheticVector
from napari_cytosynth.synthesis.critics import MIN_REAL

FOLDS = 4
"""Parts of the real cells; each is judged by a model of the others."""

PRECISION = 0.9
"""Precision on real cells that the bar is set for, classes being equally common."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Validator:
    """Models of the folds, and the probability from which each class is believed.

    ``bars`` maps a code to the bar and the precision that real cells reach there.
    """

    models: tuple[Any, ...]
    codes: tuple[str, ...]
    bars: dict[str, tuple[float, float]]

    def probability(self, vectors: Vectors, code: str) -> Floats:
        """Return the mean probability of a class over the folds' models, float64[n]."""
        mean: Floats = np.mean([_column(m, vectors, code) for m in self.models], axis=0)
        return mean


class AgreementCritic:
    """Vetoes what an independent validator does not recognise."""

    key = "agreement"

    def __init__(self) -> None:
        self._known: tuple[Reference, bool, _Validator | None] | None = None

    def assess(self, batch: Batch, reference: Reference) -> list[Assessment]:
        """Return one assessment for each item; the score is the class's probability."""
        if not len(batch):
            return []
        cells = isinstance(batch.items[0], SyntheticCell)
        validator = self._validator(reference, cells)
        vectors = _features(batch, reference)
        codes = np.array(_codes(batch))
        found: dict[int, Assessment] = {}
        for code in np.unique(codes).tolist():
            rows = np.flatnonzero(codes == code)
            judged = self._judge(code, vectors[rows], validator, reference)
            found |= dict(zip(rows.tolist(), judged, strict=True))
        return [found[i] for i in range(len(codes))]

    def _judge(
        self,
        code: str,
        vectors: Vectors,
        validator: _Validator | None,
        reference: Reference,
    ) -> list[Assessment]:
        """Judge items that were all asked for as one class."""
        if validator is None or code not in validator.codes:
            reason = _not_calibrated(code, reference.cells)
            unknown = Assessment(
                self.key, 0.0, passed=True, reason=reason, calibrated=False
            )
            return [unknown] * len(vectors)
        n = reference.cells.count(code)
        shares = validator.probability(vectors, code).tolist()
        return [self._compare(code, p, validator.bars[code], n) for p in shares]

    def _compare(
        self, code: str, p: float, bars: tuple[float, float], n: int
    ) -> Assessment:
        bar, precision = bars
        reason = (
            f"p({code}) = {p:.2f} by the validator; real cells of p >= {bar:.2f} are "
            f"{code} in {precision:.0%} of cases "
            f"(n = {n})."
        )
        return Assessment(self.key, p, passed=p >= bar, reason=reason)

    def _validator(self, reference: Reference, cells: bool) -> _Validator | None:
        known = self._known
        if known is None or known[0] is not reference or known[1] is not cells:
            vectors = reference.vectors if cells else reference.cells.vectors
            known = reference, cells, _train(reference.cells, vectors, reference.seed)
            self._known = known
        return known[2]


def _codes(batch: Batch) -> list[str]:
    items: Sequence[SyntheticCell | SyntheticVector] = batch.items
    return [item.code for item in items]


def _features(batch: Batch, reference: Reference) -> Vectors:
    cells = [item for item in batch.items if isinstance(item, SyntheticCell)]
    if cells:
        return reference.embed(np.stack([cell.pixels for cell in cells]))
    vectors = [
        item.vector for item in batch.items if not isinstance(item, SyntheticCell)
    ]
    return np.stack(vectors)


def _not_calibrated(code: str, cells: LabelledCells) -> str:
    n = cells.count(code)
    if n >= MIN_REAL:
        return (
            f"Not calibrated: only class {code} has {MIN_REAL} real cells, so there is "
            "nothing to tell it from. Passed unverified."
        )
    return (
        f"Not calibrated (n = {n}): a validator of class {code} needs {MIN_REAL} real "
        "cells. Passed unverified."
    )


def _train(cells: LabelledCells, vectors: Vectors, seed: int) -> _Validator | None:
    """Cross-fit; None where fewer than two classes have enough real cells."""
    counts = Counter(cells.codes)
    codes = tuple(sorted(c for c, n in counts.items() if n >= MIN_REAL))
    if len(codes) < 2:
        return None
    rows = np.array([i for i, c in enumerate(cells.codes) if c in codes])
    labels = np.array(cells.codes)[rows]
    x = np.asarray(vectors, np.float64)[rows]
    folds = _folds(labels, cells.groups[rows], np.random.default_rng(seed))
    unseen = np.zeros((len(rows), len(codes)))
    models = []
    for fold in range(FOLDS):
        model = _fit(x[folds != fold], labels[folds != fold])
        models.append(model)
        held = folds == fold
        for j, code in enumerate(codes):
            unseen[held, j] = _column(model, x[held], code)
    bars = {c: _bar(unseen[:, j], labels == c, labels) for j, c in enumerate(codes)}
    return _Validator(tuple(models), codes, bars)


def _folds(
    labels: npt.NDArray[np.str_],
    groups: npt.NDArray[np.str_],
    rng: np.random.Generator,
) -> npt.NDArray[np.intp]:
    """Deal groups to folds, or cells class by class where groups are too few."""
    names = np.unique(groups)
    if len(names) >= 2 * FOLDS:
        turn = rng.permutation(len(names)) % FOLDS
        folds = turn[np.searchsorted(names, groups)]
        if all(len(np.unique(folds[labels == c])) > 1 for c in np.unique(labels)):
            return folds
    folds = np.zeros(len(labels), np.intp)
    for code in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == code))
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


def _fit(x: Floats, labels: npt.NDArray[np.str_]) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A class of one cell has no spread to learn, unless nothing else is left.
    names, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    several = counts[inverse] > 1
    if (counts > 1).sum() > 1:
        x, labels = x[several], labels[several]
        names = names[counts > 1]
    classes = len(names)
    analysis = LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage="auto", priors=np.full(classes, 1 / classes)
    )
    return make_pipeline(StandardScaler(), analysis).fit(x, labels)


def _column(model: Any, x: npt.NDArray[np.floating], code: str) -> Floats:
    """Return the probability of a class; 0 where the model never saw it."""
    known = list(model.classes_)
    if code not in known:
        return np.zeros(len(x))
    probability: Floats = model.predict_proba(np.asarray(x, np.float64))[
        :, known.index(code)
    ]
    return probability


def _bar(
    p: Floats, own: npt.NDArray[np.bool_], labels: npt.NDArray[np.str_]
) -> tuple[float, float]:
    """Return the lowest bar of the wanted precision, and the precision there.

    Never above the median real cell of the class, which few cells or close neighbours
    would else demand, and never below an even guess.
    """
    classes, inverse, counts = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    weight = 1 / counts[inverse]
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(weight[order] * own[order])
    precision = hits / np.cumsum(weight[order])
    precise = np.flatnonzero(precision >= PRECISION)
    best = int(precise[-1]) if len(precise) else int(np.argmax(precision))
    bar = max(min(float(p[order][best]), float(np.median(p[own]))), 1 / len(classes))
    above = p >= bar
    reached = weight[above & own].sum() / max(weight[above].sum(), 1e-12)
    return bar, float(reached)
