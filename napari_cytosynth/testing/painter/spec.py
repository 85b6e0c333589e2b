"""What to paint, and what was painted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.geometry import Box
from napari_cytosynth.testing.painter.looks import PROPORTIONS
from napari_cytosynth.testing.painter.optics import Optics


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """What to paint.

    Parameters
    ----------
    width, height : int
        Pixels.
    cells : int
        Marked objects: nucleated cells, smudges and artefacts.
    mpp : float
        Micrometres a pixel.
    mix : mapping of concept to float
        Share of each class.
    clumping : float
        Share of cells that lie against another one.
    red_cells : float
        Red cells for each 1000 square micrometres.
    platelets : float
        Platelets for each 1000 square micrometres.
    fat : float
        Fat droplets for each 100,000 square micrometres.
    unsharp : float
        Share of cells out of focus.
    stain_drift : float
        Change of stain over the slide, as a share.
    falloff : float
        Loss of light from the middle to a corner, as a share.
    optics : Optics
        Microscope and camera.
    """

    width: int
    height: int
    cells: int
    mpp: float = 0.25
    mix: Mapping[str, float] = field(default_factory=lambda: dict(PROPORTIONS))
    clumping: float = 0.45
    red_cells: float = 17.0
    platelets: float = 0.6
    fat: float = 7.0
    unsharp: float = 0.08
    stain_drift: float = 0.10
    falloff: float = 0.07
    optics: Optics = field(default_factory=Optics)


@dataclass(frozen=True, slots=True)
class PaintedCell:
    """One marked object, as painted.

    Parameters
    ----------
    concept : str
        Concept id, as in the built-in taxonomies.
    box : Box
        Around ``outline``; pixels, corner-based.
    outline : float32[k, 2]
        Closed polygon x, y around the whole cell; the last point is not the first.
    edge : bool
        True where the picture's border cuts it.
    defocus : float
        Blur, micrometres; 0 in focus.
    """

    concept: str
    box: Box
    outline: npt.NDArray[np.float32]
    edge: bool
    defocus: float


@dataclass(frozen=True, slots=True)
class PaintedField:
    """A painted picture with its truth.

    Parameters
    ----------
    pixels : uint8[y, x, 3]
        RGB.
    cells : tuple of PaintedCell
        Marked objects, in painting order; coordinates are the whole smear's.
    mpp : float
        Micrometres a pixel.
    origin : (int, int)
        x, y of the first pixel in the whole smear.
    """

    pixels: npt.NDArray[np.uint8]
    cells: tuple[PaintedCell, ...]
    mpp: float
    origin: tuple[int, int] = (0, 0)
