"""Places where a cell is likely but no box stands.

A detector that can doubt is asked again, refusing less. What it sees then, and what no
known cell covers, is a place to look at. It becomes a cell only by a person's hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Detector
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.smear import Calibration, Smear, SmearImage
from napari_cytosynth.core.tasks import Progress, Task

COVERED = 0.3
"""Part of a place that a known cell covers, from which on it is that cell."""

HAND_UM = 12.0
"""Side of the box of a cell that the detector does not see, micrometres."""

_LOOK_UM = 60.0

Boxes = npt.NDArray[np.float32]
Opener: TypeAlias = Callable[[str], SmearImage]


@runtime_checkable
class Doubting(Protocol):
    """A detector that can also tell what it only nearly takes for a cell."""

    place_chance: float
    """Share of such places that are cells, as measured."""

    def doubting(self) -> Detector:
        """Return a detector that refuses less."""
        ...


@dataclass(frozen=True, slots=True)
class Missed:
    """What was found in some parts of a smear.

    Parameters
    ----------
    places : tuple of tuple of Box
        Places in each part; level-0 pixels.
    chance : float
        Share of such places that are cells.
    """

    places: tuple[tuple[Box, ...], ...]
    chance: float


_LOOKED: WeakKeyDictionary[Project, dict[tuple[object, ...], Boxes]] = (
    WeakKeyDictionary()
)
"""Boxes that a doubting detector sees in a part of a smear, by what decides them."""


def find_missed(
    project: Project,
    smear: Smear,
    parts: Sequence[Box],
    *,
    detector: str = "classic",
    opener: Opener | None = None,
) -> Task[Missed]:
    """Look for missed cells in parts of a smear; each part is looked at once.

    Parameters
    ----------
    project : Project
        Gives calibration and known cells; nothing is written.
    smear : Smear
        Of the project. Where it has no calibration, or its picture cannot be opened,
        nothing is found.
    parts : sequence of Box
        Level-0 pixels.
    detector : str
        Name of the detector; of one that cannot doubt nothing is found.
    opener : callable, optional
        Opens the picture; by default :func:`napari_cytosynth.ingest.open_smear`.

    Raises
    ------
    RegistryError
        If there is no such detector.
    """
    yield Progress(0, len(parts), "looking for missed cells")
    made = load("detectors", detector)()
    calibration = project.calibration(smear.id)
    none = Missed(((),) * len(parts), 0.0)
    if not isinstance(made, Doubting) or calibration is None or not parts:
        return none
    seen = _LOOKED.setdefault(project, {})
    new = [p for p in parts if _key(smear, detector, calibration, p) not in seen]
    try:
        for done, (part, boxes) in enumerate(
            _looked(smear, new, made.doubting(), calibration, opener)
        ):
            seen[_key(smear, detector, calibration, part)] = boxes
            yield Progress(done, len(parts), "looking for missed cells")
    except InputError:
        # The picture was moved or is damaged; the canvas says so where it is shown.
        return none
    known = _known_boxes(project, smear)
    return Missed(
        tuple(
            uncovered(seen[_key(smear, detector, calibration, part)], known)
            for part in parts
        ),
        made.place_chance,
    )


def _key(
    smear: Smear, detector: str, calibration: Calibration, part: Box
) -> tuple[object, ...]:
    return smear.fingerprint, detector, calibration.mpp, part


def _looked(
    smear: Smear,
    parts: Sequence[Box],
    detector: Detector,
    calibration: Calibration,
    opener: Opener | None,
) -> Iterator[tuple[Box, Boxes]]:
    """Yield each part and the boxes that the detector sees there."""
    from napari_cytosynth.ingest import open_smear
    from napari_cytosynth.ingest.tiles import detect_at

    if not parts:
        return
    with closing((opener or open_smear)(smear.uri)) as image:
        height, width = image.levels[0].shape[:2]
        for part in parts:
            if part.x >= width or part.y >= height:
                raise InputError(
                    f"'{smear.uri}' is of {width} x {height} pixels now and was larger "
                    "when it was added. Put the picture back that was added."
                )
            um = max(part.width, part.height) * calibration.mpp
            found = detect_at(image, detector, calibration, part.centre, um)
            boxes = found.boxes[~found.edges]
            centres = boxes[:, :2] + boxes[:, 2:] / 2
            inside = [part.contains(float(x), float(y)) for x, y in centres]
            yield part, boxes[np.array(inside, bool)]


def _known_boxes(project: Project, smear: Smear) -> Boxes:
    """Return boxes of standing cells, and of those that a person struck out."""
    tables = (project.cells(), project.removed_cells())
    return np.concatenate([t.boxes[t.smears == smear.id] for t in tables])


def uncovered(boxes: Boxes, known: Boxes) -> tuple[Box, ...]:
    """Return the boxes of which little lies on a known cell.

    Parameters
    ----------
    boxes, known : float32[n, 4], float32[m, 4]
        x, y, width, height; level-0 pixels of one smear.
    """
    if len(boxes) and len(known):
        ends, known_ends = boxes[:, :2] + boxes[:, 2:], known[:, :2] + known[:, 2:]
        low = np.maximum(boxes[:, None, :2], known[None, :, :2])
        high = np.minimum(ends[:, None], known_ends[None])
        shared = np.clip(high - low, 0, None).prod(axis=2).max(axis=1)
        boxes = boxes[shared < COVERED * boxes[:, 2:].prod(axis=1)]
    return tuple(Box(*map(float, box)) for box in boxes)


def box_at(image: SmearImage, calibration: Calibration, x: float, y: float) -> Box:
    """Return the detector's smallest box around a point, else one of 12 um.

    Where it sees nothing it is asked again, refusing less: a person says that a cell is
    there.

    Parameters
    ----------
    image : SmearImage
        An open smear.
    calibration : Calibration
        Of it.
    x, y : float
        Level-0 pixels.
    """
    from napari_cytosynth.ingest.tiles import detect_at

    detector: Detector = load("detectors", "classic")()
    doubting = [detector.doubting()] if isinstance(detector, Doubting) else []
    for each in (detector, *doubting):
        boxes = detect_at(image, each, calibration, (x, y), _LOOK_UM).boxes
        ends = boxes[:, :2] + boxes[:, 2:]
        over = (boxes[:, :2] <= [x, y]).all(axis=1) & (ends > [x, y]).all(axis=1)
        if over.any():
            best = boxes[over][np.argmin(boxes[over][:, 2:].prod(axis=1))]
            left, top, width, height = (float(v) for v in best)
            return Box(left, top, width, height)
    side = HAND_UM / calibration.mpp
    return Box(x - side / 2, y - side / 2, side, side)
