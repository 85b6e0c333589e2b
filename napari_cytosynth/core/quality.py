"""What may be wrong with the picture of a cell, and when it is said to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import numpy.typing as npt

MEASURES = ("edge_um", "torn")
"""Columns of what is measured in the pixels around a cell; see :class:`Limits`."""


class Flaw(IntFlag):
    """What is wrong with a cell's picture; several may be."""

    BLURRED = 1
    CUT = 2
    DAMAGED = 4
    OVERLAPPING = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a cell is flagged; chosen on developer pictures of hash 0 to 4.

    Parameters
    ----------
    edge_um : float
        Softness of the sharpest edges, as the sigma of a Gaussian, from which a cell is
        blurred if the smear's other cells are sharper; micrometres.
    edge_ratio : float
        How much softer than the smear's median it is then at least.
    edge_worst_um : float
        Softness from which it is blurred whatever the others are.
    others : int
        Cells of a smear from which its median counts; a smear of fewer cells is
        measured against ``edge_um`` alone.
    torn : float
        Share of a line across the picture where rows or columns do not join, from
        which a cell near it is damaged.
    depth : float
        How deep it lies in another cell, as a share of the smaller one's diameter, from
        which it is overlapping; cells that touch lie flat against one another.
    """

    edge_um: float = 0.5
    edge_ratio: float = 1.5
    edge_worst_um: float = 0.8
    others: int = 8
    torn: float = 0.2
    depth: float = 0.2


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the cells of a table, row by row.

    Parameters
    ----------
    smears : int64[n]
        Smear of each cell.
    edge_um : float32[n]
        Softness of its edges, micrometres; NaN where it was not measured.
    torn : float32[n]
        Share of the worst line near it that does not join, 0..1; NaN likewise.
    cut : bool[n]
        The picture's border cuts it.
    depth : float32[n]
        How deep it lies in another cell, 0..1.
    """

    smears: npt.NDArray[np.int64]
    edge_um: npt.NDArray[np.float32]
    torn: npt.NDArray[np.float32]
    cut: npt.NDArray[np.bool_]
    depth: npt.NDArray[np.float32]


def flaws_of(evidence: Evidence, limits: Limits | None = None) -> npt.NDArray[np.uint8]:
    """Return the :class:`Flaw` bits of each cell, uint8[n]; 0 where nothing is wrong.

    What was not measured is not flagged.
    """
    rule = limits or Limits()
    found = {
        Flaw.BLURRED: _blurred(evidence, rule),
        Flaw.CUT: evidence.cut,
        Flaw.DAMAGED: np.nan_to_num(evidence.torn) >= rule.torn,
        Flaw.OVERLAPPING: evidence.depth >= rule.depth,
    }
    flags = np.zeros(len(evidence.smears), np.uint8)
    for flaw, where in found.items():
        flags[where] |= np.uint8(flaw)
    return flags


def _blurred(evidence: Evidence, rule: Limits) -> npt.NDArray[np.bool_]:
    edges = evidence.edge_um
    known = np.isfinite(edges)
    least = np.full(len(edges), rule.edge_um, np.float32)
    for smear in np.unique(evidence.smears[known]):
        rows = np.flatnonzero(known & (evidence.smears == smear))
        if len(rows) >= rule.others:
            own = rule.edge_ratio * float(np.median(edges[rows]))
            least[rows] = np.clip(own, rule.edge_um, rule.edge_worst_um)
    return np.asarray(known & (np.nan_to_num(edges) >= least), bool)


def words(flaws: int) -> str:
    """Return flaws for a person: ``"blurred, cut"``; empty where there is none."""
    return ", ".join(names(flaws))


def names(flaws: int) -> list[str]:
    """Return flaws as words for a machine: ``["blurred", "cut"]``."""
    return [flaw.name.lower() for flaw in Flaw if int(flaws) & flaw and flaw.name]
