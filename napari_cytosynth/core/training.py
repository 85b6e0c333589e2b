"""What models learn from: real labelled cells, and sets made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
class SyntheticVectors:
    """Vectors of synthetic cells, and drawn ones: they help to search, never to count.

    Parameters
    ----------
    ids : int64[m]
        Number of the synthetic cell; 0 where the vector was drawn and has no picture.
    codes : tuple of str
        Class that each was made for.
    vectors : float32[m, dim]
        Embeddings, in the space of the real cells beside them.
    """

    ids: npt.NDArray[np.int64]
    codes: tuple[str, ...]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.codes)

    def of(self, code: str) -> SyntheticVectors:
        """Return those of one class."""
        return self.take(np.array([c == code for c in self.codes], bool))

    def take(
        self, index: npt.NDArray[np.integer] | npt.NDArray[np.bool_]
    ) -> SyntheticVectors:
        """Return those at ``index`` (positions or a mask)."""
        where = np.arange(len(self))[index]
        codes = tuple(self.codes[i] for i in where)
        return SyntheticVectors(self.ids[where], codes, self.vectors[where])


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


def balanced(
    codes: Sequence[str], weights: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float64]:
    """Return sample weights under which all classes weigh the same.

    Parameters
    ----------
    codes : sequence of str
        Class of each row.
    weights : float64[n], optional
        Weights to keep within a class; equal by default.

    Returns
    -------
    float64[n]
        Mean 1; empty for no rows.
    """
    names, index = np.unique(np.asarray(codes, dtype=np.str_), return_inverse=True)
    own = np.ones(len(index)) if weights is None else np.asarray(weights, np.float64)
    total = np.bincount(index, own, minlength=len(names))
    share: npt.NDArray[np.float64] = own * len(index) / (len(names) * total[index])
    return share


def lacking(codes: Sequence[str], cap: int | None = None) -> dict[str, int]:
    """Return how many rows each class lacks to be as common as the largest.

    Parameters
    ----------
    codes : sequence of str
        Class of each row.
    cap : int, optional
        At most so many for each row that there is.

    Returns
    -------
    mapping of code to int
        In the order of the codes; classes that lack none are left out.
    """
    counts = Counter(codes)
    most = max(counts.values(), default=0)
    missing = {
        code: most - n if cap is None else min(most - n, cap * n)
        for code, n in sorted(counts.items())
    }
    return {code: n for code, n in missing.items() if n}
