"""What is said of the focused cell: made behind the reader's back, and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.workflows.describe import Description

DESCRIBE = "describe"
"""Key of the task."""

AHEAD = 8
"""Cells after the focused one that are described with it."""

_KEPT = 2000
_Ids = npt.NDArray[np.int64]


class Details:
    """Describes cells in a task, so that no key waits for it.

    Parameters
    ----------
    project : Project
        Read only here.
    jobs : Jobs
        Runs the task.
    state : SessionState
        Tells whose vectors are learnt from.

    Attributes
    ----------
    on_known : callable
        Told nothing when something more is known.
    """

    def __init__(self, project: Project, jobs: Jobs, state: SessionState) -> None:
        self._project, self._jobs, self._state = project, jobs, state
        self._known: OrderedDict[int, Description] = OrderedDict()
        self.on_known: Callable[[], None] = lambda: None

    def lines(self, cell: int, *, guesses: bool) -> tuple[str, ...]:
        """Return what is known of a cell, a sentence a line; empty: nothing yet.

        What a model guessed is left out unless ``guesses`` may be shown.
        """
        known = self._known.get(int(cell))
        return () if known is None else known.lines(guesses=guesses)

    def want(self, cells: _Ids) -> None:
        """Describe the first of some cells if need be, and the others with it."""
        if not len(cells) or int(cells[0]) in self._known:
            return
        new = [i for i in cells.tolist() if i not in self._known]
        task = self._describing(np.array(new, np.int64))
        self._jobs.start(
            Order(DESCRIBE, "Describing cells", task, self._take_in, quiet=True)
        )

    def forget(self, cell: int) -> None:
        """Describe a cell anew when it is wanted next: its picture is another one."""
        self._known.pop(int(cell), None)

    def clear(self) -> None:
        """Describe all cells anew: their pictures may be others."""
        self._known.clear()

    def take_vectors(self) -> None:
        """Describe those anew that waited for a vector."""
        for cell in [i for i, known in self._known.items() if known.waiting]:
            del self._known[cell]

    def _describing(self, cells: _Ids) -> Task[Mapping[int, Description]]:
        from napari_cytosynth.workflows.describe import Describer
        from napari_cytosynth.workflows.embed import fingerprint_of

        yield Progress(0, 0, "describing")
        describer = Describer(self._project, fingerprint_of(self._state.embedder))
        try:
            return (yield from describer.describe(cells))
        except InputError:
            # One was struck out meanwhile: the next focus asks again.
            return {}

    def _take_in(self, found: Mapping[int, Description]) -> None:
        self._known.update(found)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        if found:
            self.on_known()
