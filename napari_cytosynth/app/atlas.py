"""All cells on a plane: laid out when somebody asks for the map, and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.learner import Learner
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.workflows.layout import CellMap

MAP = "map"
"""Key of the task."""


class Atlas:
    """Keeps the map of the embedder in use; nothing is made before it is wanted.

    Parameters
    ----------
    project : Project
        Gives cells and vectors.
    jobs : Jobs
        Runs the task.
    learner : Learner
        Tells whose vectors are learnt from.

    Attributes
    ----------
    map : CellMap or None
        The newest; None before the first.
    on_laid : callable
        Told nothing when there is a newer one, or it is known that there is none.
    """

    def __init__(self, project: Project, jobs: Jobs, learner: Learner) -> None:
        self._project, self._jobs, self._learner = project, jobs, learner
        self._behind = False
        self.map: CellMap | None = None
        self.on_laid: Callable[[], None] = lambda: None

    def want(self) -> None:
        """Lay out what is not on the map; if that is under way, once more after it."""
        if self._jobs.is_running(MAP):
            self._behind = True
            return
        self._behind = False
        if self._learner.key:
            task = self._laying(self._learner.key)
            self._jobs.start(
                Order(MAP, "Map of cells", task, self._laid, on_end=self._again)
            )

    @property
    def is_under_way(self) -> bool:
        """Tell whether a map is being made."""
        return self._jobs.is_running(MAP)

    def _laying(self, key: str) -> Task[CellMap | None]:
        yield Progress(0, 0, "")
        from napari_cytosynth.workflows.layout import lay_out

        return (yield from lay_out(self._project, key, self.map))

    def _laid(self, found: CellMap | None) -> None:
        if found is not self.map or found is None:
            self.map = found
            self.on_laid()

    def _again(self) -> None:
        if self._behind:
            self.want()
