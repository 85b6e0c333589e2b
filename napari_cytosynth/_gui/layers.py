"""Our layers on the canvas. Kept as objects, never looked up by name; none editable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Layer, Points, Vectors
from napari.viewer import Viewer

from napari_cytosynth._gui.bridge import UNITS, Bridge
from napari_cytosynth._gui.keys import LayerKeys
from napari_cytosynth._gui.marks import Look, look_of, new_points, redraw
from napari_cytosynth._gui.mosaic import MOSAIC_MPP, paint_mosaic
from napari_cytosynth.app.panels import CellMarks, Density, FieldMark, FocusMark, Mosaic

_FOCUS = "#ffb000"
_FIELD, _PLACE = "#2f7fd6", "#e0218a"
_MARK = "cytosynth"
_WARM: set[bool] = set()


class Slot:
    """The place of one layer: made when first needed, hidden when there is nothing.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer.
    keys : LayerKeys
        Takes the keys on it.
    at : int, optional
        Place in the layer list; the top by default.
    """

    def __init__(self, viewer: Viewer, keys: LayerKeys, at: int | None = None) -> None:
        self._viewer, self._keys, self._at = viewer, keys, at
        self._layer: Any = None
        self._hidden = False

    @property
    def layer(self) -> Any:
        """The layer, or None if it was not made yet, or was removed by hand."""
        there = self._layer is not None and self._layer in self._viewer.layers
        return self._layer if there else None

    def put(self, make: Callable[[], Layer]) -> Any:
        """Return the layer, for an update; or None after ``make`` has made it anew."""
        layer = self.layer
        if layer is None:
            self._add(make())
            return None
        if self._hidden:
            # Before the update: napari slices no layer that is not visible.
            layer.visible = True
            self._hidden = False
        return layer

    def hide(self) -> None:
        """Hide the layer until there is something to show."""
        if self.layer is not None and not self._hidden:
            self._hidden = True
            self.layer.visible = False

    def remove(self) -> None:
        """Take the layer off."""
        if self.layer is not None:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def adopt(self, layer: Layer) -> bool:
        """Take over a layer of the right kind that is there; False if one is ours."""
        if self.layer is not None:
            return False
        self._own(layer)
        return True

    def _add(self, layer: Layer) -> None:
        layers = self._viewer.layers
        active = layers.selection.active
        layers.insert(len(layers) if self._at is None else self._at, layer)
        self._own(layer)
        if active is not None and active in layers:
            layers.selection.active = active

    def _own(self, layer: Layer) -> None:
        self._layer, self._hidden = layer, False
        layer.metadata[_MARK] = True
        layer.editable = False
        self._keys.bind(layer)


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
        self._look: Look = {}
        self.smear = Slot(viewer, keys, at=0)
        self.stain = Slot(viewer, keys, at=1)
        self.density = Slot(viewer, keys, at=2)
        self.cells = Slot(viewer, keys)
        self.field = Slot(viewer, keys)
        self.focus = Slot(viewer, keys)
        self.mosaic = Slot(viewer, keys)

    def warm(self) -> None:
        """Add a layer of each kind and take it off: the first one costs napari most."""
        if _WARM:
            return
        _WARM.add(True)
        nothing = np.zeros((2, 2), np.float32)
        rgb = [np.zeros((side, side, 3), np.uint8) for side in (4, 2)]
        for layer in (
            Image(rgb, multiscale=True, rgb=True, units=UNITS),
            Points(nothing, units=UNITS),
            Vectors(nothing[None], units=UNITS),
        ):
            self._viewer.layers.append(layer)
            self._viewer.layers.remove(layer)

    @property
    def smear_level(self) -> int:
        """Which level of the smear is shown; 0: the finest."""
        layer = self.smear.layer
        return 0 if layer is None else int(layer.data_level)

    def owns(self, layer: Layer | None) -> bool:
        """Tell whether a layer is one of ours."""
        return layer is not None and layer.metadata.get(_MARK) is not None

    def show_smear(self, levels: Sequence[Any], bridge: Bridge, name: str) -> None:
        """Show a picture; the layer, its contrast and its place are kept."""
        options = {"scale": bridge.scale, "units": UNITS, "name": name}
        layer = self.smear.put(
            lambda: Image(list(levels), multiscale=True, rgb=True, **options)
        )
        if layer is not None:
            layer.data = list(levels)
            # Each of these draws the canvas anew, also where nothing changed.
            if tuple(layer.scale) != tuple(bridge.scale):
                layer.scale = bridge.scale
            layer.name = name

    def show_stain(
        self, levels: Sequence[Any] | None, bridge: Bridge, name: str
    ) -> None:
        """Show the smear in another stain over it; None: hide."""
        if levels is None:
            self.stain.hide()
            return
        options = {"scale": bridge.scale, "units": UNITS, "name": name}
        layer = self.stain.put(
            lambda: Image(list(levels), multiscale=True, rgb=True, **options)
        )
        if layer is not None:
            layer.data = list(levels)
            layer.scale = bridge.scale
            layer.name = name

    def show_cells(self, marks: CellMarks | None, bridge: Bridge) -> None:
        """Draw cells as rings in the colour of their class."""
        if marks is None or not len(marks):
            self.cells.hide()
            return
        look = look_of(marks, bridge)
        before, self._look = self._look, look
        layer = self.cells.put(lambda: self._listened(new_points(look)))
        if layer is not None and layer.visible:
            redraw(layer, look, before)

    def show_density(self, density: Density | None, bridge: Bridge) -> None:
        """Draw cells a square as a translucent image."""
        if density is None:
            self.density.hide()
            return
        side = bridge.length(density.square)
        corner = (density.x + density.square / 2, density.y + density.square / 2)
        options = {
            "contrast_limits": (0.0, max(1.0, float(density.counts.max()))),
            "scale": (side, side),
            "translate": tuple(bridge.to_world([corner])[0]),
        }
        layer = self.density.put(lambda: _new_density(density, options))
        if layer is not None:
            layer.data = density.counts
            for name, value in options.items():
                setattr(layer, name, value)

    def show_focus(self, mark: FocusMark | None, bridge: Bridge) -> None:
        """Draw the box of the focused cell, and its outline inside, as thin lines."""
        if mark is None:
            self.focus.hide()
            return
        lines = _closed(bridge.rectangle(mark.box))
        if len(mark.outline) > 2:
            outline = _closed(bridge.to_world(mark.outline))
            lines = np.concatenate([lines, outline])
        layer = self.focus.put(lambda: _new_focus(lines))
        if layer is not None:
            layer.data = lines

    def show_field(self, mark: FieldMark | None, bridge: Bridge) -> None:
        """Draw the outline of a field, and a box at each place of a missed cell."""
        if mark is None:
            self.field.hide()
            return
        boxes = (mark.box, *mark.places)
        lines = np.concatenate([_closed(bridge.rectangle(box)) for box in boxes])
        colours = np.repeat([_FIELD, *[_PLACE] * len(mark.places)], 4)
        layer = self.field.put(lambda: _new_field(lines, colours))
        if layer is not None:
            layer.data = lines
            layer.edge_color = colours

    def show_mosaic(self, mosaic: Mosaic | None, left_top: tuple[float, float]) -> None:
        """Draw the synthetic cells with their corner at this world place (y, x)."""
        if mosaic is None:
            self.mosaic.hide()
            return
        panel = paint_mosaic(mosaic)
        name = f"SYNTHETIC {mosaic.code}"
        place = tuple(c + MOSAIC_MPP / 2 for c in left_top)
        layer = self.mosaic.put(lambda: _new_mosaic(panel, name, place))
        if layer is not None:
            layer.data = panel
            layer.name = name
            layer.translate = place

    def select(self) -> None:
        """Make the smear the active layer, so that keys on the canvas are ours."""
        if self.smear.layer is not None:
            self._viewer.layers.selection.active = self.smear.layer

    def close(self) -> None:
        """Give keys back and take all our layers off."""
        self._keys.release()
        pictures = (self.smear, self.stain, self.density, self.mosaic)
        for slot in (*pictures, self.cells, self.field, self.focus):
            slot.remove()

    def _listened(self, layer: Points) -> Points:
        layer.events.visible.connect(self._on_cells_visible)
        return layer

    def _on_cells_visible(self, _event: object = None) -> None:
        """Catch up with what was not drawn while the user had the layer hidden."""
        layer = self.cells.layer
        if layer is not None and layer.visible:
            redraw(layer, self._look, {})


def _new_density(density: Density, options: dict[str, Any]) -> Image:
    return Image(
        density.counts,
        colormap="inferno",
        opacity=0.55,
        blending="additive",
        units=UNITS,
        name="Cells a square (too many to draw each)",
        **options,
    )


def _new_focus(lines: npt.NDArray[np.float64]) -> Vectors:
    return Vectors(
        lines,
        edge_width=0.35,
        edge_color=_FOCUS,
        vector_style="line",
        units=UNITS,
        opacity=1.0,
        name="Focused cell",
    )


def _new_field(
    lines: npt.NDArray[np.float64], colours: npt.NDArray[np.str_]
) -> Vectors:
    return Vectors(
        lines,
        edge_width=0.6,
        edge_color=colours,
        vector_style="line",
        units=UNITS,
        opacity=0.9,
        name="Field; cells missed?",
    )


def _new_mosaic(
    panel: npt.NDArray[np.uint8], name: str, place: tuple[float, ...]
) -> Image:
    scale = (MOSAIC_MPP, MOSAIC_MPP)
    return Image(panel, rgb=True, scale=scale, translate=place, units=UNITS, name=name)


def _closed(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn a polygon float64[n, 2] into vectors float64[n, 2, 2]: start and way."""
    ways = np.roll(corners, -1, axis=0) - corners
    return np.stack([corners, ways], axis=1)
