"""How cells look on the canvas: a ring each, and the class's symbol where labelled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Points
from qtpy.QtGui import QColor

from napari_cytosynth._gui.bridge import UNITS, Bridge
from napari_cytosynth.app.panels import CellMarks
from napari_cytosynth.core.taxonomy import SYMBOLS

UNLABELLED = "#7d8590"
BADGE_UM = 2.6
"""Size of the class symbol on the ring of a labelled cell, micrometres."""

_RING = 1.15
_DIAGONAL = 0.7071

Look = dict[str, npt.NDArray[Any]]
"""Attributes of a Points layer, one row a mark."""


def look_of(marks: CellMarks, bridge: Bridge) -> Look:
    """Return what a Points layer needs to show these cells."""
    palette = np.array([_rgba(c) for c in (*marks.colours, UNLABELLED)], np.float32)
    places = bridge.to_world(marks.centres)
    sizes = marks.sizes.astype(np.float64) * bridge.mpp * _RING
    known = marks.classes.astype(int)
    ring = palette[known]
    # Every cell has its badge, unseen until it is labelled: the points stay the same.
    badge = ring * [1, 1, 1, 0]
    badge[known >= 0, 3] = 1
    corner = sizes[:, None] / 2 * np.array([[-_DIAGONAL, _DIAGONAL]])
    kinds = np.array([*map(_known_symbol, marks.symbols), "disc"], dtype=object)
    return {
        "data": np.concatenate([places, places + corner]),
        "size": np.concatenate([sizes, np.full(len(sizes), BADGE_UM)]),
        "symbol": np.concatenate([np.full(len(sizes), "disc", object), kinds[known]]),
        "border_color": np.concatenate([ring, badge]),
        "face_color": np.concatenate([ring * [1, 1, 1, 0], badge]),
    }


def new_points(look: Look) -> Points:
    """Return a Points layer of this look."""
    return Points(
        look["data"],
        size=look["size"],
        border_color=look["border_color"],
        symbol=list(look["symbol"]),
        face_color=look["face_color"],
        border_width=0.35,
        border_width_is_relative=False,
        units=UNITS,
        name="Cells",
        opacity=0.9,
    )


def redraw(layer: Points, look: Look, before: Look) -> None:
    """Change only what changed: each change draws the canvas anew."""
    if not _same("data", look, before):
        layer.data = look["data"]
        layer.selected_data = set()
        before = {}
    for name in ("size", "symbol", "border_color", "face_color"):
        if not _same(name, look, before):
            value = look[name]
            setattr(layer, name, list(value) if name == "symbol" else value)


def _same(name: str, look: Look, before: Look) -> bool:
    return name in before and np.array_equal(look[name], before[name])


def _known_symbol(name: str) -> str:
    """Return a symbol that napari can draw; a user's taxonomy may name any."""
    return name if name in SYMBOLS else "disc"


def _rgba(colour: str) -> tuple[float, float, float, float]:
    found = QColor(colour)
    return found.redF(), found.greenF(), found.blueF(), 1.0
