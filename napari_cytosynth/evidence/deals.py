"""Draws of labelled real cells for a study: to train on, to test on, and to add.

The rarest third of the classes is cut down to a few training cells, as in a project
that has just met them. What was cut off is kept: it tells what more *real* cells would
have brought.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.provenance import refuse_synthetic
from napari_cytosynth.learning.folds import deal_folds

COMMON = 40
"""Training cells of a class that is not rare, at most."""

TESTED = 15
"""Cells of a class, beside its shots, without which it cannot be judged."""

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Deal:
    """One draw.

    Parameters
    ----------
    train, test : LabelledCells
        Real cells of different groups.
    more : LabelledCells
        Real cells of the rare classes that training does without.
    rare : tuple of str
        Classes that were cut down, rarest first.
    seed : int
        What it was drawn by.
    """

    train: LabelledCells
    test: LabelledCells
    more: LabelledCells
    rare: tuple[str, ...]
    seed: int

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes, sorted."""
        return tuple(sorted(set(self.train.codes)))


def judged_classes(cells: LabelledCells, shots: int) -> tuple[str, ...]:
    """Return the classes with shots and test cells enough, rarest first."""
    held = Counter(cells.codes)
    return rarest_first(held, shots + 2 * TESTED, held)


def rarest_first(
    held: Mapping[str, int], least: int, common: Mapping[str, int]
) -> tuple[str, ...]:
    """Return the classes with cells enough, the rarest first.

    Parameters
    ----------
    held : mapping of code to int
        Cells that there are.
    least : int
        Cells without which a class is left out.
    common : mapping of code to int
        How common each class is: ``held``, or in the source of which that is a part.
    """
    kept = [code for code, n in held.items() if n >= least]
    return tuple(sorted(kept, key=lambda code: (common[code], code)))


def rarest_third(names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that are cut down: the first third, one at least."""
    return tuple(names[: max(len(names) // 3, 1)])


def _too_few(cells: LabelledCells, shots: int, enough: int) -> str:
    """Say what is missing, and what helps: fewer shots only where they do."""
    needed = shots + 2 * TESTED
    found = "1 class has" if enough == 1 else f"{enough or 'no'} classes have"
    held = sorted(Counter(cells.codes).values(), reverse=True)
    most = held[1] - 2 * TESTED if len(held) > 1 else 0
    way = f", or use --shots {most}" if most > 0 else ""
    return (
        f"A study of {shots} shots takes two classes of {needed} labelled cells or "
        f"more, {2 * TESTED} beside the shots. Of {len(cells)} cells, {found} so many: "
        f"label more cells{way}."
    )


def deal(cells: LabelledCells, shots: int, seed: int) -> Deal:
    """Draw training and test cells; groups stay whole.

    Parameters
    ----------
    cells : LabelledCells
        Real cells.
    shots : int
        Training cells of each rare class, >= 1.
    seed : int
        Decides chance.

    Raises
    ------
    InputError
        If fewer than two classes have cells enough, or lie on both sides.
    ProvenanceError
        If a cell is not a real one.
    """
    refuse_synthetic(cells, "a study")
    names = judged_classes(cells, shots)
    if len(names) < 2:
        raise InputError(_too_few(cells, shots, len(names)))
    kept, fold = _halved(cells, names, seed)
    names = tuple(code for code in names if code in kept.codes)
    rare = rarest_third(names)
    rng = np.random.default_rng([shots, seed])
    train: list[Rows] = []
    more: list[Rows] = []
    for code in sorted(names):
        own = np.array([c == code for c in kept.codes], bool) & (fold == 0)
        rows = rng.permutation(np.flatnonzero(own))
        few = shots if code in rare else COMMON
        train.append(rows[:few])
        more.append(rows[few:] if code in rare else rows[:0])
    return Deal(
        kept.take(np.concatenate(train)),
        kept.take(np.flatnonzero(fold == 1)),
        kept.take(np.concatenate(more)),
        rare,
        seed,
    )


def _halved(
    cells: LabelledCells, names: tuple[str, ...], seed: int
) -> tuple[LabelledCells, Rows]:
    """Cut cells in two by groups; a class that came to one side only is left out."""
    kept = cells.take(np.array([code in names for code in cells.codes], bool))
    targets = np.searchsorted(sorted(names), kept.codes)
    fold = deal_folds(np.asarray(targets, np.intp), kept.groups, 2, seed)
    codes = np.asarray(kept.codes, np.str_)
    both = np.intersect1d(codes[fold == 0], codes[fold == 1])
    if len(both) < 2:
        raise InputError(
            f"A study was asked of cells of {len(np.unique(kept.groups))} patients, "
            "slides or blocks. These stay whole, and with so few of them no two "
            "classes can both be learned and tested: label cells of others."
        )
    there = np.isin(codes, both)
    return kept.take(there), fold[there]
