"""Measures in the background how far the labelling is, as labels come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import Task

if TYPE_CHECKING:
    from napari_cytosynth.learning.curve import LearningCurve
    from napari_cytosynth.learning.doubts import Doubt
    from napari_cytosynth.learning.head import HeadFitter
    from napari_cytosynth.learning.outlook import Stopping
    from napari_cytosynth.workflows.progress import Pace
    from napari_cytosynth.workflows.repeats import Agreement

MEASURE = "measure"
"""Key of the task."""

GROWN = 0.2
"""Growth of the labels after which is measured again: it takes some hundred fits."""

AT_LEAST = 10
"""Labels by which they must have grown all the same."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one round found.

    Parameters
    ----------
    curve : LearningCurve
        The learning curve so far.
    doubts : tuple of Doubt
        Labels that the model doubts.
    stopping : Stopping
        What more labels would bring.
    agreements : tuple of Agreement
        How far readers agree with themselves.
    """

    curve: LearningCurve
    doubts: tuple[Doubt, ...]
    stopping: Stopping
    agreements: tuple[Agreement, ...]


class Measuring:
    """Keeps curve, doubts and forecast up to date, when labels grew by a fifth.

    Parameters
    ----------
    project : Project
        Gives labels and vectors; keeps what was measured.
    jobs : Jobs
        Runs the task, unseen.
    state : SessionState
        Takes what was measured.
    fitter : callable
        Returns what fits heads; None: this process does.
    """

    def __init__(
        self,
        project: Project,
        jobs: Jobs,
        state: SessionState,
        fitter: Callable[[], HeadFitter | None],
    ) -> None:
        self._project, self._jobs, self._state = project, jobs, state
        self._fitter = fitter
        self._running, self._key, self._labels = False, "", 0

    def follow(self, key: str) -> None:
        """Measure what labels and vectors of this embedder tell now, where it is due.

        Call it after each round of learning that left a head.
        """
        if key != self._key:
            self._key, self._labels = key, 0
            self._recall(key)
        now = len(self._project.journal.labels())
        change = abs(now - self._labels)
        if not self._running and change >= max(AT_LEAST, GROWN * self._labels):
            # What fails is not tried again after the next label.
            self._running, self._labels = True, now
            self._jobs.start(
                Order(
                    MEASURE,
                    "Measuring the labels",
                    self._measuring(key),
                    lambda found: self._take(key, found),
                    on_end=self._end,
                    quiet=True,
                )
            )

    def pace(self) -> Pace:
        """Return labels and minutes of this reader's sitting."""
        from napari_cytosynth.workflows.progress import pace_of

        return pace_of(self._project.journal, self._state.annotator)

    def _recall(self, key: str) -> None:
        """Show what an earlier sitting measured, until there is something newer."""
        from napari_cytosynth.workflows.progress import stored_curve, stored_stopping

        self._state.curve = stored_curve(self._project, key)
        self._state.stopping = stored_stopping(self._project, key)

    def _measuring(self, key: str) -> Task[Measured]:
        from napari_cytosynth.workflows.doubts import doubted_labels
        from napari_cytosynth.workflows.progress import measure_curve, measure_stopping
        from napari_cytosynth.workflows.repeats import agreements

        fit = self._fitter()
        doubts = yield from doubted_labels(self._project, key, fit=fit)
        curve = yield from measure_curve(self._project, key, fit=fit)
        stopping = yield from measure_stopping(self._project, key, fit=fit)
        told = agreements(self._project.journal)
        return Measured(curve, doubts.found, stopping, told)

    def _take(self, key: str, measured: Measured) -> None:
        if key != self._key:
            # Of the vectors of another embedder; those chosen since come next.
            return
        self._state.doubts = measured.doubts
        self._state.curve = measured.curve
        self._state.agreements = measured.agreements
        self._state.stopping = measured.stopping

    def _end(self) -> None:
        self._running = False
