"""Finds cells in files and folders, with no project."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_cytosynth.core.cells import Detections, ObjectKind
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import (
    Detector,
    ImageRecord,
    ObjectRecord,
    Records,
)
from napari_cytosynth.core.quality import words
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.smear import Calibration
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.workflows.damaged import Damaged, DamagedFiles
from napari_cytosynth.workflows.quality import flaws_found


@dataclass(frozen=True, slots=True)
class Measured:
    """A picture's calibration, as a payload of progress.

    Parameters
    ----------
    file : str
        As in the records.
    calibration : Calibration
        What was measured.
    """

    file: str
    calibration: Calibration


CATEGORIES = {
    ObjectKind.NUCLEATED: "nucleated cell",
    ObjectKind.RED_CELL: "red cell",
    ObjectKind.PLATELET: "platelet",
}
"""Names of the COCO categories 1, 2 and 3."""


def detect_files(
    paths: Sequence[str | Path],
    *,
    objects: str = "nucleated",
    detector: str = "classic",
    mpp: float | None = None,
    on_damaged: Damaged | None = None,
) -> Task[Records]:
    """Find cells in files and folders, without a project.

    Parameters
    ----------
    paths : sequence of str or Path
        Pictures, and folders of pictures; of folders every picture below them.
    objects : str
        ``"nucleated"``, or ``"all"`` for red cells and platelets too.
    detector : str
        Name of a detector plug-in.
    mpp : float or None
        Micrometres a pixel of all pictures, where the user knows; else each tells.
    on_damaged : callable, optional
        Told of each file that cannot be read; the others are searched all the same.
        By default the first such file ends the task, and so does an only one.

    Yields
    ------
    Progress
        At least one a picture; payload: a :class:`Measured`, once the scale is known.

    Returns
    -------
    Records
        Pictures without cells are listed too; file names are relative to the folder
        that was given, else the base name. Where two would be the same, all are
        relative to the folder that holds all pictures. One given twice counts once.

    Raises
    ------
    InputError
        If a file is no picture, or a folder holds none, and nobody is told of it; if
        it is the only file; or if none of several files can be read.
    """
    found = load("detectors", detector)()
    files = _named([pair for path in paths for pair in _pictures(Path(path))])
    done: list[tuple[ImageRecord, list[ObjectRecord]]] = []
    damaged = DamagedFiles(on_damaged if len(files) > 1 else None)
    for number, (path, name) in enumerate(files):
        try:
            step = (number, len(files))
            one = yield from _detect_file((path, name), found, objects, mpp, step)
            done.append(one)
        except InputError as error:
            damaged.note(path, error)
    damaged.demand_some(len(done))
    yield Progress(len(files), len(files), "done")
    cells = tuple(cell for _, its in done for cell in its)
    return Records(tuple(i for i, _ in done), cells, tuple(CATEGORIES.values()))


def _pictures(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each picture and its name relative to the folder that was given."""
    from napari_cytosynth.ingest.opening import find_pictures

    found = find_pictures(path) if path.is_dir() else [path]
    if found == [path]:
        yield path, path.name
        return
    yield from ((p, p.relative_to(path).as_posix()) for p in found)


def _named(files: Sequence[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Leave out repeats; name files by a common folder where their names clash."""
    once: dict[Path, tuple[Path, str]] = {}
    for path, name in files:
        once.setdefault(path.absolute(), (path, name))
    if len({name for _, name in once.values()}) == len(once):
        return list(once.values())
    folder = os.path.commonpath([path.parent for path in once])
    return [(path, p.relative_to(folder).as_posix()) for p, (path, _) in once.items()]


def _detect_file(
    file: tuple[Path, str],
    detector: Detector,
    objects: str,
    mpp: float | None,
    place: tuple[int, int],
) -> Task[tuple[ImageRecord, list[ObjectRecord]]]:
    from napari_cytosynth.ingest import calibrate, detect_cells, open_smear

    (path, name), (number, total) = file, place
    yield Progress(number, total, name)
    image = open_smear(path)
    try:
        calibration = calibrate(image, mpp)
        yield Progress(number, total, name, Measured(name, calibration))
        task = detect_cells(image, detector, calibration, objects=objects)
        found = yield from _renamed(task, Progress(number, total, name))
        flaws = flaws_found(image, found, calibration).tolist()
    finally:
        image.close()
    smear = image.smear
    record = ImageRecord(
        name,
        smear.width,
        smear.height,
        calibration.mpp,
        str(calibration.mpp_source),
    )
    return record, [_object(name, found, i, flaws[i]) for i in range(len(found))]


def _renamed(task: Task[Detections], progress: Progress) -> Task[Detections]:
    """Count pictures; of a large one, the note says how far its tiles are."""
    try:
        while True:
            tile = next(task)
            many = f": tile {tile.done} of {tile.total}" if tile.total > 1 else ""
            yield replace(progress, note=progress.note + many)
    except StopIteration as stop:
        found: Detections = stop.value
        return found
    finally:
        task.close()


def _object(name: str, found: Detections, i: int, flaws: int) -> ObjectRecord:
    x, y, width, height = (float(v) for v in found.boxes[i])
    return ObjectRecord(
        image=name,
        box=(x, y, width, height),
        label=CATEGORIES[ObjectKind(int(found.kinds[i]))],
        score=float(found.scores[i]),
        outline=tuple((float(px), float(py)) for px, py in found.outlines[i]),
        edge=bool(found.edges[i]),
        attributes={"quality": words(flaws)} if flaws else {},
    )
