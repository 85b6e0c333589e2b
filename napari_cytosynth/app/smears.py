"""Opens smears, finds their cells in the background, and keeps pictures at hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TypeAlias

import numpy as np

from napari_cytosynth.app.chosen import CHOSEN, ChosenFiles
from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.core.errors import CytoSynthError
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import Finder
from napari_cytosynth.core.smear import FALLBACK_MPP, NO_COLOUR, Smear, SmearImage
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.workflows.searches import unfinished

Opener: TypeAlias = Callable[[str], SmearImage]
"""Opens the picture at a uri."""

KEPT = 16
"""Pictures that stay open."""

OPEN = "open"
"""Key of the task that opens smears and finds their cells."""


class Smears:
    """The smears of one session.

    All files are added first, then searched one after the other, so that many of them
    leave the window free and none is forgotten when it is closed meanwhile. A file that
    cannot be read is told of, and the others go on.

    Parameters
    ----------
    project : Project
        Takes smears and cells.
    jobs : Jobs
        Runs the work.
    opener : callable, optional
        Opens a picture; by default :func:`napari_cytosynth.ingest.open_smear`.

    Attributes
    ----------
    finder : Finder or None
        Where cells are found; None: in this process. Closed by :meth:`close`.
    """

    def __init__(
        self, project: Project, jobs: Jobs, opener: Opener | None = None
    ) -> None:
        self._project, self._jobs = project, jobs
        self._opener = opener or _open_smear
        self._files = ChosenFiles(project)
        self._waiting: deque[SmearId] = deque()
        self._images: dict[SmearId, SmearImage] = {}
        self._broken: set[SmearId] = set()
        self._detector = "classic"
        self.finder: Finder | None = None
        self._current: SmearId | None = None
        self._stopped: set[str] = set()
        self._warned: set[SmearId] = set()
        self.on_added: Callable[[Smear], None] = lambda _: None
        self.on_cells: Callable[[], None] = lambda: None

    def open(self, uris: Sequence[str], group: str = "") -> None:
        """Add pictures, of one patient or slide if so said, and find their cells."""
        try:
            # From here on they are not forgotten, however this session ends.
            self._files.add([_lasting(str(uri)) for uri in uris], group)
        except CytoSynthError as error:
            self._jobs.tell("Keeping the list of files", error)
        self._work()

    def find(self, smear: SmearId, *, detector: str = "classic") -> None:
        """Find the cells of a smear that was added before."""
        self._detector = detector
        self._waiting.append(smear)
        self._work()

    def resume(self) -> None:
        """Go on where finding cells was interrupted, or never began."""
        self._files.resume()
        for smear in self._project.smears():
            if unfinished(self._project, smear.id):
                self._waiting.append(smear.id)
        self._work()

    def keep_running(self) -> None:
        """Mark what closing stops as interrupted, so that opening goes on with it."""
        if not self._jobs.is_unfinished(OPEN):
            return
        for job in self._project.jobs(JobState.CANCELLED):
            if job.key in self._stopped:
                self._project.put_job(replace(job, state=JobState.RUNNING))

    def _work(self) -> None:
        if (self._files or self._waiting) and not self._jobs.is_running(OPEN):
            self._jobs.start(
                Order(
                    OPEN,
                    "Finding cells",
                    self._task(),
                    on_done=lambda _: None,
                    on_progress=self._on_progress,
                    on_end=self._work,
                )
            )

    def _task(self) -> Task[None]:
        self._current, self._stopped = None, set()
        try:
            while self._files or self._waiting:
                # Rows are cheap, and a smear that has one is not forgotten at closing.
                while self._files:
                    yield from self._add(*self._files.first())
                    self._files.done()
                if self._waiting:
                    yield from self._search(self._waiting.popleft())
        except GeneratorExit:
            self._put_off()
            raise

    def _put_off(self) -> None:
        """Forget what waits; files and smears among it count as cancelled."""
        now = [] if self._current is None else [self._current]
        stopped = {_job_key(smear) for smear in [*now, *self._waiting]}
        self._waiting.clear()
        self._stopped = stopped | {CHOSEN} if self._files.put_off() else stopped
        rows = {job.key: job for job in self._project.jobs()}
        for key in sorted(stopped):
            job = rows.get(key, Job(key, JobState.RUNNING))
            if job.state is JobState.RUNNING:
                self._project.put_job(replace(job, state=JobState.CANCELLED))

    def _add(self, uri: str, group: str) -> Task[None]:
        from napari_cytosynth.workflows.detect import add_smear

        title = PurePath(uri).name
        yield Progress(0, 0, f"{title}: opening, measuring scale and stain")
        try:
            whose, where = group or None, self.finder
            smear = add_smear(self._project, uri, group=whose, finder=where)
        except (CytoSynthError, OSError) as error:
            yield Progress(0, 0, f"{title}: failed", payload=("failed", error))
            return
        self._waiting.append(smear.id)
        yield Progress(0, 0, f"{title}: added", payload=("added", smear))

    def _search(self, smear: SmearId) -> Task[None]:
        from napari_cytosynth.workflows.detect import find_cells

        title = PurePath(self.record(smear).uri).name
        self._current = smear
        yield Progress(0, 0, f"{title}: finding cells")
        try:
            how, where = self._detector, self.finder
            found = find_cells(self._project, smear, detector=how, finder=where)
            yield from _noted(found, title)
            yield Progress(1, 1, f"{title}: done")
        except (CytoSynthError, OSError) as error:
            yield Progress(0, 0, f"{title}: failed", payload=("failed", error))
        self._current = None

    def _on_progress(self, progress: Progress) -> None:
        if not isinstance(progress.payload, tuple):
            return
        what, value = progress.payload
        if what == "added":
            self._broken.discard(value.id)
            self.on_added(value)
        elif what == "cells":
            self.on_cells()
        else:
            self._jobs.tell("Opening a smear", value)

    def record(self, smear: SmearId) -> Smear:
        """Return the record of a smear."""
        return next(s for s in self._project.smears() if s.id == smear)

    def mpp(self, smear: SmearId) -> float:
        """Return micrometres a level-0 pixel: calibrated, else as the file says."""
        calibration = self._project.calibration(smear)
        if calibration is not None:
            return calibration.mpp
        return self.record(smear).mpp or FALLBACK_MPP

    def image(self, smear: SmearId) -> SmearImage | None:
        """Return the open picture of a smear; None, said once, if it cannot be read."""
        if smear in self._images:
            # The newest stand last.
            self._images[smear] = self._images.pop(smear)
            return self._images[smear]
        if smear in self._broken:
            return None
        try:
            image = self._opener(self.record(smear).uri)
        except (CytoSynthError, OSError) as error:
            self._broken.add(smear)
            self._jobs.tell("Opening a smear", error)
            return None
        self._put(smear, image)
        return image

    def opened_anew(self, smear: SmearId) -> SmearImage:
        """Return a picture for whoever asks, who closes it; for any thread.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        return self._opener(self.record(smear).uri)

    def prefetch(self, smear: SmearId) -> None:
        """Open a smear in the background, for the cell that comes next."""
        if smear in self._images or smear in self._broken:
            return
        self._jobs.start(
            Order(
                f"prefetch:{smear}",
                "Opening the next smear",
                self._opening(smear),
                on_done=lambda image: self._keep(smear, image),
                quiet=True,
            )
        )

    def _opening(self, smear: SmearId) -> Task[SmearImage | None]:
        yield Progress(0, 1, "opening")
        try:
            image = self._opener(self.record(smear).uri)
            # The coarsest level, which every viewer asks for first, is computed here.
            np.asarray(image.levels[-1][:])
        except (CytoSynthError, OSError):
            # Told when the smear is shown; until then nobody has missed it.
            return None
        return image

    def _keep(self, smear: SmearId, image: SmearImage | None) -> None:
        if image is not None and smear in self._images:
            image.close()
        elif image is not None:
            self._put(smear, image)

    def _put(self, smear: SmearId, image: SmearImage) -> None:
        """Keep a picture; the one shown longest ago is closed for it."""
        if NO_COLOUR in image.notes and smear not in self._warned:
            self._warned.add(smear)
            self._jobs.warn(f"{PurePath(image.smear.uri).name}: {NO_COLOUR}.")
        self._images[smear] = image
        while len(self._images) > KEPT:
            oldest = next(iter(self._images))
            self._images.pop(oldest).close()

    def close(self) -> None:
        """Close all pictures, and what finds cells in them."""
        if self.finder is not None:
            self.finder.close()
        for image in self._images.values():
            image.close()
        self._images.clear()


def _job_key(smear: int) -> str:
    """Return the key of the job that searches a smear."""
    return f"detect:{smear}"


def _lasting(uri: str) -> str:
    """Return an address that another session, in another folder, understands too."""
    return uri if ":/" in uri else str(Path(uri).absolute())


def _open_smear(uri: str) -> SmearImage:
    from napari_cytosynth.ingest import open_smear

    return open_smear(uri)


def _noted(task: Task[int], title: str) -> Task[int]:
    """Put the smear's name before each note of a task; say what cells are new."""
    try:
        while True:
            step = next(task)
            new = isinstance(step.payload, np.ndarray) and len(step.payload) > 0
            payload = ("cells", step.payload) if new else None
            yield replace(step, note=f"{title}: {step.note}", payload=payload)
    except StopIteration as stop:
        return int(stop.value)
    finally:
        task.close()
