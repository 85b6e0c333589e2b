"""What models learn from: real labelled cells, and sets made from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Crops = npt.NDArray[np.uint8]
"""uint8[n, 96, 96, 3], RGB at 0.25 um a pixel."""

Vectors = npt.NDArray[np.float32]
"""float32[n, dim]."""


@dataclass(frozen=True, slots=True)
class LabelledCells:
    """Real labelled cells of the training split.

    Parameters
    ----------
    ids : int64[n]
        Cell ids.
    codes : tuple of str
        Class of each, abstain classes left out.
    crops : uint8[n, 96, 96, 3]
        Pictures; zero rows where only vectors are needed.
    vectors : float32[n, dim]
        Embeddings; zero columns where only pictures are needed.
    embedder : str
        Fingerprint of the embedder of ``vectors``.
    groups : str[n]
        Split key of each (patient, slide or block), for cross-fitting.
    """

    ids: npt.NDArray[np.int64]
    codes: tuple[str, ...]
    crops: Crops
    vectors: Vectors
    embedder: str
    groups: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.ids)

    def count(self, code: str) -> int:
        """Return the number of cells of a class."""
        return self.codes.count(code)

    def take(
        self, index: npt.NDArray[np.integer] | npt.NDArray[np.bool_]
    ) -> LabelledCells:
        """Return the cells at ``index`` (positions or a mask)."""
        where = np.arange(len(self))[index]
        crops = self.crops[where] if len(self.crops) else self.crops
        return LabelledCells(
            self.ids[where],
            tuple(self.codes[i] for i in where),
            crops,
            self.vectors[where],
            self.embedder,
            self.groups[where],
        )


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a head is fitted on.

    Parameters
    ----------
    vectors : float32[n, dim]
        Real, repeated or synthetic vectors.
    codes : tuple of str
        Class of each.
    weights : float64[n]
        Sample weights, > 0.
    """

    vectors: Vectors
    codes: tuple[str, ...]
    weights: npt.NDArray[np.float64]
