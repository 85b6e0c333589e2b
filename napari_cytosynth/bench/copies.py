"""Which painted cells are copies, by the rules of the copy critic, before any critic.

A cell is a copy that lies nearer to a real one than a third of the way to the next, or
nearer than real cells lie to one another in 99 of 100 cases.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.metrics.copying import THIRD
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.synthesis.likeness import nearest_pictures, picture_bar
from napari_cytosynth.synthesis.starter import (
    FOLDER,
    load_look_bar,
    load_starter,
    load_training_looks,
    load_training_thumbnails,
)
from napari_cytosynth.synthesis.thumbnails import Thumbnails, thumbnails

Flags = npt.NDArray[np.bool_]


def copies_of_cells(crops: Crops, real: Crops) -> Flags:
    """Tell which pictures are copies of the given real cells.

    Parameters
    ----------
    crops, real : uint8[n, 96, 96, 3], uint8[m, 96, 96, 3]
        Pictures, and real cells.
    """
    small = thumbnails(real)
    bar = picture_bar(real, small, np.random.default_rng(0))
    return _copied(crops, small, bar)


def copies_of_training(crops: Crops, folder: Path = FOLDER) -> Flags:
    """Tell which pictures are copies of cells that trained the shipped weights."""
    return _copied(crops, *load_training_thumbnails(folder))


def _copied(crops: Crops, small: Thumbnails, bar: float) -> Flags:
    near, _ = nearest_pictures(crops, small, 2)
    return near[:, 0] < np.maximum(bar, THIRD * near[:, 1])


def looks_of_training(vectors: Vectors, folder: Path = FOLDER) -> Flags | None:
    """Tell which embeddings are copies of those of the training cells.

    Returns
    -------
    bool[n] or None
        None where no looks ship with the weights.
    """
    real, space = load_training_looks(folder), load_starter(folder).space
    if space is None or not len(real):
        return None
    known = real.astype(np.float64)
    near, _ = nearest(space.looks(vectors), known, 2)
    return near[:, 0] < np.maximum(load_look_bar(folder), THIRD * near[:, 1])
