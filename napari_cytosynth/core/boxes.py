"""The boxes that readers corrected, as they stand."""

from __future__ import annotations

from napari_cytosynth.core.events import Event
from napari_cytosynth.core.ids import CellId


class Boxes:
    """The standing box change of each cell that has one."""

    def __init__(self) -> None:
        self._changes: dict[int, Event] = {}

    def put(self, cell: int, change: Event | None) -> None:
        """Take in the change that stands now; None: the detector's box does."""
        if change is None:
            self._changes.pop(cell, None)
        else:
            self._changes[cell] = change

    def of(self, cell: CellId) -> tuple[float, float, float, float] | None:
        """Return the corrected box of a cell, or None where the detector's stands."""
        event = self._changes.get(cell)
        if event is None:
            return None
        x, y, width, height = event.data["box"]
        return float(x), float(y), float(width), float(height)

    def changes(self) -> dict[int, Event]:
        """Return, by cell, the standing change."""
        return dict(self._changes)

    def recut(self) -> dict[int, Event]:
        """Return, by cell, the standing change that brought a picture with it."""
        return {c: e for c, e in list(self._changes.items()) if "crop" in e.data}
