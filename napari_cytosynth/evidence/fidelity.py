"""Fidelity and diversity of synthetic cells, in any embedder's space.

Real cells of both sides of the split stand for what cells look like. Each figure is
taken of half of them and as many synthetic cells, and of the same half and as many of
the other real cells, again and again. Each number of a vector counts from its mean over
all real cells and in units of its spread there, in every figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.figures import FIGURES, Fidelity, Figure
from napari_cytosynth.evidence.sets import ALL, Sets
from napari_cytosynth.metrics.coverage import coverage
from napari_cytosynth.metrics.divergence import gaussian_distance, kernel_distance
from napari_cytosynth.metrics.frechet import frechet_distance
from napari_cytosynth.metrics.neighbours import Points
from napari_cytosynth.metrics.same_size import (
    Halves,
    Measure,
    same_size,
    splits,
    summed_up,
)
from napari_cytosynth.metrics.vendi import vendi_score

FEWEST = 10
"""Cells on each side below which no figure is shown: twice the neighbours of a ball."""

_MOST_REPEATS, _FEWEST_REPEATS, _WORK = 10, 3, 4000


@dataclass(frozen=True)
class _Taken:
    """Figures that are taken together, and how many cells a side they need."""

    keys: tuple[str, ...]
    measure: Measure
    least: Callable[[int], int]
    why: str


def _few(_dim: int) -> int:
    return FEWEST


def _dimensions(dim: int) -> int:
    return max(dim, FEWEST)


def _overlap(real: Points, others: Points) -> Sequence[float]:
    found = coverage(real, others)
    return found.precision, found.recall, found.density, found.coverage


_FEW = "a side of {n} cells is too small, {least} are needed"
_TAKEN = (
    _Taken(
        ("fd",),
        lambda real, others: (frechet_distance(real, others),),
        _dimensions,
        "{n} cells a side are fewer than the {least} dimensions",
    ),
    _Taken(("kd",), lambda r, o: (kernel_distance(r, o),), _few, _FEW),
    _Taken(("cmmd",), lambda r, o: (gaussian_distance(r, o),), _few, _FEW),
    _Taken(("precision", "recall", "density", "coverage"), _overlap, _few, _FEW),
    # A set by itself: the real cells that it is taken of are the other half.
    _Taken(("vendi",), lambda _, others: (vendi_score(others),), _few, _FEW),
)


def repeats_of(n: int) -> int:
    """Return how many splits are drawn: fewer of large sets, which vary less."""
    return int(np.clip(_WORK // max(n, 1), _FEWEST_REPEATS, _MOST_REPEATS))


def measure_fidelity(sets: Sets, code: str = ALL) -> Task[Fidelity]:
    """Take all figures of one class, or of all, save those of a validator.

    Parameters
    ----------
    sets : Sets
        Real and synthetic cells.
    code : str
        Class that was made; empty for all of them together.

    Returns
    -------
    Fidelity
        Figures that so few cells do not bear are hidden, with the reason.
    """
    drawn, made = _splits(sets, code), sets.synthetic.codes
    n, dim = len(drawn[0].half), sets.real_points.shape[1]
    figures: list[Figure] = []
    for part in _TAKEN:
        least = part.least(dim)
        if n < least:
            hidden = part.why.format(n=n, least=least)
            figures += [Figure(key, None, hidden) for key in part.keys]
        else:
            figures += yield from _taken(part, sets, drawn)
    real, fake = sets.rows(sets.real_codes, code), sets.rows(made, code)
    return Fidelity(code, len(real), len(fake), tuple(figures))


def _splits(sets: Sets, code: str) -> list[Halves]:
    """Draw rows of both sets: as many real cells of each class as synthetic ones.

    So the figures over all classes are not those of another mixture.
    """
    codes = sets.made if code == ALL else (code,)
    real = [sets.rows(sets.real_codes, c) for c in codes]
    fake = [sets.rows(sets.synthetic.codes, c) for c in codes]
    sizes = [(len(r), len(f)) for r, f in zip(real, fake, strict=True)]
    repeats = repeats_of(sum(same_size(*size) for size in sizes))
    rng = sets.rng(code)
    each = [list(splits(*size, rng, repeats)) for size in sizes]
    return [
        Halves(
            np.concatenate([r[s.half] for r, s in zip(real, parts, strict=True)]),
            np.concatenate([r[s.other] for r, s in zip(real, parts, strict=True)]),
            np.concatenate([f[s.fake] for f, s in zip(fake, parts, strict=True)]),
        )
        for parts in zip(*each, strict=True)
    ]


def _taken(part: _Taken, sets: Sets, drawn: Sequence[Halves]) -> Task[list[Figure]]:
    real, fake = sets.real_points, sets.synthetic_points
    made: list[Sequence[float]] = []
    own: list[Sequence[float]] = []
    note = FIGURES[part.keys[0]].title
    for number, split in enumerate(drawn):
        half = real[split.half]
        yield Progress(number, len(drawn), note)
        made.append(part.measure(half, fake[split.fake]))
        yield Progress(number, len(drawn), f"{note} of real cells")
        own.append(part.measure(half, real[split.other]))
    n = len(drawn[0].half)
    return [
        Figure(key, summed_up([m[i] for m in made], [o[i] for o in own], n))
        for i, key in enumerate(part.keys)
    ]
