"""Morphology as a haematologist names it, turned into numbers. Needs no weights."""

from __future__ import annotations

import hashlib
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.features.checks import check_crops
from napari_cytosynth.features.colour import colour_features, radial_features
from napari_cytosynth.features.regions import Regions, find_regions
from napari_cytosynth.features.shape import (
    lobe_features,
    relation_features,
    shape_features,
)
from napari_cytosynth.features.texture import texture_features

_VERSION = 2
_BATCH = 64


class MorphologyEmbedder:
    """Measures each cell: size, N/C ratio, lobes, colours, granules, chromatin.

    Turning or mirroring a crop by quarter turns leaves its vector as it was, up to
    rounding. A crop's vector does not depend on the batch it comes in.

    Attributes
    ----------
    key : str
        Fingerprint: name, version and a hash of the feature names. Any change that
        alters the numbers raises the version.
    dim : int
        Number of features.
    feature_names : tuple of str
        Name of each column, such as ``"nucleus.solidity"``.
    """

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Name of each column."""
        return _names()

    @property
    def dim(self) -> int:
        """Number of features."""
        return len(self.feature_names)

    @cached_property
    def key(self) -> str:
        """Fingerprint under which embeddings are stored."""
        digest = hashlib.sha256("\n".join(self.feature_names).encode()).hexdigest()
        return f"morphology-{_VERSION}-{digest[:12]}"

    def embed(self, crops: Crops) -> Vectors:
        """Measure crops.

        Parameters
        ----------
        crops : uint8[n, 96, 96, 3]
            RGB, 0.25 um a pixel.

        Returns
        -------
        float32[n, dim]
            Finite.

        Raises
        ------
        InputError
            If the crops have another shape or type.
        """
        check_crops(crops)
        out = np.empty((len(crops), self.dim), np.float32)
        for start in range(0, len(crops), _BATCH):
            part = crops[start : start + _BATCH]
            out[start : start + len(part)] = _matrix(find_regions(part))
        return out


@cache
def _names() -> tuple[str, ...]:
    blank = np.full((1, CROP_PIXELS, CROP_PIXELS, 3), 255, np.uint8)
    return tuple(_measure(find_regions(blank)))


def _matrix(regions: Regions) -> npt.NDArray[np.float64]:
    return np.nan_to_num(np.stack(list(_measure(regions).values()), axis=1))


def _measure(regions: Regions) -> dict[str, npt.NDArray[np.float64]]:
    nucleus, cell, cytoplasm = regions.nucleus, regions.cell, regions.cytoplasm
    return {
        **shape_features(nucleus, "nucleus"),
        **lobe_features(nucleus),
        **shape_features(cell, "cell"),
        **relation_features(nucleus, cell),
        **colour_features(regions.density, nucleus, "nucleus"),
        **colour_features(regions.density, cytoplasm, "cytoplasm"),
        **radial_features(regions.density, cell),
        **texture_features(
            regions.density, {"nucleus": nucleus, "cytoplasm": cytoplasm}
        ),
    }
