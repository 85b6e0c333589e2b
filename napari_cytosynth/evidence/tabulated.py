"""Figures of an inspection as lines of a table, each with its n, for any page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from napari_cytosynth.evidence.figures import FIGURES, Fidelity
from napari_cytosynth.evidence.inspection import Inspection
from napari_cytosynth.evidence.memorisation import Memorisation, Rate
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.metrics.same_size import Beside

ALL_CLASSES = "all"
TOO_FEW = "too few"

_COPIES = "share nearer than a third of the way to the next training cell: copies"
_AUTHENTIC = "share that is not closer to a real cell than real ones are"
_C_T = "far below 0: nearer to training cells than held-out ones; about 0: new cells"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one class, in words.

    Parameters
    ----------
    code : str
        Class, or :data:`ALL_CLASSES`.
    title, tells : str
        Of the figure.
    synthetic, real : str
        The figure, and that of real cells beside it; ``synthetic`` says why where it is
        hidden, and ``real`` is empty then.
    n : str
        Cells that it rests on; empty where it is hidden.
    """

    code: str
    title: str
    synthetic: str
    real: str
    n: str
    tells: str

    @property
    def words(self) -> tuple[str, str, str, str, str]:
        """Class, figure, synthetic, real and n: a row of a table."""
        return self.code, self.title, self.synthetic, self.real, self.n


def lines_of(inspection: Inspection) -> tuple[Line, ...]:
    """Return fidelity, diversity and memorisation, class by class."""
    copying = {found.code: found for found in inspection.memorisation}
    lines: list[Line] = []
    for fidelity in inspection.classes:
        lines += fidelity_lines(fidelity)
        if fidelity.code in copying:
            lines += memory_lines(copying[fidelity.code])
    return tuple(lines)


def fidelity_lines(found: Fidelity) -> Iterator[Line]:
    """Yield the figures of a class, in the order of :data:`FIGURES`."""
    for figure in found.figures:
        about = FIGURES[figure.key]
        words = _beside(figure.beside) or (figure.hidden, "", "")
        yield Line(found.code or ALL_CLASSES, about.title, *words, about.tells)


def memory_lines(found: Memorisation) -> Iterator[Line]:
    """Yield what tells whether the cells of a class repeat training cells."""
    code = found.code or ALL_CLASSES
    yield Line(code, "copies (1/3 rule)", *_rate(found.third), _COPIES)
    yield Line(code, "authentic", *_rate(found.authentic), _AUTHENTIC)
    words = _beside(found.copying) or (found.hidden, "", "")
    yield Line(code, "C_T", *words, _C_T)


def _beside(beside: Beside | None) -> tuple[str, str, str] | None:
    if beside is None:
        return None
    real = f"{beside.real:.3g} +/- {beside.real_spread:.2g}"
    return f"{beside.value:.3g}", real, str(beside.n)


def _rate(rate: Rate) -> tuple[str, str, str]:
    made, own = rate.synthetic, rate.real
    if own is None:
        return _span(made), TOO_FEW, str(made.n)
    cells = str(made.n) if made.n == own.n else f"{made.n}; {own.n} real"
    return _span(made), _span(own), cells


def _span(share: Interval) -> str:
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"
