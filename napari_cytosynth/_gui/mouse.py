"""The mouse on the canvas, while our layers are active."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from napari.viewer import Viewer

World = tuple[float, float]
"""y, x in micrometres."""

_CLICK_PIXELS = 4.0


@dataclass(frozen=True, slots=True)
class Gestures:
    """Who hears of what.

    Parameters
    ----------
    click, double, mark : callable
        Told the place of a click, of a double click, of a click with Shift held.
    drawing, drawn : callable
        Told where a drag with Shift held began and where it is, and where it ended.
    """

    click: Callable[[World], None]
    double: Callable[[World], None]
    mark: Callable[[World], None]
    drawing: Callable[[World, World], None]
    drawn: Callable[[World, World], None]


class Mouse:
    """Tells plain gestures from those with Shift, and clicks from drags.

    napari zooms on a double click; while a double click adds a cell, it must not.

    Parameters
    ----------
    viewer : napari.Viewer
        Its callbacks are given back by :meth:`release`.
    is_ours : callable
        Tells whether one of our layers is active.
    gestures : Gestures
        Who hears of what.
    """

    def __init__(
        self, viewer: Viewer, is_ours: Callable[[], bool], gestures: Gestures
    ) -> None:
        self._viewer, self._is_ours, self._told = viewer, is_ours, gestures
        self._before = list(viewer.mouse_double_click_callbacks)
        viewer.mouse_double_click_callbacks[:] = [self._double]
        viewer.mouse_drag_callbacks.append(self._press)

    def release(self) -> None:
        """Give the mouse back."""
        self._viewer.mouse_double_click_callbacks[:] = self._before
        if self._press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._press)

    def _press(self, _viewer: Viewer, event: Any) -> Iterator[None]:
        start, where = tuple(event.pos), _place(event)
        ours = self._is_ours() and event.button == 1
        plain = ours and not event.modifiers
        shift = ours and tuple(event.modifiers) == ("Shift",)
        yield
        moved = 0.0
        while event.type == "mouse_move":
            moved = max(
                moved, abs(event.pos[0] - start[0]), abs(event.pos[1] - start[1])
            )
            if shift and moved > _CLICK_PIXELS:
                self._told.drawing(where, _place(event))
            yield
        if shift and moved > _CLICK_PIXELS:
            self._told.drawn(where, _place(event))
        elif shift:
            self._told.mark(where)
        elif plain and moved <= _CLICK_PIXELS:
            self._told.click(where)

    def _double(self, viewer: Viewer, event: Any) -> None:
        if self._is_ours():
            self._told.double(_place(event))
            return
        for callback in self._before:
            callback(viewer, event)


def _place(event: Any) -> World:
    return float(event.position[-2]), float(event.position[-1])
