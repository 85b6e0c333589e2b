"""Where the map's places lie in its widget, and back."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF

from napari_cytosynth.app.scene import Rectangle

MARGIN = 1.06
"""How much more than the whole map is shown at the start."""

NEAREST = 0.002
FARTHEST = 2.0
"""Least and most that the shorter side of the widget may cover."""


class MapLens:
    """Both axes alike: the map is never stretched.

    Attributes
    ----------
    width, height : int
        Size of the widget, pixels.
    """

    def __init__(self) -> None:
        self.width, self.height = 100, 100
        self._x = self._y = 0.5
        self._unit = MARGIN / 100

    @property
    def view(self) -> Rectangle:
        """What is in view."""
        width, height = self.width * self._unit, self.height * self._unit
        return Rectangle(self._x - width / 2, self._y - height / 2, width, height)

    def units(self, pixels: float) -> float:
        """Return how much of the map so many pixels cover."""
        return pixels * self._unit

    def fit(self, width: int, height: int) -> None:
        """Show the whole map in a widget of this size."""
        self.width, self.height = max(1, width), max(1, height)
        self._x = self._y = 0.5
        self._unit = MARGIN / min(self.width, self.height)

    def resize(self, width: int, height: int) -> None:
        """Keep the middle, and how much the shorter side covers."""
        covered = self._unit * min(self.width, self.height)
        self.width, self.height = max(1, width), max(1, height)
        self._unit = covered / min(self.width, self.height)

    def zoom(self, factor: float, about: QPointF) -> None:
        """Come nearer; what lies at ``about`` stays there."""
        x, y = self.place(about)
        side = min(self.width, self.height)
        covered = min(max(self._unit * side / factor, NEAREST), FARTHEST)
        share = covered / side / self._unit
        self._unit *= share
        self._x, self._y = x + (self._x - x) * share, y + (self._y - y) * share

    def pan(self, right: float, down: float) -> None:
        """Move by shares of what is in view."""
        view = self.view
        self._x += right * view.width
        self._y += down * view.height

    def shift(self, step: QPointF) -> None:
        """Move with the pointer, pixels."""
        self._x -= step.x() * self._unit
        self._y -= step.y() * self._unit

    def centre_on(self, place: tuple[float, float]) -> None:
        """Bring a place to the middle."""
        self._x, self._y = place

    def holds(self, place: tuple[float, float]) -> bool:
        """Tell whether a place is in view."""
        view = self.view
        across = view.x <= place[0] <= view.x + view.width
        return across and view.y <= place[1] <= view.y + view.height

    def place(self, pixel: QPointF) -> tuple[float, float]:
        """Return the place of the map at a pixel of the widget."""
        view = self.view
        return view.x + pixel.x() * self._unit, view.y + pixel.y() * self._unit

    def pixel(self, x: float, y: float) -> QPointF:
        """Return the pixel of the widget at a place of the map."""
        view = self.view
        return QPointF((x - view.x) / self._unit, (y - view.y) / self._unit)

    def pixels(self, part: Rectangle) -> QRectF:
        """Return a part of the map in pixels."""
        corner = self.pixel(part.x, part.y)
        return QRectF(
            corner.x(), corner.y(), part.width / self._unit, part.height / self._unit
        )
