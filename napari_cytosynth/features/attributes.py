"""Reads the attributes of white cells off the vectors of the ``starter`` encoder.

Linear heads, fitted by ``features/_torch/export_attributes.py`` and shipped beside the
encoder's weights: a matrix product, without torch. They tell how sure they are, and
tell nothing of a cell that lies far from those they were fitted on, by the distance of
Lee et al. (2018), arXiv 1807.03888.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.shipped import read_card
from napari_cytosynth.features.attribute_words import TOPICS, Phrase, phrases
from napari_cytosynth.features.checks import read_tensors
from napari_cytosynth.features.starter import FOLDER

CARD = "attributes.json"
_WHAT = "the attribute heads"

_Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the heads say of one cell.

    Parameters
    ----------
    phrases : tuple of Phrase
        What is sure, in the order in which it is said; empty for a strange cell.
    unsure : tuple of str
        Nouns of which nothing is sure.
    concepts : tuple of (str, float)
        Concepts of the classes whose training cells fit all that is said, with their
        share of those cells, largest first; empty where too few fit.
    strange : bool
        True: unlike the cells that the heads were fitted on, so nothing is said.
    """

    phrases: tuple[Phrase, ...] = ()
    unsure: tuple[str, ...] = ()
    concepts: tuple[tuple[str, float], ...] = ()
    strange: bool = False


class AttributeReader:
    """The shipped heads.

    Parameters
    ----------
    folder : Path
        Where ``attributes.json`` and its tensors lie; those that ship by default.

    Attributes
    ----------
    encoder : str
        Fingerprint of the embedder whose vectors it reads; no other's are read.
    dim : int
        Length of those vectors.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """What is known of the heads; WeightsError where it cannot be read."""
        return read_card(self.folder / CARD, _WHAT)

    @property
    def dim(self) -> int:
        """Length of the vectors that it reads."""
        return int(self.card["dim"])

    @property
    def encoder(self) -> str:
        """Fingerprint of the embedder whose vectors it reads."""
        return str(self.card["encoder"])

    def chances(self, vectors: Vectors) -> dict[str, _Floats]:
        """Return float[n, values] for each attribute; rows sum to 1.

        Parameters
        ----------
        vectors : float32[n, dim]
            Of the embedder :attr:`encoder`.

        Raises
        ------
        InputError
            If the vectors have another length.
        WeightsError
            If the heads are missing, damaged, or not those that the card names.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError(
                f"Vectors of shape {vectors.shape} have no attributes. Give "
                f"float32[n, {self.dim}] of the embedder '{self.encoder}'."
            )
        tensors = self._tensors
        scores = vectors.astype(np.float64) @ tensors["weight"].T + tensors["bias"]
        found, start = {}, 0
        for name, values in self.card["values"].items():
            found[name] = _softmax(scores[:, start : start + len(values)])
            start += len(values)
        return found

    def distances(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return float64[n]: squared Mahalanobis distance to the nearest class."""
        tensors = self._tensors
        rows = (vectors.astype(np.float64) - tensors["gate.mean"]) @ tensors["gate.map"]
        centres = tensors["gate.centres"]
        squares = [((rows - centre) ** 2).sum(axis=1) for centre in centres]
        nearest: npt.NDArray[np.float64] = np.min(squares, axis=0)
        return nearest

    def strange(self, vectors: Vectors) -> npt.NDArray[np.bool_]:
        """Return bool[n]: another kind of cell, or too far from all that were seen."""
        tensors = self._tensors
        kinds = _softmax(vectors @ tensors["kinds.weight"].T + tensors["kinds.bias"])
        likely = kinds @ tensors["kinds.familiar"]
        strange: npt.NDArray[np.bool_] = (likely < 0.5) | (
            self.distances(vectors) > self.card["reach"]
        )
        return strange

    def read(self, vectors: Vectors) -> list[Reading | None]:
        """Read the attributes of cells; None for a row that holds NaN.

        Parameters
        ----------
        vectors : float32[n, dim]
            Of the embedder :attr:`encoder`; NaN for a cell without a vector.
        """
        known = ~np.isnan(vectors).any(axis=1)
        chances, far = self.chances(vectors[known]), self.strange(vectors[known])
        found: list[Reading | None] = [None] * len(vectors)
        for row, place in enumerate(np.flatnonzero(known).tolist()):
            found[place] = self._reading(chances, row, bool(far[row]))
        return found

    def training_cells(
        self,
    ) -> tuple[Mapping[str, Sequence[str]], tuple[str, ...], npt.NDArray[np.uint8]]:
        """Return values by attribute, the cells' concepts, and the values they have.

        The last is uint8[cells, attributes], indices into the values.
        """
        tensors, names = self._tensors, self.card["concepts"]
        concepts = tuple(names[i] for i in tensors["cells.classes"].tolist())
        return self.card["values"], concepts, tensors["cells.attributes"]

    def _reading(
        self, chances: Mapping[str, _Floats], row: int, strange: bool
    ) -> Reading:
        if strange:
            return Reading(strange=True)
        values = self.card["values"]
        own = {
            name: dict(zip(values[name], table[row].tolist(), strict=True))
            for name, table in chances.items()
        }
        said = phrases(own, self.card["sure"])
        told = {phrase.noun for phrase in said}
        unsure = tuple(topic.noun for topic in TOPICS if topic.noun not in told)
        return Reading(said, unsure, self._concepts(said))

    def _concepts(self, said: tuple[Phrase, ...]) -> tuple[tuple[str, float], ...]:
        """Return the classes of the training cells that all of this is true of."""
        values, table = self.card["values"], self._tensors["cells.attributes"]
        fits = np.full(len(table), bool(said))
        for phrase in said:
            for name, any_of in phrase.said:
                wanted = [values[name].index(v) for v in any_of if v in values[name]]
                fits &= np.isin(table[:, list(values).index(name)], wanted)
        if fits.sum() < self.card["fitting"]:
            return ()
        names = self.card["concepts"]
        counts = np.bincount(self._tensors["cells.classes"][fits], minlength=len(names))
        order = np.argsort(-counts, kind="stable")
        total = float(counts.sum())
        return tuple((names[i], counts[i] / total) for i in order if counts[i])

    @cached_property
    def _tensors(self) -> Mapping[str, npt.NDArray[Any]]:
        path = self.folder / self.card["file"]
        return read_tensors(path, self.card["sha256"], _WHAT)


def _softmax(scores: _Floats) -> _Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: _Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
