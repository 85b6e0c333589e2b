"""Whether an independent validator takes a cell for the class it was asked for.

It is of another family than the classifier, see
:mod:`napari_cytosynth.synthesis.validators`, and for pictures learns from other
features. It is cross-fitted: how it treats real cells that it has not seen sets the bar
for synthetic ones. It stands where those that pass are right in nine of ten cases, but
never so high that it refuses more than a third of the class's own real cells (as a
conformal predictor would, Vovk et al. 2005): a synthetic cell need not be plainer than
real ones. What passes is passed however near it lies to the bar: cells that are hard to
tell are worth most in training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Batch, LabelledCells, Reference, Vectors
from napari_cytosynth.core.provenance import Assessment, SyntheticCell, SyntheticVector
from napari_cytosynth.synthesis.critics import FEW_REAL, MIN_REAL
from napari_cytosynth.synthesis.likeness import crops_of, vectors_of
from napari_cytosynth.synthesis.validators import (
    NormalValidator,
    ParzenValidator,
    Validator,
)

FOLDS = 4
"""Parts of the real cells; each is judged by a model of the others."""

PRECISION = 0.9
"""Precision on real cells that the bar is set for, classes being equally common."""

PASSING = 2 / 3
"""Share of a class's real cells that its bar lets pass at least, whatever their
precision; but what is less likely than chance never passes.

Of 100 draws of classes on the maturation line, a bar of precision alone passed 0.19;
one that half, two thirds or four fifths of the real cells pass 0.38, 0.57 or 0.76. On
these, another validator reaches 1.07, 0.98 or 0.90 of its macro-F1 on as many real
cells (hashes 6 to 9, 36 real cells a class, 4 seeds)."""

SHRINKAGE = 10
"""Real cells of a class at which its own bar and that of all classes count alike."""

_SUPPORT = 0.1  # share of a class's real cells that must pass a bar to tell of it
_FEWEST = 3  # and at least as many

Floats = npt.NDArray[np.float64]
Item = SyntheticCell | SyntheticVector


@dataclass(frozen=True)
class _Bar:
    """From which probability a class is believed, and what real cells say of that.

    ``passing`` is the share of the class's own that reach it, ``precision`` the share
    of its own among all that do; ``n`` is how many of the class there are.
    """

    height: float
    passing: float
    precision: float
    n: int

    def judge(self, code: str, p: float) -> Assessment:
        few = self.n < FEW_REAL
        reason = (
            f"p({code}) = {p:.2f} by the validator; the bar is {self.height:.2f}, "
            f"which {self.passing:.0%} of the real {code} reach (n = {self.n}); of all "
            f"real cells that reach it, {self.precision:.0%} are {code}."
        )
        if few:
            reason += (
                f" Not calibrated (n = {self.n}): under {FEW_REAL} real cells the bar "
                "is drawn towards that of all classes."
            )
        key = AgreementCritic.key
        return Assessment(key, p, p >= self.height, reason, calibrated=not few)


@dataclass(frozen=True)
class _Jury:
    """Validators of the folds, the fold of each real cell, the bar of each class."""

    models: tuple[Validator, ...]
    folds: dict[int, int]
    bars: dict[str, _Bar]

    def probabilities(self, vectors: Vectors, items: Sequence[Item]) -> list[float]:
        """Return the mean probability of each item's own class over validators.

        Where an item was made from real cells of one fold, only the validator that
        never saw them is asked.
        """
        x = np.asarray(vectors, np.float64)
        codes = np.array([item.code for item in items])
        found = np.zeros((len(self.models), len(items)))
        for code in np.unique(codes).tolist():
            rows = np.flatnonzero(codes == code)
            for model, line in zip(self.models, found, strict=True):
                line[rows] = model.probability(x[rows], code)
        for row, item in enumerate(items):
            seen = {self.folds[p] for p in item.provenance.parents if p in self.folds}
            if len(seen) == 1:
                found[:, row] = found[seen.pop(), row]
        mean: list[float] = found.mean(axis=0).tolist()
        return mean


class AgreementCritic:
    """Vetoes what an independent validator does not recognise."""

    key = "agreement"

    def __init__(self) -> None:
        self._known: tuple[Reference, bool, _Jury | None] | None = None

    def assess(self, batch: Batch, reference: Reference) -> list[Assessment]:
        """Return one assessment for each item; the score is the class's probability."""
        if not len(batch):
            return []
        crops, items = crops_of(batch), _items(batch)
        jury = self._jury(reference, pictures=crops is not None)
        if jury is None:
            return [_abstain(item.code, reference.cells) for item in items]
        vectors = vectors_of(batch) if crops is None else reference.embed(crops)
        shares = jury.probabilities(vectors, items)
        return [
            jury.bars[item.code].judge(item.code, p)
            if item.code in jury.bars
            else _abstain(item.code, reference.cells)
            for item, p in zip(items, shares, strict=True)
        ]

    def _jury(self, reference: Reference, *, pictures: bool) -> _Jury | None:
        known = self._known
        if known is None or known[0] is not reference or known[1] is not pictures:
            known = self._known = (reference, pictures, _train(reference, pictures))
        return known[2]


def _items(batch: Batch) -> Sequence[Item]:
    return batch.items


def _abstain(code: str, cells: LabelledCells) -> Assessment:
    n = cells.count(code)
    why = f"a validator of class {code} needs {MIN_REAL} real cells"
    if n >= MIN_REAL:
        why = (
            f"only class {code} has {MIN_REAL} real cells, so there is nothing to tell "
            "it from"
        )
    reason = f"Not calibrated (n = {n}): {why}. Passed unverified."
    return Assessment(
        AgreementCritic.key, 0.0, True, reason, calibrated=False, abstained=True
    )


def _train(reference: Reference, pictures: bool) -> _Jury | None:
    """Cross-fit; None where fewer than two classes have enough real cells."""
    cells = reference.cells
    counts = Counter(cells.codes)
    codes = sorted(c for c, n in counts.items() if n >= MIN_REAL)
    if len(codes) < 2:
        return None
    rows = np.array([i for i, c in enumerate(cells.codes) if c in codes])
    labels = np.array(cells.codes)[rows]
    x = np.asarray(reference.vectors if pictures else cells.vectors, np.float64)[rows]
    folds = _folds(labels, cells.groups[rows], np.random.default_rng(reference.seed))
    make = NormalValidator if pictures else ParzenValidator
    models: list[Validator] = []
    unseen = np.zeros((len(rows), len(codes)))
    for fold in range(FOLDS):
        models.append(make(x[folds != fold], labels[folds != fold]))
        held = folds == fold
        for j, code in enumerate(codes):
            unseen[held, j] = models[fold].probability(x[held], code)
    numbers = dict(zip(cells.ids[rows].tolist(), folds.tolist(), strict=True))
    return _Jury(tuple(models), numbers, _bars(unseen, labels, codes))


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


def _bars(
    p: Floats, labels: npt.NDArray[np.str_], codes: Sequence[str]
) -> dict[str, _Bar]:
    """Return the bar of each class from float64[n, classes] of unseen real cells.

    Classes count as equally common. Under :data:`FEW_REAL` real cells a class's bar is
    drawn towards that of all classes together.
    """
    names, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weight = 1 / counts[inverse]
    own = labels[:, None] == np.array(codes)
    each = np.repeat(weight[:, None], len(codes), axis=1)
    pooled = _height(p.ravel(), own.ravel(), each.ravel())
    bars = {}
    for j, code in enumerate(codes):
        mine, n = own[:, j], int(own[:, j].sum())
        height = _height(p[:, j], mine, weight)
        if n < FEW_REAL:
            trust = n / (n + SHRINKAGE)
            height = trust * height + (1 - trust) * pooled
        height = max(height, 1 / len(names))
        passing = float((p[mine, j] >= height).mean())
        precision = _precision(p[:, j], mine, weight, height)
        bars[code] = _Bar(height, passing, precision, n)
    return bars


def _height(p: Floats, own: npt.NDArray[np.bool_], weight: Floats) -> float:
    """Return the bar of the wanted precision, but none that refuses too many."""
    return min(_lowest(p, own, weight), _passable(p[own], weight[own]))


def _passable(p: Floats, weight: Floats) -> float:
    """Return the highest bar that :data:`PASSING` of these cells reach, by weight."""
    order = np.argsort(-p, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    return float(p[order][np.searchsorted(reached, PASSING - 1e-9)])


def _lowest(p: Floats, own: npt.NDArray[np.bool_], weight: Floats) -> float:
    """Return the lowest bar of the wanted precision, else that of the best.

    A bar tells something only where enough real cells of the class pass it.
    """
    order = np.argsort(-p, kind="stable")
    mine = own[order]
    hits = np.cumsum(weight[order] * mine)
    precision = hits / np.cumsum(weight[order])
    # Cells of equal probability pass together.
    last = np.append(np.diff(p[order]) != 0, True)
    enough = np.cumsum(mine) >= max(_FEWEST, _SUPPORT * mine.sum())
    told = np.flatnonzero(last & enough)
    precise = told[precision[told] >= PRECISION]
    best = precise[-1] if len(precise) else told[np.argmax(precision[told])]
    return float(p[order][best])


def _precision(
    p: Floats, own: npt.NDArray[np.bool_], weight: Floats, height: float
) -> float:
    above = p >= height
    return float(weight[above & own].sum() / max(weight[above].sum(), 1e-12))
