"""Figures of fidelity and diversity, each beside that of as many real cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from napari_cytosynth.metrics.same_size import Beside


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a figure is called and tells.

    Parameters
    ----------
    title : str
        For a table.
    tells : str
        For a person, without its number.
    better : str
        ``"low"``, ``"high"``, or ``"near real"`` where both too low and too high are
        wrong.
    """

    title: str
    tells: str
    better: str


FIGURES: Mapping[str, Meaning] = {
    "fd": Meaning(
        "Frechet distance",
        "how far means and spreads lie apart; biased upwards, so only the figure of "
        "real cells beside it tells what is large",
        "low",
    ),
    "kd": Meaning(
        "kernel distance",
        "how far the sets lie apart (cubic kernel, unbiased): about 0 for real cells",
        "low",
    ),
    "cmmd": Meaning(
        "Gaussian kernel distance",
        "how far the sets lie apart (Gaussian kernel as wide as two real cells lie "
        "apart, unbiased): about 0 for real cells",
        "low",
    ),
    "precision": Meaning(
        "precision", "share of the cells that lie among real ones", "high"
    ),
    "recall": Meaning(
        "recall", "share of the real cells that lie among the cells", "high"
    ),
    "density": Meaning(
        "density", "how thickly real cells lie around the cells", "near real"
    ),
    "coverage": Meaning(
        "coverage", "share of real neighbourhoods that hold a cell", "high"
    ),
    "vendi": Meaning(
        "Vendi score", "how many different cells there seem to be", "high"
    ),
    "agreement": Meaning(
        "class agreement",
        "share that a validator, fitted on other real cells, gives the same class",
        "high",
    ),
    "macro_f1": Meaning(
        "macro-F1 of the validator",
        "the same over precision and recall, classes weighing the same",
        "high",
    ),
}
"""Every figure by its key, in the order of a table."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one class.

    Parameters
    ----------
    key : str
        Of :data:`FIGURES`.
    beside : Beside or None
        The figure of synthetic cells and that of as many real ones; None where it is
        hidden.
    hidden : str
        Why; empty where it is shown.
    """

    key: str
    beside: Beside | None
    hidden: str = ""

    def __str__(self) -> str:
        title = FIGURES[self.key].title
        if self.beside is None:
            return f"{title}: not shown, {self.hidden}"
        b = self.beside
        return f"{title} {b.value:.3g} (real cells {b.real:.3g}; n = {b.n})"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            "key": self.key,
            "beside": beside_to_json(self.beside),
            "hidden": self.hidden,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Figure:
        """Build a figure from what :meth:`to_json` wrote."""
        return cls(value["key"], beside_from_json(value["beside"]), value["hidden"])


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How like real cells the synthetic cells of a class are, and how varied.

    Parameters
    ----------
    code : str
        Class; empty for all of them together.
    real, synthetic : int
        Cells that there are, of which each figure's ``n`` are compared at a time.
    figures : tuple of Figure
        In the order of :data:`FIGURES`.
    """

    code: str
    real: int
    synthetic: int
    figures: tuple[Figure, ...]

    def __getitem__(self, key: str) -> Figure:
        return {figure.key: figure for figure in self.figures}[key]

    def having(self, more: Sequence[Figure]) -> Fidelity:
        """Return the same with more figures, in the order of the table."""
        figures = {f.key: f for f in (*self.figures, *more)}
        ordered = tuple(figures[key] for key in FIGURES if key in figures)
        return Fidelity(self.code, self.real, self.synthetic, ordered)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            "code": self.code,
            "real": self.real,
            "synthetic": self.synthetic,
            "figures": [f.to_json() for f in self.figures],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fidelity:
        """Build it from what :meth:`to_json` wrote."""
        figures = tuple(Figure.from_json(f) for f in value["figures"])
        return cls(value["code"], value["real"], value["synthetic"], figures)


def beside_to_json(beside: Beside | None) -> dict[str, Any] | None:
    """Return a JSON-able mapping, or null where there is none."""
    if beside is None:
        return None
    # JSON knows no NaN: what is undefined is null.
    return {
        key: None if isinstance(value, float) and not isfinite(value) else value
        for key, value in asdict(beside).items()
    }


def beside_from_json(given: Mapping[str, Any] | None) -> Beside | None:
    """Build what :func:`beside_to_json` wrote."""
    if given is None:
        return None
    value, spread, real, real_spread = (
        float("nan") if given[k] is None else float(given[k])
        for k in ("value", "spread", "real", "real_spread")
    )
    n, repeats = int(given["n"]), int(given["repeats"])
    return Beside(value, spread, real, real_spread, n, repeats)
