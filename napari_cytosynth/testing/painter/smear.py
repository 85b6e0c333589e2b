"""Paints a smear of any size tile by tile, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from napari_cytosynth.testing.painter.field import Scene, Tile
from napari_cytosynth.testing.painter.layout import Extent, Item
from napari_cytosynth.testing.painter.spec import FieldSpec, PaintedField


def paint_smear(
    spec: FieldSpec, seed: int, *, tile: int = 1024, variety: int = 0
) -> Iterator[PaintedField]:
    """Yield the tiles of a smear, row by row.

    Each tile is laid out by itself from ``seed`` and its place; what its neighbours let
    stick out over the border is painted too, so that no seam cuts a cell.

    Parameters
    ----------
    spec : FieldSpec
        The whole smear; ``cells`` counts all of it.
    seed : int
        Chance; the same seed and tile size paint the same smear.
    tile : int
        Side of a tile in pixels, at least 256.
    variety : int
        Stamps of each kind and size that are used again, turned, which is several times
        faster; 0 paints each cell anew.

    Yields
    ------
    PaintedField
        Each with its ``origin``; truth in the smear's coordinates, every cell once.
    """
    scene = Scene(spec, np.random.default_rng((seed, 0)), variety=variety)
    layouts = _Layouts(spec, scene, seed, tile)
    for row in range(layouts.rows):
        for column in range(layouts.columns):
            x, y = column * tile, row * tile
            width, height = min(tile, spec.width - x), min(tile, spec.height - y)
            rng = np.random.default_rng((seed, 2, row, column))
            yield scene.paint(
                Tile(x, y, width, height), layouts.around(row, column), rng
            )


class _Layouts:
    """What lies on each tile; remembers the last few rows of tiles."""

    def __init__(self, spec: FieldSpec, scene: Scene, seed: int, tile: int) -> None:
        self._spec, self._scene, self._seed, self._tile = spec, scene, seed, tile
        self.rows = -(-spec.height // tile)
        self.columns = -(-spec.width // tile)
        self._of = lru_cache(maxsize=3 * self.columns + 6)(self._lay_out)

    def around(self, row: int, column: int) -> list[Item]:
        """Return the objects of a tile and its neighbours, those below others first."""
        layers = [
            self._of(r, c)
            for r in range(max(0, row - 1), min(self.rows, row + 2))
            for c in range(max(0, column - 1), min(self.columns, column + 2))
        ]
        return [item for depth in (0, 1) for pair in layers for item in pair[depth]]

    def _lay_out(self, row: int, column: int) -> tuple[list[Item], list[Item]]:
        """Return what lies below (red cells, fat) and above (cells, platelets)."""
        spec, mpp = self._spec, self._spec.mpp
        x, y = column * self._tile, row * self._tile
        width = min(self._tile, spec.width - x)
        height = min(self._tile, spec.height - y)
        rng = np.random.default_rng((self._seed, 1, row, column))
        count = rng.poisson(spec.cells * width * height / (spec.width * spec.height))
        shares = np.array(list(spec.mix.values()))
        drawn = rng.multinomial(count, shares / shares.sum())
        counts = {c: int(n) for c, n in zip(spec.mix, drawn, strict=True)}
        extent = Extent(x * mpp, y * mpp, width * mpp, height * mpp, keep=0.8)
        items = self._scene.layout.items(extent, counts, rng)
        below = [item for item in items if item.lies_below]
        return below, [item for item in items if not item.lies_below]
