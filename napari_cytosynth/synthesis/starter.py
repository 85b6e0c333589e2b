"""The weights that ship with the ``latent`` generator, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.shipped import read_card, read_checked
from napari_cytosynth.synthesis.appearance import Stain
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
