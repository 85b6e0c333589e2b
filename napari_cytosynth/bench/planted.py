"""Synthetic sets whose fault is known, made of real cells' vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.protocols import LabelledCells, Vectors
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.evidence.agreement import measure_agreement
from napari_cytosynth.evidence.fidelity import measure_fidelity
from napari_cytosynth.evidence.findings import Finding, Kind, findings_of
from napari_cytosynth.evidence.memorisation import measure_memorisation
from napari_cytosynth.evidence.sets import Sets, SyntheticSet

TRAIN, HELD_OUT, MADE = 40, 25, 25
"""Cells of each class that train, are held out, and play a generator."""

NEEDED = TRAIN + HELD_OUT + MADE
"""Cells of each class."""

_COPIED, _REPEATED = 0.02, 0.1  # of the spread, by which repeats differ


@dataclass(frozen=True)
class Planted:
    """Real cells of both sides and a set of one class for each fault, and for none.

    Parameters
    ----------
    code, other : str
        The class that is asked for, and that of the off-class cells.
    sets : mapping of Kind to Sets
        Held-out cells of the class are the good set.
    """

    code: str
    other: str
    sets: Mapping[Kind, Sets]


def planted(vectors: Mapping[str, Vectors], seed: int = 0) -> Iterator[Planted]:
    """Yield sets with known faults for each class.

    Parameters
    ----------
    vectors : mapping of code to float32[n, dim]
        :data:`NEEDED` real cells of each of two classes at least.
    seed : int
        Deals the cells, and chooses the other class.
    """
    rng = np.random.default_rng(seed)
    codes = tuple(vectors)
    dealt = {c: v[rng.permutation(len(v))[:NEEDED]] for c, v in vectors.items()}
    train = labelled({c: v[:TRAIN] for c, v in dealt.items()}, 1)
    ends = TRAIN + HELD_OUT
    held_out = labelled({c: v[TRAIN:ends] for c, v in dealt.items()}, len(train) + 1)
    spread = train.vectors.std(axis=0)
    for number, code in enumerate(codes):
        step = 1 + seed % (len(codes) - 1)
        other = codes[(number + step) % len(codes)]
        own, noise = dealt[code], rng.normal(size=(MADE, len(spread))) * spread
        made = {
            Kind.GOOD: own[ends:],
            Kind.COPIES: own[:MADE] + _COPIED * noise,
            Kind.OFF_CLASS: dealt[other][ends:],
            Kind.COLLAPSED: own[ends] + _REPEATED * noise,
        }
        sets = {
            kind: Sets(train, held_out, _made(code, rows), codes, seed)
            for kind, rows in made.items()
        }
        yield Planted(code, other, sets)


def labelled(vectors: Mapping[str, Vectors], first: int) -> LabelledCells:
    """Return cells without pictures, numbered from ``first``, each its own group."""
    codes = tuple(code for code, rows in vectors.items() for _ in rows)
    return LabelledCells(
        np.arange(first, first + len(codes)),
        codes,
        np.zeros((0, CROP_PIXELS, CROP_PIXELS, 3), np.uint8),
        np.concatenate(list(vectors.values())),
        "",
        np.arange(len(codes)).astype(np.str_),
    )


def _made(code: str, rows: Vectors) -> SyntheticSet:
    vectors = np.asarray(rows, np.float32)
    return SyntheticSet(np.arange(len(rows)), (code,) * len(rows), vectors)


def told_of(sets: Sets, code: str) -> tuple[Finding, ...]:
    """Return what the evidence says of one class of a set."""
    agreed = run_to_end(measure_agreement(sets))
    fidelity = run_to_end(measure_fidelity(sets, code)).having(agreed[code])
    copying = {m.code: m for m in run_to_end(measure_memorisation(sets))}
    return findings_of(fidelity, copying.get(code))
