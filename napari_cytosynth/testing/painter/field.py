"""Paints a field of a marrow smear, and tells what it painted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from skimage.measure import approximate_polygon, find_contours

from napari_cytosynth.core.geometry import Box
from napari_cytosynth.testing.painter import debris
from napari_cytosynth.testing.painter.cell import Place, Stamp, paint_cell
from napari_cytosynth.testing.painter.layout import (
    Extent,
    Places,
    apportion,
    pressing,
    scatter,
)
from napari_cytosynth.testing.painter.looks import (
    ARTEFACT,
    LOOKS,
    PROPORTIONS,
    SMUDGE,
)
from napari_cytosynth.testing.painter.noise import Field, WorldField, band_noise
from napari_cytosynth.testing.painter.optics import Optics, expose


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
    red_cells: float = 5.5
    platelets: float = 0.6
    fat: float = 4.0
    unsharp: float = 0.10
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
        Marked objects, in painting order.
    mpp : float
        Micrometres a pixel.
    """

    pixels: npt.NDArray[np.uint8]
    cells: tuple[PaintedCell, ...]
    mpp: float


class Slide:
    """Optical density of a field while it is being painted.

    Parameters
    ----------
    spec : FieldSpec
        Size and scale.
    """

    def __init__(self, spec: FieldSpec) -> None:
        self.density = np.zeros((spec.height, spec.width, 3), np.float32)
        self.mpp = spec.mpp

    def locate(self, x: float, y: float) -> tuple[int, int, tuple[float, float]]:
        """Return pixel column, row and sub-pixel offset of a point in micrometres."""
        column, row = int(x // self.mpp), int(y // self.mpp)
        return column, row, (x / self.mpp - column, y / self.mpp - row)

    def lay(self, stamp: Stamp, column: int, row: int, hide: float = 0.92) -> None:
        """Lay an object with its middle pixel at (column, row)."""
        n = stamp.cover.shape[0] // 2
        height, width = self.density.shape[:2]
        top, left = max(0, row - n), max(0, column - n)
        bottom, right = min(height, row + n + 1), min(width, column + n + 1)
        if top >= bottom or left >= right:
            return
        rows = slice(top - row + n, bottom - row + n)
        columns = slice(left - column + n, right - column + n)
        below = self.density[top:bottom, left:right]
        below *= 1 - hide * stamp.cover[rows, columns, None]
        below += stamp.density[rows, columns]


def paint_field(spec: FieldSpec, rng: np.random.Generator) -> PaintedField:
    """Paint one field.

    Parameters
    ----------
    spec : FieldSpec
        What to paint.
    rng : numpy.random.Generator
        Chance; the same state paints the same field.

    Returns
    -------
    PaintedField
        Picture and truth.
    """
    extent = Extent(0.0, 0.0, spec.width * spec.mpp, spec.height * spec.mpp)
    crowding = WorldField(0.5 * min(extent.width, extent.height) + 60, rng)
    slide = Slide(spec)
    slide.density += _plasma(spec, rng)
    concepts, radii = _draw_cells(spec, rng)
    places = scatter(extent, radii, crowding, rng)
    _lay_red_cells(slide, spec, (extent, places), rng)
    _lay_fat(slide, spec, (extent, places), rng)
    cells = tuple(
        painted
        for number, concept in enumerate(concepts)
        if (painted := _lay_cell(slide, spec, (places, number, concept), rng))
    )
    _lay_platelets(slide, spec, (extent, places), rng)
    _drift(slide, spec, rng)
    pixels = expose(slide.density, _light(spec), spec.mpp, spec.optics, rng)
    return PaintedField(pixels, cells, spec.mpp)


def _draw_cells(
    spec: FieldSpec, rng: np.random.Generator
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return concepts and radii, the largest first so that all find a place."""
    counts = apportion(spec.mix, spec.cells)
    drawn = [(c, _radius(c, rng)) for c, n in counts.items() for _ in range(n)]
    drawn.sort(key=lambda pair: -pair[1])
    return [c for c, _ in drawn], np.array([r for _, r in drawn])


def _radius(concept: str, rng: np.random.Generator) -> float:
    if concept not in LOOKS:
        return float(rng.uniform(4.0, 8.0))
    looks = LOOKS[concept]
    mean, spread = looks[int(rng.integers(len(looks)))].diameter
    return (
        float(np.clip(rng.normal(mean, spread), mean - 2 * spread, mean + 2 * spread))
        / 2
    )


def _painter(
    concept: str, radius: float
) -> Callable[[Place, np.random.Generator], Stamp]:
    if concept == SMUDGE:
        return debris.paint_smudge
    if concept == ARTEFACT:
        return debris.paint_deposit
    # The stage whose size fits best: small erythroblasts are late ones.
    look = min(LOOKS[concept], key=lambda k: abs(k.diameter[0] - 2 * radius))
    return lambda place, rng: paint_cell(look, place, rng)


def _lay_cell(
    slide: Slide,
    spec: FieldSpec,
    which: tuple[Places, int, str],
    rng: np.random.Generator,
) -> PaintedCell | None:
    places, number, concept = which
    radius = places.radius[number]
    column, row, offset = slide.locate(places.x[number], places.y[number])
    defocus = float(rng.uniform(0.4, 0.9)) if rng.random() < spec.unsharp else 0.0
    sides = pressing(places, number)
    place = Place(radius, spec.mpp, offset, sides, defocus)
    stamp = _painter(concept, radius)(place, rng)
    strength = float(np.clip(rng.normal(1.0, 0.07), 0.8, 1.2))
    slide.lay(Stamp(stamp.density * np.float32(strength), stamp.cover), column, row)
    return _truth(concept, stamp.cover, (column, row), spec, defocus)


def _truth(
    concept: str,
    cover: Field,
    middle: tuple[int, int],
    spec: FieldSpec,
    defocus: float,
) -> PaintedCell | None:
    """Return the truth of a stamp, cut to the picture; None where nothing shows."""
    padded = np.pad(cover, 1)
    contours = find_contours(padded, 0.5)
    if not contours:
        return None
    longest = approximate_polygon(max(contours, key=len), 0.35)[:-1, ::-1]
    n = cover.shape[0] // 2
    # find_contours counts pixel centres; corner-based coordinates add one half.
    outline = longest - 1 + 0.5 + np.array([middle[0] - n, middle[1] - n])
    inside = np.clip(outline, 0, [spec.width, spec.height])
    low, high = inside.min(axis=0), inside.max(axis=0)
    if np.min(high - low) * spec.mpp < 1.5:
        return None
    box = Box(*(round(float(v), 2) for v in (*low, *(high - low))))
    edge = bool(np.any(inside != outline))
    return PaintedCell(concept, box, inside.astype(np.float32), edge, defocus)


def _lay_red_cells(
    slide: Slide,
    spec: FieldSpec,
    around: tuple[Extent, Places],
    rng: np.random.Generator,
) -> None:
    extent, places = around
    count = rng.poisson(spec.red_cells * extent.width * extent.height / 1000)
    rafts = WorldField(70.0, rng)
    mean, spread = debris.RED_CELL_UM
    for _ in range(count):
        radius = float(np.clip(rng.normal(mean, spread), 5.5, 9.5)) / 2
        x, y = _raft_place(extent, rafts, rng)
        if places.gap(x, y, radius) < -0.45 * radius:
            continue
        column, row, offset = slide.locate(x, y)
        defocus = float(rng.uniform(0.3, 0.9)) if rng.random() < 0.25 else 0.0
        place = Place(radius, spec.mpp, offset, (), defocus)
        slide.lay(debris.paint_red_cell(place, rng), column, row, hide=0.25)


def _raft_place(
    extent: Extent, rafts: WorldField, rng: np.random.Generator
) -> tuple[float, float]:
    for _ in range(20):
        x = extent.x + rng.uniform(0, extent.width)
        y = extent.y + rng.uniform(0, extent.height)
        if rng.random() < np.clip(0.35 + 0.9 * float(rafts.at(x, y)), 0.05, 1.0):
            break
    return x, y


def _lay_platelets(
    slide: Slide,
    spec: FieldSpec,
    around: tuple[Extent, Places],
    rng: np.random.Generator,
) -> None:
    extent, places = around
    for _ in range(rng.poisson(spec.platelets * extent.width * extent.height / 1000)):
        x, y = rng.uniform(0, extent.width), rng.uniform(0, extent.height)
        radius = float(rng.uniform(0.9, 1.8))
        if places.gap(x, y, radius) < 0.3:
            continue
        column, row, offset = slide.locate(x, y)
        stamp = debris.paint_platelet(Place(radius, spec.mpp, offset), rng)
        slide.lay(stamp, column, row)


def _lay_fat(
    slide: Slide,
    spec: FieldSpec,
    around: tuple[Extent, Places],
    rng: np.random.Generator,
) -> None:
    extent, places = around
    for _ in range(rng.poisson(spec.fat * extent.width * extent.height / 1e5)):
        x, y = rng.uniform(0, extent.width), rng.uniform(0, extent.height)
        radius = float(rng.gamma(3.0, 2.0) + 1.5)
        if places.gap(x, y, radius) < 0.5:
            continue
        column, row, offset = slide.locate(x, y)
        place = Place(radius, spec.mpp, offset)
        slide.lay(debris.paint_fat(place, rng), column, row, hide=0.97)


def _plasma(spec: FieldSpec, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the faint, uneven film of dried plasma with its specks."""
    shape = (spec.height, spec.width)
    slow = WorldField(120.0, rng).image((0, 0), shape, spec.mpp)
    film = 0.05 + 0.02 * slow + 0.012 * band_noise(shape, 9.0 / spec.mpp, rng)
    film += 0.006 * band_noise(shape, 2.0 / spec.mpp, rng)
    specks = rng.random(shape, dtype=np.float32) < 0.010 * spec.mpp**2
    film += 0.25 * debris.splat(specks.astype(np.float32), 0.4 / spec.mpp)
    tint = np.array([0.85, 1.0, 0.55], np.float32)
    return np.asarray(np.clip(film, 0, None)[..., None] * tint, np.float32)


def _drift(slide: Slide, spec: FieldSpec, rng: np.random.Generator) -> None:
    """Let depth and hue of the stain change slowly over the slide."""
    shape = slide.density.shape[:2]
    depth, hue = (WorldField(350.0, rng).image((0, 0), shape, spec.mpp) for _ in "dh")
    slide.density *= (1 + spec.stain_drift * depth)[..., None]
    slide.density[..., 0] *= 1 + 0.6 * spec.stain_drift * hue
    slide.density[..., 2] *= 1 - 0.6 * spec.stain_drift * hue


def _light(spec: FieldSpec) -> Field:
    """Return the illumination: brightest a little off the middle."""
    y = np.linspace(-1, 1, spec.height, dtype=np.float32)[:, None] + 0.1
    x = np.linspace(-1, 1, spec.width, dtype=np.float32)[None] - 0.15
    return np.asarray(1 - spec.falloff * (x * x + y * y) / 2, np.float32)
