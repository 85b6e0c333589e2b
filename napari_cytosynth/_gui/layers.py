"""Our layers on the canvas. Kept as objects, never looked up by name; none editable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Layer, Points, Vectors
from napari.viewer import Viewer
from qtpy.QtGui import QColor

from napari_cytosynth._gui.bridge import UNITS, Bridge
from napari_cytosynth._gui.keys import LayerKeys
from napari_cytosynth._gui.mosaic import MOSAIC_MPP, paint_mosaic
from napari_cytosynth.app.panels import CellMarks, Density, FocusMark, Mosaic

UNLABELLED = "#d0d0d0"
_FOCUS = "#ffb000"
_RING = 1.15
_DIAGONAL = 0.7071
_SYMBOLS = frozenset(
    "arrow clobber cross diamond disc hbar ring square star tailed_arrow "
    "triangle_down triangle_up vbar x".split()
)
BADGE_UM = 2.6
"""Size of the class symbol on the ring of a labelled cell, micrometres."""

_MARK = "cytosynth"


class OurLayers:
    """Creates, updates and removes the layers of one window.

    Parameters
    ----------
    viewer : napari.Viewer
        The window's viewer.
    keys : LayerKeys
        Takes the keys on each layer that is made.
    """

    def __init__(self, viewer: Viewer, keys: LayerKeys) -> None:
        self._viewer, self._keys = viewer, keys
        self.smear: Image | None = None
        self.mosaic: Image | None = None
        self._density: Image | None = None
        self._cells: Points | None = None
        self._look: Look = {}
        self._focus: Vectors | None = None

    def owns(self, layer: Layer | None) -> bool:
        """Tell whether a layer is one of ours."""
        return layer is not None and layer.metadata.get(_MARK) is not None

    def show_smear(self, levels: Sequence[Any], bridge: Bridge, name: str) -> None:
        """Show a picture; the layer, its contrast and its place in the list are kept."""
        if self._gone(self.smear):
            self.smear = self._add(
                Image(
                    list(levels),
                    multiscale=True,
                    rgb=True,
                    scale=bridge.scale,
                    units=UNITS,
                    name=name,
                ),
                at=0,
            )
            return
        self.smear.data = list(levels)
        self.smear.scale = bridge.scale
        self.smear.name = name

    def hide_smear(self) -> None:
        """Take the picture off."""
        self._remove(self.smear)
        self.smear = None

    def show_cells(self, marks: CellMarks | None, bridge: Bridge) -> None:
        """Draw cells as rings in the colour and symbol of their class."""
        if marks is None or not len(marks):
            _hide(self._cells)
            return
        look = _look_of(marks, bridge)
        before, self._look = self._look, look
        if self._gone(self._cells):
            self._cells = self._add(_new_points(look))
            return
        _redraw(self._cells, look, before)
        _show(self._cells)

    def show_density(self, density: Density | None, bridge: Bridge) -> None:
        """Draw cells a square as a translucent image."""
        if density is None:
            _hide(self._density)
            return
        side = bridge.length(density.square)
        corner = (density.x + density.square / 2, density.y + density.square / 2)
        place = bridge.to_world([corner])[0]
        if self._gone(self._density):
            self._density = self._add(
                Image(
                    density.counts,
                    colormap="inferno",
                    opacity=0.55,
                    blending="additive",
                    units=UNITS,
                    name="Cells a square (too many to draw each)",
                ),
                at=1,
            )
        self._density.data = density.counts
        self._density.contrast_limits = (0.0, max(1.0, float(density.counts.max())))
        self._density.scale = (side, side)
        self._density.translate = tuple(place)
        _show(self._density)

    def show_focus(self, mark: FocusMark | None, bridge: Bridge) -> None:
        """Draw the box of the focused cell, and its outline inside, as thin lines."""
        if mark is None:
            _hide(self._focus)
            return
        lines = _closed(bridge.rectangle(mark.box))
        if len(mark.outline) > 2:
            outline = _closed(bridge.to_world(mark.outline))
            lines = np.concatenate([lines, outline])
        if self._gone(self._focus):
            self._focus = self._add(
                Vectors(
                    lines,
                    edge_width=0.35,
                    edge_color=_FOCUS,
                    vector_style="line",
                    units=UNITS,
                    opacity=1.0,
                    name="Focused cell",
                )
            )
            return
        self._focus.data = lines
        _show(self._focus)

    def show_mosaic(self, mosaic: Mosaic | None, left_top: tuple[float, float]) -> None:
        """Draw the synthetic cells with their corner at this world place (y, x)."""
        if mosaic is None:
            _hide(self.mosaic)
            return
        panel = paint_mosaic(mosaic)
        if self._gone(self.mosaic):
            self.mosaic = self._add(
                Image(
                    panel,
                    rgb=True,
                    scale=(MOSAIC_MPP, MOSAIC_MPP),
                    units=UNITS,
                    name="SYNTHETIC cells",
                )
            )
        self.mosaic.data = panel
        self.mosaic.name = f"SYNTHETIC {mosaic.code}"
        self.mosaic.translate = tuple(c + MOSAIC_MPP / 2 for c in left_top)
        _show(self.mosaic)

    def select(self) -> None:
        """Make the smear the active layer, so that keys on the canvas are ours."""
        if not self._gone(self.smear):
            self._viewer.layers.selection.active = self.smear

    def close(self) -> None:
        """Give keys back and take all our layers off."""
        self._keys.release()
        ours = (self.smear, self._density, self._cells, self._focus, self.mosaic)
        for layer in ours:
            self._remove(layer)

    def _add(self, layer: Any, at: int | None = None) -> Any:
        layer.metadata[_MARK] = True
        active = self._viewer.layers.selection.active
        if at is None:
            self._viewer.layers.append(layer)
        else:
            self._viewer.layers.insert(min(at, len(self._viewer.layers)), layer)
        layer.editable = False
        self._keys.bind(layer)
        if active is not None and active in self._viewer.layers:
            self._viewer.layers.selection.active = active
        return layer

    def _gone(self, layer: Layer | None) -> bool:
        return layer is None or layer not in self._viewer.layers

    def _remove(self, layer: Layer | None) -> None:
        if not self._gone(layer):
            self._viewer.layers.remove(layer)


Look = dict[str, npt.NDArray[Any]]


def _look_of(marks: CellMarks, bridge: Bridge) -> Look:
    """Return what a Points layer needs: a ring a cell, and a symbol where labelled."""
    palette = np.array([_rgba(c) for c in (*marks.colours, UNLABELLED)], np.float32)
    places = bridge.to_world(marks.centres)
    sizes = marks.sizes.astype(np.float64) * bridge.mpp * _RING
    known = marks.classes.astype(int)
    named = np.flatnonzero(known >= 0)
    ring = palette[known]
    badge = ring[named]
    corner = sizes[named, None] / 2 * np.array([[-_DIAGONAL, _DIAGONAL]])
    symbols = [_known_symbol(marks.symbols[known[i]]) for i in named]
    return {
        "data": np.concatenate([places, places[named] + corner]),
        "size": np.concatenate([sizes, np.full(len(named), BADGE_UM)]),
        "symbol": np.array(["disc"] * len(sizes) + symbols, dtype=object),
        "border_color": np.concatenate([ring, badge]),
        "face_color": np.concatenate([ring * [1, 1, 1, 0], badge]),
    }


def _known_symbol(name: str) -> str:
    """Return a symbol that napari can draw; a user's taxonomy may name any."""
    return name if name in _SYMBOLS else "disc"


def _new_points(look: Look) -> Points:
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


def _redraw(layer: Points, look: Look, before: Look) -> None:
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


def _closed(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn a polygon float64[n, 2] into vectors float64[n, 2, 2]: start and way."""
    ways = np.roll(corners, -1, axis=0) - corners
    return np.stack([corners, ways], axis=1)


def _rgba(colour: str) -> tuple[float, float, float, float]:
    found = QColor(colour)
    return found.redF(), found.greenF(), found.blueF(), 1.0


def _show(layer: Layer) -> None:
    if not layer.visible:
        layer.visible = True


def _hide(layer: Layer | None) -> None:
    if layer is not None and layer.visible:
        layer.visible = False
