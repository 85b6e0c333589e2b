"""Says in words what figures of fidelity and memorisation mean, fault by fault.

A fault is found where synthetic cells do worse than real cells do at the same size, by
more than chance: for shares, where the 95 % intervals of both do not touch; else by
some spreads of the figure. A fault that follows from another is not told twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from napari_cytosynth.evidence.figures import Fidelity
from napari_cytosynth.evidence.memorisation import Memorisation
from napari_cytosynth.metrics.intervals import Interval, wilson
from napari_cytosynth.metrics.same_size import Beside

_ALIKE = 0.7  # of the Vendi score of real cells, below which cells are too much alike
_SPREADS = 3
_SET_SPREADS = 4  # tails of a kernel distance are longer than those of a normal one
_NEARER = -3.0  # C_T, standard deviations


class Kind(StrEnum):
    """What was found."""

    COPIES = "copies"
    OFF_CLASS = "off class"
    COLLAPSED = "too much alike"
    UNLIKE = "unlike real cells"
    NEAR = "near training cells"
    SHIFTED = "different as a set"
    GOOD = "no fault found"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found of one class.

    Parameters
    ----------
    code : str
        Class; empty for all of them together.
    kind : Kind
        What.
    sentence : str
        For a person, with the numbers of synthetic and of real cells.
    """

    code: str
    kind: Kind
    sentence: str

    def __str__(self) -> str:
        return f"{self.code or 'all classes'}: {self.kind}. {self.sentence}"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return {"code": self.code, "kind": str(self.kind), "sentence": self.sentence}


def findings_of(
    fidelity: Fidelity, memorisation: Memorisation | None
) -> tuple[Finding, ...]:
    """Say what is wrong with the synthetic cells of a class, or that nothing is seen.

    Parameters
    ----------
    fidelity : Fidelity
        Figures with those of the validator.
    memorisation : Memorisation or None
        Of the same class; None where training cells were too few.

    Returns
    -------
    tuple of Finding
        One at least: every fault, or :attr:`Kind.GOOD`, or :attr:`Kind.UNKNOWN` where
        too few cells bear a figure. Few real cells are warned of in each.
    """
    faults = dict(_faults(fidelity, memorisation))
    if {Kind.COPIES, Kind.COLLAPSED} & set(faults):
        faults.pop(Kind.NEAR, None)
    if faults.keys() - {Kind.SHIFTED, Kind.NEAR}:
        faults.pop(Kind.SHIFTED, None)
    if Kind.OFF_CLASS in faults:
        faults.pop(Kind.UNLIKE, None)
    told = faults or dict([_nothing(fidelity, memorisation)])
    few = memorisation.warning if memorisation is not None else ""
    caution = f" Caution: {few}." if few else ""
    return tuple(
        Finding(fidelity.code, kind, sentence + caution)
        for kind, sentence in told.items()
    )


def _faults(
    fidelity: Fidelity, memorisation: Memorisation | None
) -> Iterator[tuple[Kind, str]]:
    if memorisation is not None:
        yield from _copies(memorisation)
    yield from _off_class(fidelity)
    yield from _collapsed(fidelity)
    yield from _unlike(fidelity)
    if memorisation is not None:
        yield from _near(memorisation)
    yield from _shifted(fidelity)


def _copies(found: Memorisation) -> Iterator[tuple[Kind, str]]:
    made, real = found.third.synthetic, found.third.real
    if real is not None and made.low > real.high:
        yield (
            Kind.COPIES,
            f"{_percent(made)} lie at less than a third of the distance to the second "
            f"nearest training cell; of {found.beside} {_percent(real)}.",
        )


def _off_class(fidelity: Fidelity) -> Iterator[tuple[Kind, str]]:
    shares = _shares(fidelity, "agreement")
    if shares and shares[0].high < shares[1].low:
        yield (
            Kind.OFF_CLASS,
            "A validator that was fitted on other real cells gives "
            f"{_percent(shares[0])} of them the class that was asked for; of real "
            f"cells of that class {_percent(shares[1])}.",
        )


def _collapsed(fidelity: Fidelity) -> Iterator[tuple[Kind, str]]:
    b = fidelity["vendi"].beside
    if b is None or b.value >= _ALIKE * b.real:
        return
    if b.value < b.real - _SPREADS * max(b.spread, b.real_spread):
        also = _said(fidelity, "recall")
        yield (
            Kind.COLLAPSED,
            f"{b.n} of them look like {b.value:.1f} different cells, {b.n} real ones "
            f"like {b.real:.1f} (Vendi score){also}.",
        )


def _unlike(fidelity: Fidelity) -> Iterator[tuple[Kind, str]]:
    shares = _shares(fidelity, "precision")
    if shares and shares[0].high < shares[1].low:
        yield (
            Kind.UNLIKE,
            f"{_percent(shares[0])} of them lie among real cells; of real ones "
            f"{_percent(shares[1])}.",
        )


def _near(found: Memorisation) -> Iterator[tuple[Kind, str]]:
    b = found.copying
    if b is not None and b.value < b.real + _NEARER:
        yield (
            Kind.NEAR,
            "They lie nearer to training cells than held-out cells do (C_T "
            f"{b.value:.1f}, of held-out cells {b.real:.1f}; n = {b.n}), though not so "
            "near one of them that the one-third rule calls them copies. Averages of "
            "cells look so, and so do altered copies.",
        )


def _shifted(fidelity: Fidelity) -> Iterator[tuple[Kind, str]]:
    b = fidelity["cmmd"].beside
    if b is None:
        return
    bar = b.real + _SET_SPREADS * max(b.spread, b.real_spread)
    if b.value > bar:
        yield (
            Kind.SHIFTED,
            "Each may look real, yet together they can be told from real cells: "
            f"Gaussian kernel distance {b.value:.3g}, of real cells {b.real:.3g} (n = "
            f"{b.n}).",
        )


def _nothing(fidelity: Fidelity, memorisation: Memorisation | None) -> tuple[Kind, str]:
    """Say that no fault was found, if all of them could have been."""
    lacking = [
        word
        for word, there in (
            ("their class", fidelity["agreement"].beside),
            ("their variety", fidelity["vendi"].beside),
            ("copying", memorisation and memorisation.third.real),
        )
        if there is None
    ]
    if lacking or memorisation is None:
        return (
            Kind.UNKNOWN,
            f"{fidelity.synthetic} synthetic and {fidelity.real} real cells are too "
            f"few to judge {' and '.join(lacking)}.",
        )
    b = fidelity["vendi"].beside
    few = "" if b is None else f" With {b.n} cells a side only large faults show."
    copies = _percent(memorisation.third.synthetic)
    return (
        Kind.GOOD,
        "As like real cells and as varied as real cells are among themselves"
        f"{_said(fidelity, 'agreement')}; copies by the one-third rule {copies}.{few}",
    )


def _shares(fidelity: Fidelity, key: str) -> tuple[Interval, Interval] | None:
    """Return a share of synthetic and of real cells with their intervals."""
    b = fidelity[key].beside
    return None if b is None else (_interval(b.value, b), _interval(b.real, b))


def _interval(share: float, beside: Beside) -> Interval:
    return wilson(round(share * beside.n), beside.n)


def _said(fidelity: Fidelity, key: str) -> str:
    figure = fidelity[key]
    return "" if figure.beside is None else f"; {figure}"


def _percent(share: Interval) -> str:
    return f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}]"
