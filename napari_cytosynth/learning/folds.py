"""Holding labelled cells out in turn, groups together: nobody is judged by himself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.head import Head, HeadFitter

FOLDS = 5
"""Parts that are held out in turn."""

CELLWISE = "cells were held out one by one: there are too few groups to keep together"
"""What every figure must say where :func:`groups_of` gave each cell its own group."""

Numbers = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


def deal_folds(
    targets: Numbers, groups: npt.NDArray[np.str_], folds: int, seed: int
) -> Numbers:
    """Deal groups out to folds, class by class; -1 where a row is never held out.

    Parameters
    ----------
    targets : intp[n]
        Class number of each row.
    groups : str[n]
        Rows of one group come into one fold; those of group ``""`` into none.
    folds : int
        How many, >= 0; 0 holds nothing out.
    seed : int
        Makes it repeatable.
    """
    rng = np.random.default_rng(seed)
    names, first, index = np.unique(groups, return_index=True, return_inverse=True)
    order = np.lexsort([rng.random(len(names)), targets[first]])
    fold = np.empty(len(names), np.intp)
    fold[order] = np.arange(len(names)) % max(folds, 1)
    if not folds:
        fold[:] = -1
    fold[names == ""] = -1
    return fold[index.ravel()]


def has_groups(cells: LabelledCells) -> bool:
    """Tell whether there are groups enough to hold out whole ones."""
    return len(np.unique(cells.groups)) >= FOLDS


def folds_of(cells: LabelledCells, seed: int) -> Numbers:
    """Return the fold of each labelled cell, intp[n], 0..4; see :data:`CELLWISE`."""
    own = np.arange(len(cells)).astype(np.str_)
    _, targets = np.unique(np.asarray(cells.codes, np.str_), return_inverse=True)
    groups = cells.groups if has_groups(cells) else own
    return deal_folds(targets.ravel(), groups, FOLDS, seed)


def fitted(cells: LabelledCells, fit: HeadFitter) -> Head | None:
    """Return a head of these cells under balanced weights; None without two classes."""
    if len(set(cells.codes)) < 2:
        return None
    training = TrainingSet(cells.vectors, cells.codes, balanced(cells.codes))
    return fit(training, folds=0, seed=0)


def held_out_chances(
    cells: LabelledCells, codes: tuple[str, ...], fit: HeadFitter, *, seed: int = 0
) -> Task[Floats]:
    """Return what heads of the other folds make of each cell.

    Parameters
    ----------
    cells : LabelledCells
        Real cells of the training split.
    codes : tuple of str
        Class of each column wanted.
    fit : callable
        Fits heads.
    seed : int
        Decides the folds.

    Returns
    -------
    float64[n, classes]
        Probabilities; 0 for classes that the other folds lack, NaN in the rows of cells
        that no head could judge.
    """
    fold = folds_of(cells, seed)
    chances = np.full((len(cells), len(codes)), np.nan)
    for part in range(FOLDS):
        yield Progress(part, FOLDS, "reading labels against each other")
        head, out = fitted(cells.take(fold != part), fit), fold == part
        if head is None or not out.any():
            continue
        chances[out] = 0.0
        known = [i for i, code in enumerate(codes) if code in head.codes_]
        columns = [head.codes_.index(codes[i]) for i in known]
        found = head.predict_proba(cells.vectors[out])[:, columns]
        chances[np.ix_(out, known)] = found
    return chances
