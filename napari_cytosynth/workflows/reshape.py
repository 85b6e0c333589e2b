"""Corrects where a cell lies: another box, or two cells where one was found."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import Box, halves
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.core.smear import FALLBACK_MPP, Smear
from napari_cytosynth.workflows.detect import smear_by_id

SMALLEST_UM, LARGEST_UM = 2.0, 60.0
"""Sides of a box that can hold a cell: from less than a platelet to a megakaryocyte."""


def change_box(project: Project, cell: CellId, box: Box, author: Author) -> Box:
    """Give a cell another box, and cut its picture anew.

    Label, remarks and draws stay with the cell; its vector is made again by the next
    :func:`~napari_cytosynth.workflows.embed.embed_cells`.

    Parameters
    ----------
    project : Project
        That holds the cell.
    cell : CellId
        A standing cell.
    box : Box
        The new one; what sticks out of the picture is cut off.
    author : Author
        Who changes it.

    Returns
    -------
    Box
        The box as it was kept.

    Raises
    ------
    InputError
        If the box is no cell's size, lies outside, or the picture cannot be read.
    """
    smear, mpp = _place(project, cell)
    kept = _inside(box, smear)
    sides = (kept.width * mpp, kept.height * mpp)
    if min(sides) < SMALLEST_UM or max(sides) > LARGEST_UM:
        raise InputError(
            f"A box of {sides[0]:.1f} x {sides[1]:.1f} um cannot hold cell {cell}. "
            f"Draw one of {SMALLEST_UM:.0f} to {LARGEST_UM:.0f} um a side."
        )
    boxes = np.array([[kept.x, kept.y, kept.width, kept.height]], np.float32)
    project.change_box(cell, kept, _cut(smear, boxes, mpp), author)
    return kept


def split_cell(
    project: Project,
    cell: CellId,
    centres: tuple[tuple[float, float], tuple[float, float]],
    author: Author,
) -> npt.NDArray[np.int64]:
    """Make two cells of one: its outline is parted midway between two centres.

    Parameters
    ----------
    project : Project
        That holds the cell.
    cell : CellId
        A standing cell; its label goes with it, the two new ones have none.
    centres : two (x, y)
        Level-0 pixels, within the cell's box.
    author : Author
        Who splits it.

    Returns
    -------
    int64[2]
        The new cells, in the order of the centres.

    Raises
    ------
    InputError
        If a centre lies outside the box, both are the same, or a part is too small.
    """
    smear, mpp = _place(project, cell)
    box = project.cells().box(cell)
    if not all(box.contains(*centre) for centre in centres):
        raise InputError(
            f"Cell {cell} was not split: both centres must lie within its box. Mark "
            "the middle of each of the two cells."
        )
    parts = halves(project.outline(cell), *centres)
    if parts is None:
        corners = np.array(
            [
                (box.x, box.y),
                (box.x + box.width, box.y),
                (box.x + box.width, box.y + box.height),
                (box.x, box.y + box.height),
            ],
            np.float32,
        )
        parts = halves(corners, *centres)
    if parts is None or min(np.ptp(p, axis=0).min() for p in parts) * mpp < SMALLEST_UM:
        raise InputError(
            f"Cell {cell} was not split: a part would be narrower than "
            f"{SMALLEST_UM:.0f} um. Mark the two centres further apart."
        )
    found = _as_detections(parts, smear)
    return project.split_cell(cell, found, _cut(smear, found.boxes, mpp), author)


def _place(project: Project, cell: CellId) -> tuple[Smear, float]:
    smear = smear_by_id(project, project.cells().smear_of(cell))
    calibration = project.calibration(smear.id)
    return smear, calibration.mpp if calibration else smear.mpp or FALLBACK_MPP


def _inside(box: Box, smear: Smear) -> Box:
    left, top = max(box.x, 0.0), max(box.y, 0.0)
    right = min(box.x + box.width, float(smear.width))
    bottom = min(box.y + box.height, float(smear.height))
    return Box(left, top, max(right - left, 0.0), max(bottom - top, 0.0))


def _cut(smear: Smear, boxes: npt.NDArray[np.float32], mpp: float) -> Crops:
    from napari_cytosynth.ingest import cut_crops, open_smear

    with closing(open_smear(smear.uri)) as image:
        return cut_crops(image, boxes, mpp)


def _as_detections(
    parts: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]], smear: Smear
) -> Detections:
    low = np.stack([part.min(axis=0) for part in parts])
    high = np.stack([part.max(axis=0) for part in parts])
    beyond = np.concatenate([low <= 0, high >= (smear.width, smear.height)], axis=1)
    return Detections(
        np.concatenate([low, high - low], axis=1).astype(np.float32),
        np.ones(2, np.float32),
        np.asarray(beyond.any(axis=1), bool),
        list(parts),
        np.ones(2, np.uint8),
    )
