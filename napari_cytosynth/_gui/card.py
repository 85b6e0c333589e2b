"""How one card of the grid is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QGuiApplication, QPainter, QPen, QPixmap

from napari_cytosynth._gui.paint import (
    draw_pill,
    draw_symbol,
    draw_synthetic_frame,
    image_of,
)
from napari_cytosynth._gui.theme import SYNTHETIC, Colours
from napari_cytosynth.app.panels import Card

CARD_WIDTH = 132
CARD_HEIGHT = 190
PICTURE = 108
_GAP = 5
_PAD = 8
_WARNING = "#ffb454"
_BADGES = {
    "skipped": "#8a8a8a",
    "second opinion": "#d98e04",
    "comment": "#4a8fd9",
    "removed": "#b3261e",
    "proposed": SYNTHETIC,
    "accepted": "#2e9e5b",
    "rejected": "#b3261e",
}


@dataclass(frozen=True, slots=True)
class LoadedCard:
    """A card with its picture ready for the screen."""

    card: Card
    picture: QPixmap


def picture_of(crop: npt.NDArray[np.uint8]) -> QPixmap:
    """Return a crop at the size of the screen: scaled once, and not at each paint."""
    ratio = cast("QGuiApplication", QGuiApplication.instance()).devicePixelRatio()
    side = round(PICTURE * ratio)
    smooth = Qt.TransformationMode.SmoothTransformation
    keep = Qt.AspectRatioMode.IgnoreAspectRatio
    picture = QPixmap.fromImage(image_of(crop).scaled(side, side, keep, smooth))
    picture.setDevicePixelRatio(ratio)
    return picture


def paint_empty(painter: QPainter, cell: QRectF, colours: Colours) -> None:
    """Paint the place of a card whose picture is not loaded yet."""
    box = _body(cell)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colours.card))
    painter.drawRoundedRect(box, 6, 6)


def paint_card(
    painter: QPainter,
    cell: QRectF,
    loaded: LoadedCard,
    colours: Colours,
    focused: bool,
) -> None:
    """Paint one card: picture, class, guess, reason, frame."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint_empty(painter, cell, colours)
    box = _body(cell)
    left = box.left() + (box.width() - PICTURE) / 2
    picture = QRectF(left, box.top() + _PAD, PICTURE, PICTURE)
    painter.drawPixmap(picture.topLeft().toPoint(), loaded.picture)
    _paint_marks(painter, picture, loaded.card)
    text = QRectF(box.left() + 7, picture.bottom() + 4, box.width() - 14, 16)
    _paint_class(painter, text, loaded.card, colours)
    below = QRectF(text.left(), text.bottom() + 1, text.width(), 42)
    _paint_caption(painter, below, loaded.card.caption, colours)
    if focused:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.focus), 3))
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 6, 6)


def _body(cell: QRectF) -> QRectF:
    half = _GAP / 2
    return cell.adjusted(half, half, -half, -half)


def _paint_marks(painter: QPainter, picture: QRectF, card: Card) -> None:
    if card.synthetic:
        draw_synthetic_frame(painter, picture.adjusted(-1, -1, 1, 1))
    if card.badge:
        colour = _BADGES.get(card.badge, "#8a8a8a")
        draw_pill(painter, card.badge, picture.topLeft() + QPointF(4, 4), colour)
    if card.flaws:
        place = QPointF(picture.left() + 4, picture.bottom() - 19)
        draw_pill(painter, _shortened(card.flaws), place, _WARNING)
    if not card.verified:
        place = QPointF(picture.left() + 4, picture.bottom() - 19)
        draw_pill(painter, "unverified", place, _WARNING)


def _shortened(flaws: str) -> str:
    """Return what fits under a picture; hovering tells all of them."""
    first, *others = flaws.split(", ")
    return f"{first} +{len(others)}" if others else first


def _paint_class(painter: QPainter, box: QRectF, card: Card, colours: Colours) -> None:
    font = QFont(painter.font())
    font.setPixelSize(12)
    font.setBold(True)
    painter.setFont(font)
    left = box.left()
    if card.code:
        dot = QRectF(left, box.top() + 3, 10, 10)
        draw_symbol(painter, card.symbol, card.colour, dot)
        left += 15
    painter.setPen(QColor(colours.text if card.code else colours.muted))
    name = card.code or ("?" if not card.guess else "")
    middle = int(Qt.AlignmentFlag.AlignVCenter)
    painter.drawText(QRectF(left, box.top(), box.right() - left, 16), middle, name)
    if card.guess:
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(QColor(colours.muted))
        side = Qt.AlignmentFlag.AlignRight if card.code else Qt.AlignmentFlag.AlignLeft
        painter.drawText(box, int(side) | middle, card.guess)


def _paint_caption(
    painter: QPainter, box: QRectF, caption: str, colours: Colours
) -> None:
    font = QFont(painter.font())
    font.setPixelSize(11)
    font.setBold(False)
    painter.setFont(font)
    painter.setPen(QColor(colours.muted))
    flags = int(Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)
    painter.drawText(box, flags, _three_lines(painter, caption, int(box.width())))


def _three_lines(painter: QPainter, caption: str, width: int) -> str:
    """Cut a caption so that three lines hold it; hovering shows all of it."""
    room = int(width * 2.6)
    mode = Qt.TextElideMode.ElideRight
    return str(painter.fontMetrics().elidedText(caption, mode, room))
