"""The napari canvas as the presenters see it: camera, mouse, keys and our layers."""

from __future__ import annotations

from pathlib import PurePath

from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_cytosynth._gui.bridge import Bridge
from napari_cytosynth._gui.drawing import DrawQueue
from napari_cytosynth._gui.eye import Eye
from napari_cytosynth._gui.keys import LayerKeys
from napari_cytosynth._gui.layers import OurLayers
from napari_cytosynth._gui.mosaic import MOSAIC_MPP, MosaicPlan
from napari_cytosynth._gui.mouse import Gestures, Mouse, World
from napari_cytosynth._gui.resident import KeptPixels, ResidentLevel
from napari_cytosynth.app.panels import CellMarks, Density, FieldMark, FocusMark, Mosaic
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.smear import SmearImage

MOSAIC_GAP_UM = 12.0
_SETTLE_MS = 60
_ORDER = ("smear", "stain", "centre", "density", "cells", "field", "focus", "mosaic")


class CanvasAdapter(QObject):
    """Implements :class:`napari_cytosynth.app.views.CanvasView`.

    Parameters
    ----------
    viewer : napari.Viewer
        The window's viewer; everything that is changed on it is undone by ``close``.
    """

    clicked = Signal(float, float)
    doubleClicked = Signal(float, float)
    viewMoved = Signal(float, float, float, float)
    keyPressed = Signal(str)
    mosaicClicked = Signal(int)
    boxDrawn = Signal(float, float, float, float)
    centreMarked = Signal(float, float)

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers = OurLayers(viewer, LayerKeys(self.keyPressed.emit))
        self._bridge = Bridge(1.0)
        self._image: SmearImage | None = None
        self._pixels = KeptPixels()
        self._mosaic: Mosaic | None = None
        self._late: tuple[CellMarks | None, ...] = ()
        self._eye = Eye(viewer)
        self._left_at: tuple[float, float] | None = None
        self._drawing = DrawQueue(_ORDER, self)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._tell_view)
        self._mouse = Mouse(
            viewer,
            self._is_ours,
            Gestures(
                click=self._on_click,
                double=self._on_double,
                mark=self._on_marked,
                drawing=self._on_drawing,
                drawn=self._on_drawn,
            ),
        )
        self._listen()

    def _listen(self) -> None:
        camera = self._viewer.scene.camera
        camera.events.center.connect(self._moved)
        camera.events.zoom.connect(self._moved)
        self._viewer.canvas.events.size.connect(self._moved)
        bar = self._viewer.canvas.overlays.scale_bar
        self._bar_before = bar.visible
        bar.visible = True

    def close(self) -> None:
        """Leave the viewer as it was found."""
        camera = self._viewer.scene.camera
        camera.events.center.disconnect(self._moved)
        camera.events.zoom.disconnect(self._moved)
        self._viewer.canvas.events.size.disconnect(self._moved)
        self._settle.stop()
        self._drawing.clear()
        self._mouse.release()
        self._layers.close()
        self._viewer.canvas.overlays.scale_bar.visible = self._bar_before

    def show_smear(self, image: SmearImage | None, mpp: float) -> None:
        """Swap a smear in; zoom in micrometres and contrast are kept."""
        self._drawing.put("smear", lambda: self._swap(image, mpp))

    def show_stain(self, image: SmearImage | None, name: str) -> None:
        """Lay the smear in the stain of another over it; its eye compares."""
        levels = None if image is None else [ResidentLevel(v) for v in image.levels]
        title = f"Stain: {name} (looking only)"
        self._drawing.put(
            "stain", lambda: self._layers.show_stain(levels, self._bridge, title)
        )

    def centre_on(self, x: float, y: float) -> None:
        """Move the camera; the zoom is kept, but for the first time."""
        self._drawing.put("centre", lambda: self._eye.centre(self._bridge, x, y))

    def expect(self, x: float, y: float) -> None:
        """Read the pixels around a place of the smear shown, as they are shown now."""
        if self._image is not None:
            span, level = self.view_rectangle[2:], self._layers.smear_level
            self._pixels.read_ahead(self._image, level, (x, y), span)

    def show_focus(self, mark: FocusMark | None) -> None:
        """Draw box and outline of the focused cell."""
        self._drawing.put("focus", lambda: self._layers.show_focus(mark, self._bridge))

    def show_field(self, mark: FieldMark | None) -> None:
        """Outline a field, and mark where cells may have been missed."""
        self._drawing.put("field", lambda: self._layers.show_field(mark, self._bridge))

    def frame(self, box: Box) -> None:
        """Show just this part of the smear; any other move that waits is forgotten."""
        self._drawing.put("centre", lambda: self._eye.frame(self._bridge, box))

    def show_cells(self, marks: CellMarks | None) -> None:
        """Draw cells in view as rings."""
        self._drawing.put("cells", lambda: self._draw_cells(marks))

    def _draw_cells(self, marks: CellMarks | None) -> None:
        """Draw them once: what is about to come into view may bring others."""
        self._late = (marks,) if self._settle.isActive() else ()
        if not self._late:
            self._layers.show_cells(marks, self._bridge)

    def show_density(self, density: Density | None) -> None:
        """Draw cells a square."""
        self._drawing.put(
            "density", lambda: self._layers.show_density(density, self._bridge)
        )

    def show_mosaic(self, mosaic: Mosaic | None) -> None:
        """Draw synthetic cells beside the smear; the one under review is centred."""
        self._drawing.put("mosaic", lambda: self._exchange(mosaic))

    def adopt(self, layer: Image) -> bool:
        """Take over a layer that shows a smear: one of our own would take longer."""
        return self._layers.smear.adopt(layer)

    def select(self) -> None:
        """Make the smear the active layer, so that keys on the canvas are ours."""
        self._layers.select()

    def warm(self) -> None:
        """Let napari load what layers need, before the first smear waits for it."""
        self._layers.warm()

    def flush(self) -> None:
        """Draw what waits, in order; of each kind only the newest."""
        self._drawing.flush()
        if self._settle.isActive():
            self._settle.stop()
            self._tell_view()
            self._drawing.flush()

    def _swap(self, image: SmearImage | None, mpp: float) -> None:
        self._image = image
        if image is None:
            self._layers.smear.hide()
            return
        self._bridge = Bridge(mpp)
        camera = self._viewer.scene.camera
        zoom, name = camera.zoom, PurePath(image.smear.uri).name
        self._layers.show_smear(self._pixels.of(image), self._bridge, name)
        self._layers.select()
        if self._eye.zoomed:
            camera.zoom = zoom
        if self._mosaic is not None:
            self._show_mosaic()
        self._moved()

    def _exchange(self, mosaic: Mosaic | None) -> None:
        before, self._mosaic = self._mosaic, mosaic
        self._show_mosaic()
        moved = before is None or mosaic is None or before.focus != mosaic.focus
        if moved and self._left_at is not None:
            self._centre_on_tile()

    def follow_mosaic(self, follow: bool) -> None:
        """Look at the synthetic cell under review, or back at the smear."""
        camera = self._viewer.scene.camera
        if follow and self._left_at is None:
            self._left_at = tuple(camera.center[-2:])
            self._centre_on_tile()
        elif not follow and self._left_at is not None:
            camera.center = self._left_at
            self._left_at = None

    @property
    def view_rectangle(self) -> tuple[float, float, float, float]:
        """What is in view: x, y, width, height in level-0 pixels."""
        box = self._eye.rectangle(self._bridge)
        return box.x, box.y, box.width, box.height

    def _show_mosaic(self) -> None:
        self._layers.show_mosaic(self._mosaic, self._mosaic_corner())

    def _mosaic_corner(self) -> tuple[float, float]:
        """World place of the mosaic: right of the smear, at its top."""
        width = 0.0 if self._image is None else self._image.smear.width
        return 0.0, self._bridge.length(width) + MOSAIC_GAP_UM

    def _centre_on_tile(self) -> None:
        if self._mosaic is None or self._mosaic.focus is None:
            return
        x, y = MosaicPlan(len(self._mosaic.tiles)).centre(self._mosaic.focus)
        top, left = self._mosaic_corner()
        place = (top + y * MOSAIC_MPP, left + x * MOSAIC_MPP)
        self._viewer.scene.camera.center = place

    def _moved(self, _event: object = None) -> None:
        if not self._settle.isActive():
            self._settle.start()

    def _tell_view(self) -> None:
        late, self._late = self._late, ()
        for marks in late:
            self.show_cells(marks)
        if self._image is not None:
            self.viewMoved.emit(*self.view_rectangle)

    def _is_ours(self) -> bool:
        active = self._viewer.layers.selection.active
        return self._image is not None and (active is None or self._layers.owns(active))

    def _on_click(self, world: tuple[float, float]) -> None:
        tile = self._tile_at(world)
        if tile is not None:
            self.mosaicClicked.emit(tile)
            return
        x, y = (float(v) for v in self._bridge.to_pixels([world])[0])
        self.clicked.emit(x, y)

    def _on_double(self, world: tuple[float, float]) -> None:
        x, y = (float(v) for v in self._bridge.to_pixels([world])[0])
        smear = self._image.smear if self._image is not None else None
        if smear is not None and 0 <= x < smear.width and 0 <= y < smear.height:
            self.doubleClicked.emit(x, y)

    def _on_marked(self, world: World) -> None:
        x, y = (float(v) for v in self._bridge.to_pixels([world])[0])
        self.centreMarked.emit(x, y)

    def _on_drawing(self, start: World, end: World) -> None:
        """Draw the box under the pointer where the focused cell's box stands."""
        self._layers.show_focus(FocusMark(0, self._box_of(start, end)), self._bridge)

    def _on_drawn(self, start: World, end: World) -> None:
        box = self._box_of(start, end)
        self.boxDrawn.emit(box.x, box.y, box.width, box.height)

    def _box_of(self, start: World, end: World) -> Box:
        corners = self._bridge.to_pixels([start, end])
        low, high = corners.min(axis=0), corners.max(axis=0)
        return Box(*map(float, (*low, *(high - low))))

    def _tile_at(self, world: tuple[float, float]) -> int | None:
        if self._mosaic is None:
            return None
        top, left = self._mosaic_corner()
        x, y = (world[1] - left) / MOSAIC_MPP, (world[0] - top) / MOSAIC_MPP
        return MosaicPlan(len(self._mosaic.tiles)).tile_at(x, y)
