"""Files that were chosen and are no smears yet: kept, so that closing forgets none."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from napari_cytosynth.core.project import Job, JobState, Project

CHOSEN = "add"
"""Key of the job whose row lists them."""


class ChosenFiles:
    """A queue of files whose row in the project follows it.

    Parameters
    ----------
    project : Project
        Keeps the row: RUNNING while files wait, also after a crash.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._waiting: deque[tuple[str, str]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, uris: Iterable[str], group: str = "") -> None:
        """Take files in; raises StorageError if the row cannot be kept: they wait.

        ``group`` is the patient or slide of all of them; empty: not said.
        """
        self._waiting.extend((uri, group) for uri in uris)
        self._keep(JobState.RUNNING)

    def first(self) -> tuple[str, str]:
        """Return file and group whose turn it is; it waits until it is :meth:`done`."""
        return self._waiting[0]

    def done(self) -> None:
        """Let the first file go: it is a smear now, or was told of."""
        self._waiting.popleft()
        self._keep(JobState.RUNNING if self._waiting else JobState.DONE)

    def put_off(self) -> bool:
        """Forget what waits, as cancelled; True if anything did."""
        if not self._waiting:
            return False
        self._keep(JobState.CANCELLED)
        self._waiting.clear()
        return True

    def resume(self) -> None:
        """Take in what an earlier session was stopped at."""
        for job in self._project.jobs(JobState.RUNNING):
            if job.key == CHOSEN:
                files = map(str, job.data["files"])
                self._waiting.extend(zip(files, job.data["groups"], strict=True))

    def _keep(self, state: JobState) -> None:
        files = [uri for uri, _ in self._waiting]
        groups = [group for _, group in self._waiting]
        self._project.put_job(Job(CHOSEN, state, {"files": files, "groups": groups}))
