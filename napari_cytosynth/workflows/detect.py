"""Adds smears to a project, and finds their cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.errors import InputError, StorageError
from napari_cytosynth.core.geometry import Box, box_iou
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import CutBy, Job, JobState, Project
from napari_cytosynth.core.protocols import Crops, Finder
from napari_cytosynth.core.smear import Calibration, Smear, SmearImage
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.ingest.finding import InlineFinder
from napari_cytosynth.workflows.detect_files import CATEGORIES, detect_files
from napari_cytosynth.workflows.missed import HAND_UM, box_at
from napari_cytosynth.workflows.quality import Source, measure
from napari_cytosynth.workflows.searches import (
    demand_group,
    last_job,
    relinked,
    smear_by_id,
    standing_search,
)

__all__ = [
    "CATEGORIES",
    "HAND_UM",
    "add_cell",
    "add_smear",
    "detect_files",
    "find_cells",
    "smear_by_id",
]

_Step = tuple[int, int, Detections]
_BATCH = 256
_SAME_CELL = 0.5  # overlap above which two boxes mark one cell


def add_smear(
    project: Project,
    uri: str | Path,
    *,
    group: str | None = None,
    mpp: float | None = None,
    author: Author | None = None,
    finder: Finder | None = None,
) -> Smear:
    """Add a smear to a project, calibrated.

    Parameters
    ----------
    project : Project
        Where it goes.
    uri : str or Path
        The picture. It is never written to.
    group : str or None
        Patient or slide; None takes the picture as its own group.
    mpp : float or None
        Micrometres a pixel, where the user knows better than the file. For a smear that
        is there already it is a correction, as by
        :func:`~napari_cytosynth.workflows.rescale.change_scale`.
    author : Author, optional
        Who corrects; nobody by default.
    finder : Finder, optional
        Calibrates; this process by default.

    Returns
    -------
    Smear
        With its id; the one already there if the same content was added before. Where
        the file of that one is gone, it stands for ``uri`` from now on.

    Raises
    ------
    InputError
        If the picture cannot be opened or is an exported synthetic cell, ``mpp`` is not
        above 0, or it was added before with another group.
    """
    image = _opened(uri)
    try:
        record = image.smear if group is None else replace(image.smear, group=group)
        known = {s.fingerprint: s for s in project.smears()}.get(record.fingerprint)
        if known is not None:
            demand_group(known, group)
            known = relinked(project, known, record.uri)
        before = None if known is None else project.calibration(known.id)
        if known is not None and before is not None and mpp in (None, before.mpp):
            return known
        calibration = (finder or InlineFinder()).calibrate(image, mpp)
        if known is not None and before is not None:
            event = (author or Author("")).scale_changed
            project.record(event(known.id, calibration.to_json()))
            return known
        smear = known or project.add_smear(record)
        project.set_calibration(smear.id, calibration)
        return smear
    finally:
        image.close()


def find_cells(
    project: Project,
    smear_id: SmearId,
    *,
    detector: str = "classic",
    finder: Finder | None = None,
) -> Task[int]:
    """Find the cells of a smear and store them with their crops.

    Safe to repeat: what was found before is not added again, and an interrupted or
    cancelled run goes on where it stopped. Where the pixel size is corrected meanwhile,
    it begins again with the new one.

    Parameters
    ----------
    project : Project
        That holds the smear.
    smear_id : SmearId
        Which one.
    detector : str
        Name of a detector plug-in.
    finder : Finder, optional
        Where the pictures are worked on; this process by default.

    Yields
    ------
    Progress
        One a tile; the payload is the int64 ids of the cells just stored.

    Returns
    -------
    int
        Cells added by this run.

    Raises
    ------
    InputError
        If the smear is unknown, or its picture damaged.
    """
    from napari_cytosynth.ingest import open_smear

    finder = finder or InlineFinder()
    image = open_smear(smear_by_id(project, smear_id).uri)
    added = 0
    try:
        while True:
            if project.calibration(smear_id) is None:
                yield Progress(0, 0, "measuring scale and stain")
            calibration = _calibration(project, smear_id, image, finder)
            job = _job(project, smear_id, detector, calibration.mpp)
            if job.state is JobState.DONE:
                yield Progress(1, 1, "cells were found before")
                return added
            sink = _Sink(project, smear_id, _Source(image, calibration, finder), job)
            ended = yield from _fill(sink, detector)
            added += sink.added
            if ended:
                return added
    finally:
        image.close()


def _fill(sink: _Sink, detector: str) -> Task[bool]:
    """Scan the rest of a smear into its sink, and note how that ended.

    Returns False where the pixel size was corrected meanwhile.
    """
    start = int(sink.job.data["tiles"])
    try:
        for done, total, part in sink.source.scan(detector, start):
            sink.take(part, done, last=done == total)
            yield Progress(done, total, "finding cells", sink.newest)
            if sink.is_outdated():
                return False
        sink.close(JobState.DONE)
    except GeneratorExit:
        sink.close(JobState.CANCELLED)
        raise
    except StorageError:
        # What refused the cells refuses a note as well; the job counts as interrupted.
        raise
    except Exception:
        sink.close(JobState.FAILED)
        raise
    return True


def add_cell(
    project: Project, smear_id: SmearId, x: float, y: float, author: Author
) -> CellId:
    """Add the cell at a point by hand.

    The detector is asked what lies there; where it sees nothing, a box of 12 um is
    taken.

    Parameters
    ----------
    project : Project
        That holds the smear.
    smear_id : SmearId
        Which one.
    x, y : float
        Level-0 pixels, corner-based.
    author : Author
        Who adds it.

    Returns
    -------
    CellId
        Of the new cell, or of the standing one that already covers the point.

    Raises
    ------
    InputError
        If the point lies outside the picture.
    """
    from napari_cytosynth.ingest import cut_crops, open_smear

    smear = smear_by_id(project, smear_id)
    if not (0 <= x < smear.width and 0 <= y < smear.height):
        raise InputError(
            f"Point ({x:.0f}, {y:.0f}) lies outside smear {smear_id} of {smear.width} "
            f"x {smear.height} pixels. A cell is added inside the picture."
        )
    image = open_smear(smear.uri)
    try:
        calibration = _calibration(project, smear_id, image, InlineFinder())
        box = box_at(image, calibration, x, y)
        standing = _standing_cell(project, smear_id, box)
        if standing is not None:
            return standing
        boxes = np.array([[box.x, box.y, box.width, box.height]], np.float32)
        crop = cut_crops(image, boxes, calibration.mpp)
    finally:
        image.close()
    return project.add_cell_by_hand(smear_id, box, crop[0], author)


@dataclass(frozen=True, slots=True)
class _Source:
    """The picture that is searched, and what searches it."""

    image: SmearImage
    calibration: Calibration
    finder: Finder

    def scan(self, detector: str, start: int) -> Iterator[_Step]:
        return self.finder.scan(self.image, detector, self.calibration, start)

    def crops(self, boxes: npt.NDArray[np.float32]) -> Crops:
        return self.finder.crops(self.image, boxes, self.calibration.mpp)


@dataclass
class _Sink:
    """Stores cells as tiles come in, and keeps the job's row beside them."""

    project: Project
    smear: SmearId
    source: _Source
    job: Job
    added: int = 0

    def __post_init__(self) -> None:
        self._waiting: list[Detections] = []
        self._tiles = int(self.job.data["tiles"])
        self._under = int(self.job.data["under"])
        self._own: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.newest: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._note(JobState.RUNNING)

    def take(self, part: Detections, tiles: int, *, last: bool) -> None:
        """Take the cells of a tile; store them when enough have come together."""
        self._waiting.append(part)
        self.newest = np.zeros(0, np.int64)
        if last or sum(len(p) for p in self._waiting) >= _BATCH:
            self._store()
            self._tiles = tiles
            self._note(JobState.RUNNING)

    def is_outdated(self) -> bool:
        """Tell whether scale or search are others now than when this began."""
        calibration = self.project.calibration(self.smear)
        same = calibration is None or calibration.mpp == self.source.calibration.mpp
        return not same or standing_search(self.project, self.smear) != self._under

    def close(self, state: JobState) -> None:
        """Write how the job ended. What was not stored is found again next time."""
        self._note(state)

    def _store(self) -> None:
        found, self._waiting = Detections.concatenate(self._waiting), []
        # A crash between the cells' commit and the job's leaves the job behind by a
        # batch, and a person may have added a cell: neither is found again.
        found = found.take(~_covered(found.boxes, self._known_boxes()))
        if not len(found):
            return
        crops, mpp = self.source.crops(found.boxes), self.source.calibration.mpp
        cut_by = CutBy(mpp, self._under)
        self.newest = self.project.add_cells(self.smear, found, crops, cut_by=cut_by)
        self._own = np.append(self._own, self.newest)
        self.added += len(found)
        pixels = Source(self.smear, mpp, self.source.image, self.source.finder)
        measure(self.project, pixels, self.newest)

    def _known_boxes(self) -> npt.NDArray[np.float32]:
        """Return others' cells, standing or struck out, which must not come back."""
        tables = (self.project.cells(), self.project.removed_cells())
        rows = [
            np.flatnonzero((t.smears == self.smear) & ~np.isin(t.ids, self._own))
            for t in tables
        ]
        return np.concatenate([t.boxes[r] for t, r in zip(tables, rows, strict=True)])

    def _note(self, state: JobState) -> None:
        data = {**self.job.data, "tiles": self._tiles}
        self.project.put_job(Job(self.job.key, state, data))


def _covered(
    boxes: npt.NDArray[np.float32], known: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Tell which boxes mark a cell that is already known."""
    if not len(boxes) or not len(known):
        return np.zeros(len(boxes), bool)
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    near = (known[:, :2] < high) & (known[:, :2] + known[:, 2:] > low)
    overlaps = box_iou(boxes, known[near.all(axis=1)])
    return np.asarray(overlaps.max(axis=1, initial=0) > _SAME_CELL, bool)


def _job(project: Project, smear: SmearId, detector: str, mpp: float) -> Job:
    """Return the row to go on with; a new one if what is asked is another now."""
    asked = {"detector": detector, "mpp": mpp, "under": standing_search(project, smear)}
    job = last_job(project, smear)
    if job is not None:
        # Rows of older projects know of no search anew.
        data = {"under": 0, "tiles": 0, **job.data}
        if all(data.get(name) == asked[name] for name in asked):
            return replace(job, data=data)
    return Job(f"detect:{smear}", JobState.RUNNING, {**asked, "tiles": 0})


def _opened(uri: str | Path) -> SmearImage:
    from napari_cytosynth.ingest import open_smear
    from napari_cytosynth.workflows.exporting import refuse_painted

    refuse_painted(Path(uri))
    return open_smear(uri)


def _calibration(
    project: Project, smear: SmearId, image: SmearImage, finder: Finder
) -> Calibration:
    calibration = project.calibration(smear)
    if calibration is None:
        calibration = finder.calibrate(image)
        project.set_calibration(smear, calibration)
    return calibration


def _standing_cell(project: Project, smear: SmearId, box: Box) -> CellId | None:
    """Return the standing cell that a box marks already: the one that was clicked."""
    cells = project.cells()
    rows = np.flatnonzero(cells.smears == smear)
    wanted = np.array([[box.x, box.y, box.width, box.height]], np.float32)
    overlaps = box_iou(wanted, cells.boxes[rows])[0]
    if overlaps.max(initial=0) <= _SAME_CELL:
        return None
    return CellId(int(cells.ids[rows[overlaps.argmax()]]))
