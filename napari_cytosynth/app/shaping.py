"""Corrects boxes and splits cells in the background: the picture is cut anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Point = tuple[float, float]


class Shaping:
    """Boxes of one session.

    Parameters
    ----------
    project : Project
        Takes the events and the pictures.
    jobs : Jobs
        Runs the work.
    state : SessionState
        Says who acts; told of the outcome.
    """

    def __init__(self, project: Project, jobs: Jobs, state: SessionState) -> None:
        self._project, self._jobs, self._state = project, jobs, state
        self.on_box: Callable[[CellId], None] = lambda _: None
        self.on_split: Callable[[CellId, CellId], None] = lambda _old, _new: None

    def change_box(self, cell: CellId, box: Box) -> None:
        """Give a cell another box."""
        task = self._changing(cell, box)
        order = Order(f"box:{cell}", "Changing a box", task, self._changed, quiet=True)
        self._jobs.start(order)

    def _changing(self, cell: CellId, box: Box) -> Task[tuple[CellId, Box]]:
        from napari_cytosynth.workflows.reshape import change_box

        yield Progress(0, 1, "cutting the picture")
        return cell, change_box(self._project, cell, box, self._state.author())

    def _changed(self, done: tuple[CellId, Box]) -> None:
        cell, box = done
        self.on_box(cell)
        self._state.say(
            f"Cell {cell} has a box of {box.width:.0f} x {box.height:.0f} pixels now; "
            "its picture was cut anew."
        )

    def split(self, cell: CellId, centres: tuple[Point, Point]) -> None:
        """Make two cells of one, around two centres."""
        task = self._splitting(cell, centres)
        key = f"split:{cell}"
        self._jobs.start(Order(key, "Splitting a cell", task, self._split, quiet=True))

    def _splitting(
        self, cell: CellId, centres: tuple[Point, Point]
    ) -> Task[tuple[CellId, npt.NDArray[np.int64]]]:
        from napari_cytosynth.workflows.reshape import split_cell

        yield Progress(0, 1, "cutting the pictures")
        return cell, split_cell(self._project, cell, centres, self._state.author())

    def _split(self, done: tuple[CellId, npt.NDArray[np.int64]]) -> None:
        cell, parts = done
        self.on_split(cell, CellId(int(parts[0])))
        self._state.say(f"Cell {cell} is cells {parts[0]} and {parts[1]} now.")
