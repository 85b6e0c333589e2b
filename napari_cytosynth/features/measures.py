"""What can be measured of a cell in its crop, without a model: sizes and N/C ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.features.checks import check_crops
from napari_cytosynth.features.regions import find_regions
from napari_cytosynth.features.shape import UM2_PER_PIXEL, lobe_features

AGREEMENT = 0.65
"""Smaller over larger area that outline and crop must at least share."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measures:
    """Numbers of one cell; None where they would be a guess.

    Parameters
    ----------
    nc_ratio : float or None
        Area of the nucleus over that of the cell, 0..1.
    cell_um, nucleus_um : float or None
        Diameter of the disc of the same area, micrometres.
    parts : int or None
        Parts of the nucleus that do not touch, >= 1.
    """

    nc_ratio: float | None = None
    cell_um: float | None = None
    nucleus_um: float | None = None
    parts: int | None = None

    def sentence(self) -> str:
        """Say them: "N/C 0.38, cell 14.1 um, nucleus 8.7 um in 2 parts"; or nothing."""
        if self.nc_ratio is None:
            return ""
        apart = f" in {self.parts} parts" if (self.parts or 0) > 1 else ""
        return (
            f"N/C {self.nc_ratio:.2f}, cell {self.cell_um:.1f} µm, "
            f"nucleus {self.nucleus_um:.1f} µm{apart}"
        )


def measure(crops: Crops, areas: _Floats) -> tuple[Measures, ...]:
    """Measure the central cell of every crop.

    Nucleus and cell are found in the crop. Where the cell found there is not about as
    large as its outline, or there is no outline, nothing is told.

    Parameters
    ----------
    crops : uint8[n, 96, 96, 3]
        RGB, 0.25 um a pixel.
    areas : float64[n]
        Area within each cell's outline, square micrometres; NaN where it has none.

    Raises
    ------
    InputError
        If the crops have another shape or type.
    """
    check_crops(crops)
    if not len(crops):
        return ()
    regions = find_regions(crops)
    nucleus, cell = (
        mask.sum(axis=(1, 2)) * UM2_PER_PIXEL
        for mask in (regions.nucleus, regions.cell)
    )
    parts = lobe_features(regions.nucleus)["lobes.parts"]
    with np.errstate(invalid="ignore"):
        shared = np.minimum(cell, areas) / np.maximum(cell, areas)
    return tuple(
        Measures(float(n / c), _diameter(c), _diameter(n), int(k))
        if agreed
        else Measures()
        for n, c, k, agreed in zip(
            nucleus, cell, parts, shared >= AGREEMENT, strict=True
        )
    )


def outline_area(outline: npt.NDArray[np.floating]) -> float:
    """Return the area within a polygon float[k, 2], in its own units squared.

    NaN for one that is no outline: fewer than five corners, such as a box.
    """
    if len(outline) < 5:
        return float("nan")
    x, y = outline.astype(np.float64).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def areas_of(
    outlines: Sequence[npt.NDArray[np.floating]], mpp: Sequence[float]
) -> _Floats:
    """Return float64[n]: area within each outline, square micrometres."""
    pairs = zip(outlines, mpp, strict=True)
    return np.array([outline_area(o) * m**2 for o, m in pairs], np.float64)


def _diameter(area: float) -> float:
    return float(2 * np.sqrt(area / np.pi))
