"""What a query strategy is shown, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.core.training import LabelledCells, SyntheticVectors, Vectors

if TYPE_CHECKING:
    from napari_cytosynth.core.protocols import DensityModel


@dataclass(frozen=True, slots=True)
class Candidates:
    """The pool that a strategy ranks: real, unlabelled, standing cells.

    Parameters
    ----------
    ids : int64[n]
        Cell ids.
    vectors : float32[n, dim]
        Embeddings.
    probabilities : float32[n, classes] or None
        Calibrated class probabilities, rows sum to 1; None before the first fit.
    codes : tuple of str
        Class code of each probability column.
    taxonomy : Taxonomy
        For names and neighbours.
    counts : mapping of code to int
        Real labelled cells of every class of the taxonomy, zeros included.
    labelled : LabelledCells or None
        Those of the training split, with vectors of the same embedder.
    density : DensityModel or None
        Fitted on the labelled cells.
    synthetic : SyntheticVectors or None
        Of the same embedder; they tell a search what to look for, and are in no count.
    labelled_probabilities : float32[l, classes] or None
        What the head says of the labelled cells, as ``probabilities`` of the pool.
    """

    ids: npt.NDArray[np.int64]
    vectors: Vectors
    probabilities: npt.NDArray[np.float32] | None
    codes: tuple[str, ...]
    taxonomy: Taxonomy
    counts: Mapping[str, int]
    labelled: LabelledCells | None = None
    density: DensityModel | None = None
    synthetic: SyntheticVectors | None = None
    labelled_probabilities: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Cells most worth a label, best first.

    Parameters
    ----------
    ids : int64[k]
        Cell ids.
    utilities : float32[k]
        Descending; the scale is the strategy's own.
    reasons : tuple of str
        One short sentence a cell.
    """

    ids: npt.NDArray[np.int64]
    utilities: npt.NDArray[np.float32]
    reasons: tuple[str, ...]
