"""Turns an item of the layout into a stamp: each anew, or out of a stock."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np

from napari_cytosynth.testing.painter import debris
from napari_cytosynth.testing.painter.cell import Place, Stamp, paint_cell
from napari_cytosynth.testing.painter.layout import FAT, PLATELET, RED_CELL, Item
from napari_cytosynth.testing.painter.looks import ARTEFACT, LOOKS, SMUDGE

_DEBRIS = {
    RED_CELL: debris.paint_red_cell,
    PLATELET: debris.paint_platelet,
    FAT: debris.paint_fat,
    SMUDGE: debris.paint_smudge,
    ARTEFACT: debris.paint_deposit,
}
_BIN_UM = 0.5
_BLUR_UM = 0.4


def paint_item(item: Item, mpp: float, offset: tuple[float, float]) -> Stamp:
    """Paint an item for itself, at a sub-pixel ``offset``."""
    rng = np.random.default_rng(item.seed)
    place = Place(item.radius, mpp, offset, item.sides, item.defocus)
    if item.kind in _DEBRIS:
        return _DEBRIS[item.kind](place, rng)
    # The stage whose size fits best: small erythroblasts are late ones.
    looks = LOOKS[item.kind]
    look = min(looks, key=lambda k: abs(k.diameter[0] - 2 * item.radius))
    stamp = paint_cell(look, place, rng)
    strength = np.float32(np.clip(rng.normal(1.0, 0.07), 0.8, 1.2))
    return Stamp(stamp.density * strength, stamp.cover)


class Stock:
    """Stamps painted once and used again, turned: for smears too large to paint anew.

    Parameters
    ----------
    variety : int
        Different stamps of each kind and size, each in eight positions.
    mpp : float
        Micrometres a pixel.
    """

    def __init__(self, variety: int, mpp: float) -> None:
        self._variety, self._mpp = variety, mpp
        self._paint = lru_cache(maxsize=None)(self._paint_member)

    def stamp(self, item: Item) -> Stamp:
        """Return a stamp for an item; the same one whenever it is asked for."""
        size = round(item.radius / _BIN_UM)
        turn, member = divmod(item.seed % (8 * self._variety), self._variety)
        seed = zlib.crc32(f"{item.kind}:{size}:{member}".encode())
        defocus = _BLUR_UM if item.defocus else 0.0
        key = Item(item.kind, 0.0, 0.0, size * _BIN_UM, seed, (), defocus)
        return _turned(self._paint(key), turn)

    def _paint_member(self, item: Item) -> Stamp:
        return paint_item(item, self._mpp, (0.5, 0.5))


def _turned(stamp: Stamp, turn: int) -> Stamp:
    density, cover = np.rot90(stamp.density, turn % 4), np.rot90(stamp.cover, turn % 4)
    if turn >= 4:
        density, cover = density[:, ::-1], cover[:, ::-1]
    return Stamp(density, cover)
