"""Corrects the pixel size of a smear, and cuts its crops anew."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Finder
from napari_cytosynth.core.smear import PLAUSIBLE_MPP, Calibration
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.ingest.finding import InlineFinder
from napari_cytosynth.workflows.detect import smear_by_id

BATCH = 256
"""Crops that are cut and kept in one step."""


def change_scale(
    project: Project,
    smear_id: SmearId,
    mpp: float,
    author: Author,
    *,
    finder: Finder | None = None,
) -> Calibration:
    """Give a smear another pixel size; stain and thresholds are measured anew with it.

    It is one event, which undo takes back. Boxes and labels stay; crops are stale until
    :func:`cut_anew`, and vectors are made of the new ones. Cells that the detector
    missed or made up at the wrong scale are another matter: see
    :func:`~napari_cytosynth.workflows.searches.find_anew`.

    Parameters
    ----------
    project : Project
        That holds the smear.
    smear_id : SmearId
        Which one.
    mpp : float
        Micrometres a level-0 pixel, 0.02 to 5.
    author : Author
        Who corrects it.
    finder : Finder, optional
        Measures; this process by default.

    Returns
    -------
    Calibration
        The one that holds now.

    Raises
    ------
    InputError
        If the smear is unknown, its picture cannot be read, or no microscope has such a
        pixel size.
    """
    from napari_cytosynth.ingest import open_smear

    low, high = PLAUSIBLE_MPP
    if not low <= mpp <= high:
        raise InputError(
            f"A pixel of {mpp:g} um was given for smear {smear_id}. A microscope has "
            f"{low:g} to {high:g} um a pixel; most smears are scanned at 0.1 to 0.5."
        )
    with closing(open_smear(smear_by_id(project, smear_id).uri)) as image:
        calibration = (finder or InlineFinder()).calibrate(image, mpp)
    project.record(author.scale_changed(smear_id, calibration.to_json()))
    return calibration


def stale_smears(project: Project) -> list[SmearId]:
    """Return the smears of which a crop was cut by another pixel size than holds."""
    return [s.id for s in project.smears() if len(project.stale_crops(s.id))]


def cut_anew(
    project: Project, smear_id: SmearId, *, finder: Finder | None = None
) -> Task[int]:
    """Cut the crops of a smear that were cut by another pixel size than holds now.

    Safe to interrupt and repeat: what was cut is kept.

    Parameters
    ----------
    project : Project
        That holds the smear.
    smear_id : SmearId
        Which one.
    finder : Finder, optional
        Cuts; this process by default.

    Yields
    ------
    Progress
        One for each 256 cells; the payload is the int64 ids of those just cut.

    Returns
    -------
    int
        Crops cut.

    Raises
    ------
    InputError
        If the smear is unknown, or its picture cannot be read.
    """
    from napari_cytosynth.ingest import open_smear

    smear, cut = smear_by_id(project, smear_id), 0
    stale = project.stale_crops(smear_id)
    if not len(stale):
        return 0
    where = finder or InlineFinder()
    with closing(open_smear(smear.uri)) as image:
        # A box or scale that is changed meanwhile leaves some for another round.
        while len(stale):
            total = cut + len(stale)
            yield Progress(cut, total, "cutting pictures anew")
            calibration, table = project.calibration(smear_id), project.cells()
            ids = stale[:BATCH]
            ids = ids[np.isin(ids, table.ids)]
            if calibration is None:
                return cut
            if len(ids):
                boxes = table.boxes[table.rows(ids)]
                crops = where.crops(image, boxes, calibration.mpp)
                project.put_crops(ids, boxes, crops, calibration.mpp)
                cut += len(ids)
                yield Progress(cut, total, "cutting pictures anew", ids)
            rest = stale[BATCH:]
            stale = rest if len(rest) else project.stale_crops(smear_id)
    return cut
