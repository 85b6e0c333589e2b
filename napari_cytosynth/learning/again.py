"""Cells drawn again, patients together: how far a figure of theirs can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.learning.outlook import Source
from napari_cytosynth.metrics.scores import draw_counts, draw_group_counts
from napari_cytosynth.metrics.shares import too_few

RESAMPLES = 300

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Again:
    """Cells, groups together where there are enough, and repeats, drawn again.

    Parameters
    ----------
    weights : mapping of Source to float64[1 + resamples, n]
        How often each cell was drawn; ones in the first row.
    turns : float64[1 + resamples, repeats]
        What each repeat counts; rows sum to 1.
    rng : Generator
        Draws in the place of resamples that hold no cell of a class.
    """

    weights: Mapping[Source, Floats]
    turns: Floats
    rng: np.random.Generator

    @classmethod
    def of(
        cls,
        real: LabelledCells,
        audit: LabelledCells,
        repeats: int,
        rng: np.random.Generator,
    ) -> Again:
        """Draw the labelled and the audit cells, and so many repeats."""
        weights = {
            source: _weights(cells.groups, rng)
            for source, cells in ((Source.CROSS, real), (Source.AUDIT, audit))
        }
        return cls(weights, draw_counts(repeats, RESAMPLES, rng) / repeats, rng)

    def recalls(
        self, hits: Floats, source: Source, own: npt.NDArray[np.intp]
    ) -> Floats:
        """Return float64[1 + resamples, s]: recall of some cells, first as it is."""
        weights = self.weights[source][:, own]
        total = weights.sum(axis=1)
        # All patients of a rare class may be left out: another resample stands in.
        there = np.flatnonzero(total)
        rows = np.where(
            total > 0, np.arange(len(total)), self.rng.choice(there, len(total))
        )
        each = np.einsum("bn,rsn->brs", weights[rows], hits[:, :, own])
        each /= total[rows, None, None]
        found: Floats = np.einsum("br,brs->bs", self.turns, each)
        return found


def _weights(groups: npt.NDArray[np.str_], rng: np.random.Generator) -> Floats:
    if too_few(groups):
        return draw_counts(len(groups), RESAMPLES, rng)
    return draw_group_counts(groups, RESAMPLES, rng, within=True)
