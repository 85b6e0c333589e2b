"""The weights that ship with the ``latent`` generator, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.shipped import read_card, read_checked
from napari_cytosynth.synthesis.appearance import Stain
from napari_cytosynth.synthesis.lookspace import LookSpace
from napari_cytosynth.synthesis.thumbnails import SIDE, Thumbnails

FOLDER = Path(__file__).parent / "weights"
"""Where the shipped weights lie: ``latent.json`` names the files and their SHA-256."""

_WHAT = "the latent generator"


@dataclass(frozen=True)
class Starter:
    """A trained painter as it was shipped.

    Parameters
    ----------
    arrays : mapping of str to array
        Its tensors.
    card : mapping
        ``latent.json``: size, concepts, stains, training, licence, limits.
    sha256 : str
        Of the file.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    card: Mapping[str, Any]
    sha256: str

    @property
    def concepts(self) -> tuple[str, ...]:
        """Concept of each class index."""
        return tuple(self.card["concepts"])

    @property
    def embedder(self) -> str:
        """Fingerprint of the embedder whose vectors it can paint; empty if none."""
        return str(self.card.get("embedder", ""))

    @cached_property
    def space(self) -> LookSpace | None:
        """The looks that it can paint, if it was taught any."""
        return LookSpace.from_arrays(self.arrays)

    def looks_of(
        self, vectors: Sequence[Any], embedder: str
    ) -> npt.NDArray[np.float32]:
        """Return the looks ``float32[n, k]`` of embeddings, one or several.

        Raises
        ------
        InputError
            If they are not vectors of the embedder that these weights know.
        """
        space, given = self.space, np.atleast_2d(np.asarray(vectors, np.float32))
        if space is None:
            raise InputError(
                "The latent generator was given vectors to paint, and its weights know "
                "no embedder. Ask for a class without a vector."
            )
        wanted = space.axes.shape[1]
        if embedder != self.embedder or given.shape[1:] != (wanted,):
            raise InputError(
                f"The latent generator was given vectors of length {given.shape[-1]} "
                f"of embedder '{embedder}' to paint. Its weights know vectors of "
                f"length {wanted} of '{self.embedder}'; embed with that."
            )
        return space.looks(given)

    def stain(self, index: int) -> Stain:
        """Return the colour of the training cells of a class."""
        mean, spread = self.card["stains"][index]
        return Stain(np.array(mean), np.array(spread))


@cache
def load_starter(folder: Path = FOLDER) -> Starter:
    """Read the shipped weights and check them.

    Raises
    ------
    WeightsError
        If a file is missing, damaged, or not the one that the card names.
    """
    card = load_card(folder)
    arrays = _arrays(folder / card["file"], card["sha256"])
    return Starter(arrays, card, card["sha256"])


@cache
def load_training_thumbnails(folder: Path = FOLDER) -> tuple[Thumbnails, float]:
    """Return thumbnails of the cells that trained the weights, and a copy threshold.

    Returns
    -------
    thumbnails : uint8[n, 16, 16]
        None (n = 0) where the weights ship without.
    threshold : float
        First percentile of the distances between different training cells.
    """
    card = load_card(folder)
    if "cells_file" not in card:
        return np.zeros((0, SIDE, SIDE), np.uint8), 0.0
    arrays = _arrays(folder / card["cells_file"], card["cells_sha256"])
    return arrays["thumbnails"], float(card["copy_threshold"])


@cache
def load_training_looks(folder: Path = FOLDER) -> npt.NDArray[np.float16]:
    """Return the looks of the cells that trained the weights, ``float16[n, k]``.

    None (n = 0) where the weights ship without.
    """
    card = load_card(folder)
    if "cells_file" not in card:
        return np.zeros((0, 0), np.float16)
    arrays = _arrays(folder / card["cells_file"], card["cells_sha256"])
    return arrays.get("looks", np.zeros((0, 0), np.float16))


@cache
def load_look_bar(folder: Path = FOLDER) -> float:
    """Return the first percentile of the distances between looks of training cells.

    0 where the weights ship without these.
    """
    return float(load_card(folder).get("look_threshold", 0.0))


@cache
def load_copy_bar(folder: Path = FOLDER) -> float:
    """Return the first percentile of the distances between different training cells.

    0 where the weights ship without these.
    """
    return float(load_card(folder).get("copy_threshold", 0.0))


def load_card(folder: Path = FOLDER) -> Mapping[str, Any]:
    """Read what is known of the shipped weights, and not these themselves.

    Raises
    ------
    WeightsError
        If the card is missing or damaged.
    """
    return read_card(folder / "latent.json", _WHAT)


def _arrays(path: Path, wanted: str) -> dict[str, npt.NDArray[Any]]:
    from safetensors.numpy import load

    arrays: dict[str, npt.NDArray[Any]] = load(read_checked(path, wanted, _WHAT))
    return arrays
