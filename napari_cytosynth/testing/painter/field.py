"""Paints a field, or any tile of a large smear, and tells what it painted."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from skimage.measure import approximate_polygon, find_contours

from napari_cytosynth.core.geometry import Box
from napari_cytosynth.testing.painter.cell import Stamp, splat
from napari_cytosynth.testing.painter.layout import (
    FAT,
    PLATELET,
    RED_CELL,
    Extent,
    Item,
    Layout,
    apportion,
)
from napari_cytosynth.testing.painter.noise import Field, WorldField, band_noise
from napari_cytosynth.testing.painter.optics import expose
from napari_cytosynth.testing.painter.spec import FieldSpec, PaintedCell, PaintedField
from napari_cytosynth.testing.painter.stamps import Stock, paint_item

_HIDES = {RED_CELL: 0.3, FAT: 0.97}
_UNMARKED = {RED_CELL, PLATELET, FAT}


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
    scene = Scene(spec, rng)
    extent = Extent(0.0, 0.0, spec.width * spec.mpp, spec.height * spec.mpp)
    items = scene.layout.items(extent, apportion(spec.mix, spec.cells), rng)
    tile = Tile(0, 0, spec.width, spec.height)
    return scene.paint(tile, items, rng)


class Tile:
    """Optical density of a rectangle of the slide while it is being painted.

    Parameters
    ----------
    x, y, width, height : int
        Level-0 pixels.
    """

    def __init__(self, x: int, y: int, width: int, height: int) -> None:
        self.x, self.y = x, y
        self.density = np.zeros((height, width, 3), np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.density.shape[0], self.density.shape[1]

    def lay(self, stamp: Stamp, column: int, row: int, hide: float) -> None:
        """Lay an object with its middle pixel at (column, row) of the slide."""
        n = stamp.cover.shape[0] // 2
        height, width = self.shape
        column, row = column - self.x, row - self.y
        top, left = max(0, row - n), max(0, column - n)
        bottom, right = min(height, row + n + 1), min(width, column + n + 1)
        if top >= bottom or left >= right:
            return
        rows = slice(top - row + n, bottom - row + n)
        columns = slice(left - column + n, right - column + n)
        below = self.density[top:bottom, left:right]
        below *= 1 - hide * stamp.cover[rows, columns, None]
        below += stamp.density[rows, columns]


class Scene:
    """A slide: its layout and its slow changes of plasma, stain and light.

    Parameters
    ----------
    spec : FieldSpec
        What to paint.
    rng : numpy.random.Generator
        Chance of the slow changes.
    variety : int
        Stamps of each kind and size that are used again; 0 paints each cell anew.
    """

    def __init__(
        self, spec: FieldSpec, rng: np.random.Generator, *, variety: int = 0
    ) -> None:
        self.spec = spec
        self._stock = Stock(variety, spec.mpp) if variety else None
        self.layout = Layout(spec, rng)
        self._film = WorldField(120.0, rng)
        self._strands = WorldField(55.0, rng), WorldField(130.0, rng)
        self._depth = WorldField(350.0, rng)
        self._hue = WorldField(350.0, rng)

    def paint(
        self, tile: Tile, items: Iterable[Item], rng: np.random.Generator
    ) -> PaintedField:
        """Paint ``items`` on a tile; those that do not reach it cost nothing."""
        tile.density += self._plasma(tile, rng)
        cells = [found for item in items if (found := self._lay(tile, item))]
        self._drift(tile)
        light = self._light(tile)
        pixels = expose(tile.density, light, self.spec.mpp, self.spec.optics, rng)
        return PaintedField(pixels, tuple(cells), self.spec.mpp, (tile.x, tile.y))

    def _lay(self, tile: Tile, item: Item) -> PaintedCell | None:
        """Lay one object; return its truth if it is marked and this tile owns it."""
        mpp = self.spec.mpp
        column, row = int(item.x // mpp), int(item.y // mpp)
        reach = (2.0 * item.radius + 4.0) / mpp
        dx, dy = column - tile.x, row - tile.y
        if not (-reach < dx < tile.shape[1] + reach):
            return None
        if not (-reach < dy < tile.shape[0] + reach):
            return None
        stamp = self._stamp(item, (item.x / mpp - column, item.y / mpp - row))
        tile.lay(stamp, column, row, _HIDES.get(item.kind, 0.92))
        owned = 0 <= dx < tile.shape[1] and 0 <= dy < tile.shape[0]
        if item.kind in _UNMARKED or not owned:
            return None
        return _truth(item, stamp.cover, (column, row), self.spec)

    def _stamp(self, item: Item, offset: tuple[float, float]) -> Stamp:
        if self._stock is not None:
            return self._stock.stamp(item)
        return paint_item(item, self.spec.mpp, offset)

    def _plasma(self, tile: Tile, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Return the faint, uneven film of dried plasma, its strands and specks."""
        mpp, shape, origin = self.spec.mpp, tile.shape, (tile.x, tile.y)
        film = 0.11 + 0.03 * self._film.image(origin, shape, mpp)
        film += 0.008 * band_noise(shape, 9.0 / mpp, rng)
        film += 0.007 * band_noise(shape, 1.6 / mpp, rng)
        line, where = (f.image(origin, shape, mpp) for f in self._strands)
        dense = np.clip(where, 0, 1)
        film += 0.05 * np.exp(-np.square(line / 0.03)) * dense
        crumbs = np.clip(band_noise(shape, 2.6 / mpp, rng) - 0.8, 0, 2)
        film += 0.05 * crumbs * dense
        specks = rng.random(shape, dtype=np.float32) < (0.01 + 0.05 * dense) * mpp**2
        film += 0.2 * splat(specks.astype(np.float32), 0.35 / mpp)
        tint = np.array([0.85, 1.0, 0.55], np.float32)
        return np.asarray(np.clip(film, 0, None)[..., None] * tint, np.float32)

    def _drift(self, tile: Tile) -> None:
        """Let depth and hue of the stain change slowly over the slide."""
        drift, mpp, origin = self.spec.stain_drift, self.spec.mpp, (tile.x, tile.y)
        tile.density *= (1 + drift * self._depth.image(origin, tile.shape, mpp))[
            ..., None
        ]
        hue = 0.6 * drift * self._hue.image(origin, tile.shape, mpp)
        tile.density[..., 0] *= 1 + hue
        tile.density[..., 2] *= 1 - hue

    def _light(self, tile: Tile) -> Field:
        """Return the illumination: brightest a little off the field's middle."""
        height, width = tile.shape
        y = (np.arange(height, dtype=np.float32) + tile.y) / self.spec.height
        x = (np.arange(width, dtype=np.float32) + tile.x) / self.spec.width
        distance = np.square(2 * y - 0.9)[:, None] + np.square(2 * x - 1.15)[None]
        return np.asarray(1 - self.spec.falloff * distance / 2, np.float32)


def _truth(
    item: Item, cover: Field, middle: tuple[int, int], spec: FieldSpec
) -> PaintedCell | None:
    """Return the truth of a stamp, cut to the smear; None where nothing shows."""
    contours = find_contours(np.pad(cover, 1), 0.5)
    if not contours:
        return None
    longest = max(contours, key=len)
    polygon = approximate_polygon(longest, 0.35)
    n = cover.shape[0] // 2
    # find_contours counts pixel centres; corner-based coordinates add one half.
    outline = polygon[:-1, ::-1] - 0.5 + np.array([middle[0] - n, middle[1] - n])
    inside = np.clip(outline, 0, [spec.width, spec.height])
    low, high = inside.min(axis=0), inside.max(axis=0)
    if np.min(high - low) * spec.mpp < 1.5:
        return None
    box = Box(*(round(float(v), 2) for v in (*low, *(high - low))))
    edge = bool(np.any(inside != outline))
    return PaintedCell(item.kind, box, inside.astype(np.float32), edge, item.defocus)
