"""What passes between a generator and whoever asks it: weights, requests, batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.provenance import SyntheticCell, SyntheticVector
from napari_cytosynth.core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of a generator or head: named arrays and what they are.

    Parameters
    ----------
    tensors : mapping of str to array
        float16, float32 or integer arrays.
    meta : mapping
        JSON-able: generator, architecture, classes, data, counts a class.
    """

    tensors: Mapping[str, npt.NDArray[Any]]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # safetensors writes an array's memory as it lies: a transposed view would come
        # back scrambled.
        rows_first = {k: np.asarray(v, order="C") for k, v in self.tensors.items()}
        object.__setattr__(self, "tensors", rows_first)

    @property
    def sha256(self) -> str:
        """SHA-256 over names, types, shapes and bytes of all tensors."""
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            array = np.ascontiguousarray(self.tensors[name])
            digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Request:
    """What a generator is asked for.

    Parameters
    ----------
    code : str
        Class code in ``taxonomy``.
    count : int
        Draws wanted, >= 1.
    seed : int
        Draw ``i`` depends on ``seed`` and ``i`` only, so a job resumes where it
        stopped.
    start : int
        Number of the first draw; > 0 when resumed or when asking for more.
    taxonomy : Taxonomy
        The project's.
    config : mapping
        JSON-able options of the generator: steps, guidance, ...
    """

    code: str
    count: int
    seed: int
    taxonomy: Taxonomy
    start: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """Draws as they are made, in order of their number.

    Parameters
    ----------
    items : tuple of SyntheticCell, or of SyntheticVector
        The draws.
    start : int
        Number of the first draw of this batch.
    note : str
        Of an empty batch, a sign of life: what is being waited for, for a person.
    """

    items: tuple[SyntheticCell, ...] | tuple[SyntheticVector, ...]
    start: int
    note: str = ""

    def __len__(self) -> int:
        return len(self.items)
