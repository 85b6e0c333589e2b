"""Looks in the background for what is wrong with the pictures of cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.desk import Desk
from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.core.protocols import Finder
from napari_cytosynth.core.tasks import Task

INSPECT = "inspect"
"""Key of the task that measures the pictures of cells."""

_QUICK = 500  # cells up to which nobody needs to be told


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found.

    Parameters
    ----------
    ids : int64[n]
        Cells.
    flaws : uint8[n]
        :class:`~napari_cytosynth.core.quality.Flaw` bits of each.
    """

    ids: npt.NDArray[np.int64]
    flaws: npt.NDArray[np.uint8]


class Inspecting:
    """Keeps the flaws of the cell index up to date.

    Cells are measured as they are found; this finds what was added by hand, imported,
    cut anew, or stored by an older version. The queue does not wait for it.

    Parameters
    ----------
    desk : Desk
        Holds project and index.
    jobs : Jobs
        Runs the work.
    finder : callable
        Tells where pictures are worked on; None: in this process.
    """

    def __init__(
        self, desk: Desk, jobs: Jobs, finder: Callable[[], Finder | None]
    ) -> None:
        self._desk, self._jobs, self._finder = desk, jobs, finder
        self.on_changed: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Measure what is new; a newer call supersedes this one and goes on with it."""
        cells = len(self._desk.index)
        if cells:
            quiet = cells <= _QUICK
            title = "Checking the pictures of cells"
            self._jobs.start(
                Order(INSPECT, title, self._task(), self._done, quiet=quiet)
            )

    def _task(self) -> Task[Inspected]:
        from napari_cytosynth.workflows.quality import flaws_by_cell, measure_cells

        yield from measure_cells(self._desk.project, finder=self._finder())
        table = self._desk.project.cells()
        return Inspected(table.ids, flaws_by_cell(self._desk.project, table))

    def _done(self, found: Inspected) -> None:
        index = self._desk.index
        before = index.flaws
        index.set_flaws(found.ids, found.flaws)
        if not np.array_equal(before, index.flaws):
            self._desk.events.predictions.emit()
            self.on_changed()
