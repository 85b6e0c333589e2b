"""The camera of the canvas, told in pixels of the smear shown."""

from __future__ import annotations

from napari.viewer import Viewer

from napari_cytosynth._gui.bridge import Bridge
from napari_cytosynth.core.geometry import Box

FIRST_ZOOM = 8.0
"""Screen pixels a micrometre when the first cell is shown: a cell fills an inch."""

_MARGIN = 1.08  # a framed part leaves a little around it


class Eye:
    """Moves the camera.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose camera it is.

    Attributes
    ----------
    zoomed : bool
        True once a zoom was chosen; it is kept from then on.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.zoomed = False

    def centre(self, bridge: Bridge, x: float, y: float) -> None:
        """Look at a place; the zoom is kept, but for the first time."""
        camera = self._viewer.scene.camera
        if not self.zoomed:
            self.zoomed = True
            camera.zoom = FIRST_ZOOM
        camera.center = tuple(bridge.to_world([(x, y)])[0])

    def frame(self, bridge: Bridge, box: Box) -> None:
        """Look at a part of the smear as a whole."""
        camera = self._viewer.scene.camera
        height, width = self._viewer.canvas.size
        high, wide = bridge.length(box.height), bridge.length(box.width)
        self.zoomed = True
        camera.zoom = min(height / high, width / wide) / _MARGIN
        camera.center = tuple(bridge.to_world([box.centre])[0])

    def rectangle(self, bridge: Bridge) -> Box:
        """Return what is in view, level-0 pixels."""
        camera = self._viewer.scene.camera
        height, width = self._viewer.canvas.size
        centre = camera.center[-2], camera.center[-1]
        return bridge.view_box(centre, (height / camera.zoom, width / camera.zoom))
