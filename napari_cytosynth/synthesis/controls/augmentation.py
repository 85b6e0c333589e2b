"""Real cells, and their pictures turned, mirrored and restained, embedded anew.

What costs no generator: a cell has no up, and a stain varies from one day to the next.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import (
    Crops,
    LabelledCells,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.training import balanced, lacking
from napari_cytosynth.synthesis.appearance import lab_to_rgb, rgb_to_lab

CAP = 10
"""Pictures made of each real one at most: each must be embedded, which takes time."""

SHIFT, GAIN = 3.0, 0.06
"""Standard deviations of the change of stain: of L, a and b, and of their contrast."""


class Augmentation:
    """Adds changed pictures of the rare classes, up to the size of the largest.

    Parameters
    ----------
    embed : callable, optional
        The embedder of the cells' vectors, crops to vectors. Without it only
        :meth:`pictures` can be asked.
    """

    key = "augmentation"

    def __init__(self, embed: Callable[[Crops], Vectors] | None = None) -> None:
        self.embed = embed

    def pictures(
        self, cells: LabelledCells, rng: np.random.Generator
    ) -> tuple[Crops, tuple[str, ...]]:
        """Return the changed pictures, uint8[m, 96, 96, 3], and the class of each."""
        codes = np.array(cells.codes, dtype=str)
        rows = [np.zeros(0, np.intp)]
        for code, missing in lacking(cells.codes, CAP).items():
            own = rng.permutation(np.flatnonzero(codes == code))
            rows.append(np.resize(own, missing))
        index = np.concatenate(rows)
        if len(index) and not len(cells.crops):
            raise InputError(
                "Augmentation was given cells without pictures. It changes pictures; "
                "give the crops of the cells, too."
            )
        changed = _changed(cells.crops[index] if len(index) else cells.crops[:0], rng)
        return changed, tuple(cells.codes[i] for i in index)

    def joined(
        self, cells: LabelledCells, vectors: Vectors, codes: tuple[str, ...]
    ) -> TrainingSet:
        """Return real cells and changed ones, weighted so that classes count equally.

        Parameters
        ----------
        vectors, codes : float32[m, dim], tuple of str
            What the embedder made of :meth:`pictures`, and the class of each.
        """
        everything = (*cells.codes, *codes)
        together = np.concatenate([cells.vectors, vectors])
        return TrainingSet(together, everything, balanced(everything))

    def enrich(self, cells: LabelledCells, rng: np.random.Generator) -> TrainingSet:
        """Return every cell, and the embedded pictures.

        Raises
        ------
        InputError
            If there is no embedder, or cells have no pictures.
        """
        if self.embed is None:
            raise InputError(
                "Augmentation was given no embedder. What it adds are pictures; pass "
                "the embedder that made the vectors of the cells."
            )
        crops, codes = self.pictures(cells, rng)
        dim = cells.vectors.shape[1]
        vectors = self.embed(crops) if codes else np.zeros((0, dim), np.float32)
        return self.joined(cells, vectors, codes)


def _changed(crops: Crops, rng: np.random.Generator) -> Crops:
    """Turn, mirror and restain each crop by chance."""
    out = np.empty_like(crops)
    for i, crop in enumerate(crops):
        turned = np.rot90(crop, int(rng.integers(4)))
        turned = turned[:, ::-1] if rng.integers(2) else turned
        out[i] = _restained(turned, rng)
    return out


def _restained(
    crop: npt.NDArray[np.uint8], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    lab = rgb_to_lab(crop)
    middle = lab.mean(axis=(0, 1))
    gain = 1 + GAIN * rng.standard_normal(3)
    shift = SHIFT * rng.standard_normal(3)
    return lab_to_rgb((lab - middle) * gain + middle + shift)
