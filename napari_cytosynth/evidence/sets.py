"""What fidelity and memorisation are measured on: real cells of both sides, and others.

Real and synthetic sets are of different types, and each side refuses the other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError, ProvenanceError
from napari_cytosynth.core.protocols import LabelledCells, Vectors
from napari_cytosynth.metrics.scaling import Scaling

ALL = ""
"""Stands for all classes that were made, together, where a class could stand."""

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class SyntheticSet:
    """Vectors of synthetic cells, or drawn ones.

    Parameters
    ----------
    ids : int64[m]
        Numbers of the synthetic cells in their project; of drawn vectors, their rows.
    codes : tuple of str
        Class that each was asked for.
    vectors : float32[m, dim]
        Embeddings.
    """

    ids: npt.NDArray[np.int64]
    codes: tuple[str, ...]
    vectors: Vectors

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.codes) == len(self.vectors):
            raise InputError(
                f"A synthetic set has {len(self.ids)} ids, {len(self.codes)} classes "
                f"and {len(self.vectors)} vectors. Each object needs one of each."
            )

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Sets:
    """Real and synthetic cells in one embedder's space.

    Parameters
    ----------
    train : LabelledCells
        Real cells that a generator may have seen.
    held_out : LabelledCells
        Real cells that it has not.
    synthetic : SyntheticSet
        What is judged.
    classes : tuple of str
        Codes of the classes, in the taxonomy's order; others are left out.
    seed : int
        Decides chance.

    Raises
    ------
    ProvenanceError
        If something else than real cells stands on the real side, or the reverse.
    """

    train: LabelledCells
    held_out: LabelledCells
    synthetic: SyntheticSet
    classes: tuple[str, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train", "held_out"):
            given: object = getattr(self, name)
            if not isinstance(given, LabelledCells):
                raise ProvenanceError(
                    f"{type(given).__name__} was given as the real cells of '{name}'. "
                    "Only real labelled cells may stand there; synthetic ones are what "
                    "is judged."
                )
        made: object = self.synthetic
        if not isinstance(made, SyntheticSet):
            raise ProvenanceError(
                f"{type(made).__name__} was given as the synthetic cells. Pass a "
                "SyntheticSet, so that no real cell is judged as one that was made."
            )

    @cached_property
    def scaling(self) -> Scaling:
        """Units of each feature: its spread over all real cells."""
        return Scaling.of(np.concatenate([self.train.vectors, self.held_out.vectors]))

    @cached_property
    def train_points(self) -> Floats:
        """Scaled vectors of the training cells, float64[n, dim]."""
        return self.scaling(self.train.vectors)

    @cached_property
    def held_out_points(self) -> Floats:
        """Scaled vectors of the held-out cells, float64[h, dim]."""
        return self.scaling(self.held_out.vectors)

    @cached_property
    def synthetic_points(self) -> Floats:
        """Scaled vectors of the synthetic cells, float64[m, dim]."""
        return self.scaling(self.synthetic.vectors)

    @cached_property
    def real_points(self) -> Floats:
        """Scaled vectors of all real cells, training cells first."""
        return np.concatenate([self.train_points, self.held_out_points])

    @property
    def real_codes(self) -> tuple[str, ...]:
        """Class of each row of :attr:`real_points`."""
        return self.train.codes + self.held_out.codes

    @property
    def made(self) -> tuple[str, ...]:
        """Classes that synthetic cells were made of, in order."""
        return tuple(code for code in self.classes if code in set(self.synthetic.codes))

    def rows(self, codes: tuple[str, ...], code: str) -> Rows:
        """Return where a class stands among ``codes``; for :data:`ALL`, any made."""
        known = {code} if code != ALL else set(self.made)
        return np.array([i for i, c in enumerate(codes) if c in known], np.intp)

    def rng(self, *what: str) -> np.random.Generator:
        """Return chance for one part, whichever other parts are measured."""
        words = [int.from_bytes(word.encode(), "big") for word in what]
        return np.random.default_rng([self.seed, *words])
