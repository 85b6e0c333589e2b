"""Paints synthetic cells into one picture that cannot pass for a smear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPen

from napari_cytosynth._gui.paint import draw_synthetic_frame, image_of
from napari_cytosynth._gui.theme import SYNTHETIC
from napari_cytosynth.app.panels import Mosaic
from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM

MOSAIC_MPP = CROP_UM / CROP_PIXELS
"""Micrometres a pixel of the mosaic: the crops' own."""

COLUMNS = 6
_GAP = 8
_STEP = CROP_PIXELS + _GAP
_MARGIN = 20
_TITLE = 40
_STATUS = {"accepted": "#2e9e5b", "rejected": "#b3261e"}


@dataclass(frozen=True, slots=True)
class MosaicPlan:
    """Where the tiles of a mosaic lie.

    Parameters
    ----------
    tiles : int
        How many there are.
    """

    tiles: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        columns = COLUMNS
        rows = max(1, -(-self.tiles // COLUMNS))
        width = 2 * _MARGIN + columns * _STEP - _GAP
        return width, 2 * _MARGIN + _TITLE + rows * _STEP - _GAP

    def corner(self, index: int) -> tuple[int, int]:
        """Left and top of a tile, pixels."""
        row, column = divmod(index, COLUMNS)
        return _MARGIN + column * _STEP, _MARGIN + _TITLE + row * _STEP

    def centre(self, index: int) -> tuple[float, float]:
        """Centre x, y of a tile, pixels, corner-based."""
        left, top = self.corner(index)
        return left + CROP_PIXELS / 2, top + CROP_PIXELS / 2

    def tile_at(self, x: float, y: float) -> int | None:
        """Return the tile at a place in pixels, or None between tiles."""
        column, row = (x - _MARGIN) // _STEP, (y - _MARGIN - _TITLE) // _STEP
        index = int(row * COLUMNS + column)
        if not (0 <= column < COLUMNS and row >= 0 and 0 <= index < self.tiles):
            return None
        left, top = self.corner(index)
        inside = x < left + CROP_PIXELS and y < top + CROP_PIXELS
        return index if inside else None


def paint_mosaic(mosaic: Mosaic) -> npt.NDArray[np.uint8]:
    """Return uint8[h, w, 4]: a titled panel of tiles in a dashed violet frame."""
    plan = MosaicPlan(len(mosaic.tiles))
    width, height = plan.size
    panel = QImage(width, height, QImage.Format.Format_RGBA8888)
    panel.fill(QColor("#1d1830"))
    painter = QPainter(panel)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    draw_synthetic_frame(painter, QRectF(4, 4, width - 8, height - 8))
    _paint_title(painter, mosaic, width)
    for index, tile in enumerate(mosaic.tiles):
        left, top = plan.corner(index)
        painter.drawImage(left, top, image_of(tile.pixels))
        box = QRectF(left - 2, top - 2, CROP_PIXELS + 4, CROP_PIXELS + 4)
        _paint_status(painter, tile.status, box, index == mosaic.focus)
    painter.end()
    bits = panel.constBits()
    bits.setsize(panel.sizeInBytes())
    flat = np.frombuffer(bits, np.uint8).reshape(height, panel.bytesPerLine())
    return flat[:, : width * 4].reshape(height, width, 4).copy()


def _paint_title(painter: QPainter, mosaic: Mosaic, width: int) -> None:
    font = QFont("Sans Serif")
    font.setPixelSize(14)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor("#d9c8ff"))
    room = QRectF(_MARGIN, 14, width - 2 * _MARGIN, _TITLE)
    flags = int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextWordWrap)
    painter.drawText(room, flags, mosaic.title)


def _paint_status(painter: QPainter, status: str, box: QRectF, focused: bool) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if status in _STATUS:
        painter.setPen(QPen(QColor(_STATUS[status]), 3))
        painter.drawRect(box)
    else:
        pen = QPen(QColor(SYNTHETIC), 1.5)
        pen.setDashPattern([3, 2])
        painter.setPen(pen)
        painter.drawRect(box)
    if focused:
        painter.setPen(QPen(QColor("#ffb000"), 3))
        painter.drawRect(box.adjusted(-2, -2, 2, 2))
