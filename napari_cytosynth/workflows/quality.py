"""Measures the pictures of cells, and says which of them are flawed.

What is measured is stored with the cells under a fingerprint, as vectors are: a cell
whose box is drawn anew is measured anew, and an old project is measured when opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable, Detections, ObjectKind
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Finder
from napari_cytosynth.core.quality import MEASURES, Evidence, Flaw, flaws_of
from napari_cytosynth.core.smear import FALLBACK_MPP, Calibration, Smear, SmearImage
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.ingest.finding import InlineFinder

KEY = "quality/2"
"""Fingerprint of the measures; another number where they would come out otherwise."""

BATCH = 64
"""Cells measured in one step: a sign of life comes more than once a second."""

_UNKNOWN = -1.0  # of what the picture would have told, where it cannot be read

Flaws = npt.NDArray[np.uint8]
_Ids = npt.NDArray[np.int64]
_Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the pixels of a smear come from.

    Parameters
    ----------
    smear : SmearId
        Which smear.
    mpp : float
        Micrometres a level-0 pixel.
    image : SmearImage or None
        The open picture; None where it cannot be read.
    finder : Finder
        Measures in it.
    """

    smear: SmearId
    mpp: float
    image: SmearImage | None
    finder: Finder


@dataclass(frozen=True, slots=True)
class _Known:
    """The flaws of the cells of one table, by these pictures, after that measuring."""

    table: CellTable
    pictures: _Ids
    measured: int
    flaws: Flaws
    complete: bool


_KNOWN: WeakKeyDictionary[Project, _Known] = WeakKeyDictionary()

_MEASURED: WeakKeyDictionary[Project, int] = WeakKeyDictionary()
"""Number of the last measuring, so that what was read before it is not kept."""

_NUMBERS = count(1)


def measure_cells(project: Project, *, finder: Finder | None = None) -> Task[int]:
    """Measure all cells that were not measured yet; what is stored stays stored.

    Parameters
    ----------
    project : Project
        Gives cells and smears, takes measures.
    finder : Finder, optional
        Where the pictures are worked on; this process by default.

    Returns
    -------
    int
        Cells measured by this run.
    """
    table = project.cells()
    known = _known(project, table)
    if known is not None and known.complete:
        return 0
    missing = np.flatnonzero(np.isnan(_stored(project, table)[:, 0]))
    done = 0
    for smear in project.smears():
        rows = missing[table.smears[missing] == smear.id]
        if not len(rows):
            continue
        yield Progress(done, len(missing), "checking the pictures of cells")
        with _opened(project, smear, finder or InlineFinder()) as source:
            for start in range(0, len(rows), BATCH):
                measure(project, source, table.ids[rows[start : start + BATCH]])
                done = min(done + BATCH, len(missing))
                yield Progress(done, len(missing), "checking the pictures of cells")
    return len(missing)


def measure(project: Project, source: Source, cells: npt.ArrayLike) -> None:
    """Measure cells of one smear, and how they crowd those that stood before.

    Parameters
    ----------
    project : Project
        Takes the measures.
    source : Source
        Their smear.
    cells : int64[n]
        Their ids; those that were removed meanwhile are passed over.
    """
    table = project.cells()
    wanted = np.asarray(cells, np.int64)
    new = np.unique(table.rows(wanted[np.isin(wanted, table.ids)]))
    for start in range(0, len(new), BATCH):
        _measure(project, source, table, new[start : start + BATCH])


def _measure(project: Project, source: Source, table: CellTable, new: _Rows) -> None:
    own = np.flatnonzero(table.smears == source.smear)
    touched = own[_meets(table.boxes, own, new)]
    rows = np.union1d(new, touched)
    # Neighbours were measured before, all but how deep they lie in others.
    values = _stored(project, table, rows)
    values[np.isin(rows, new), : len(MEASURES)] = _pixels(project, source, table, new)
    sound = ~np.isnan(values[:, 0])
    values[:, len(MEASURES)] = _depths(project, source, table, own, rows)
    # A box or scale that was changed meanwhile has another picture by now.
    sound &= _unchanged(project, source, table, rows)
    project.put_embeddings(KEY, table.ids[rows[sound]], values[sound])
    _MEASURED[project] = next(_NUMBERS)


def _unchanged(
    project: Project, source: Source, table: CellTable, rows: _Rows
) -> npt.NDArray[np.bool_]:
    """Tell which cells of a table stand with the same box, at the source's scale."""
    calibration = project.calibration(source.smear)
    if calibration is not None and calibration.mpp != source.mpp:
        return np.zeros(len(rows), bool)
    now, ids = project.cells(), table.ids[rows]
    same = np.isin(ids, now.ids)
    boxes = now.boxes[now.rows(ids[same])]
    same[same] = (boxes == table.boxes[rows[same]]).all(axis=1)
    return same


def flaws_by_cell(project: Project, table: CellTable | None = None) -> Flaws:
    """Return the :class:`~napari_cytosynth.core.quality.Flaw` bits of each cell.

    Parameters
    ----------
    project : Project
        Where they were measured.
    table : CellTable, optional
        The table that the rows answer to; by default the one that stands now.

    Returns
    -------
    uint8[n]
        Read only; 0 where nothing is wrong, or where nothing was measured yet.
    """
    table = project.cells() if table is None else table
    known = _known(project, table)
    if known is not None:
        return known.flaws
    # Read before the measures: what comes between makes them be read again.
    measured = _MEASURED.get(project, 0)
    pictures = project.pictures_changed(table.ids)
    stored = _stored(project, table)
    evidence = Evidence(
        smears=table.smears,
        edge_um=_told(stored[:, 0]),
        torn=_told(stored[:, 1]),
        cut=table.edges | _at_border(table, project.smears()),
        depth=np.nan_to_num(stored[:, 2]),
    )
    flaws = flaws_of(evidence)
    flaws.flags.writeable = False
    complete = not np.isnan(stored[:, 0]).any()
    _KNOWN[project] = _Known(table, pictures, measured, flaws, complete)
    return flaws


def _known(project: Project, table: CellTable) -> _Known | None:
    """Return what is known of a table, unless a picture or a measure is newer."""
    known = _KNOWN.get(project)
    if known is None or known.table is not table:
        return None
    if known.measured != _MEASURED.get(project, 0):
        return None
    same = np.array_equal(known.pictures, project.pictures_changed(table.ids))
    return known if same else None


def flaws_found(
    image: SmearImage, found: Detections, calibration: Calibration
) -> Flaws:
    """Return the flaws of cells that no project holds; 0 of what is no nucleated cell.

    Parameters
    ----------
    image : SmearImage
        The open picture.
    found : Detections
        What was found in it.
    calibration : Calibration
        Of the picture.

    Returns
    -------
    uint8[n]
    """
    from napari_cytosynth.ingest.crowding import GAP_UM, overlap_depths

    rows = np.flatnonzero(found.kinds == ObjectKind.NUCLEATED)
    flaws = np.zeros(len(found), np.uint8)
    if not len(rows):
        return flaws
    cells = found.take(rows)
    measures = InlineFinder().measure(image, cells.boxes, calibration.mpp)
    flaws[rows] = flaws_of(
        Evidence(
            smears=np.zeros(len(rows), np.int64),
            edge_um=measures[:, 0],
            torn=measures[:, 1],
            cut=cells.edges,
            depth=overlap_depths(cells.outlines, GAP_UM / calibration.mpp),
        )
    )
    return flaws


def flaw_counts(flaws: Flaws) -> dict[str, int]:
    """Return how many cells have each flaw, and how many any: ``"flagged"``."""
    counts = Counter(flagged=int(np.count_nonzero(flaws)))
    for flaw in Flaw:
        counts[str(flaw.name).lower()] = int(np.count_nonzero(flaws & np.uint8(flaw)))
    return dict(counts)


def _stored(
    project: Project, table: CellTable, rows: _Rows | None = None
) -> npt.NDArray[np.float32]:
    """Return float32[n, 3]: the measures, then how deep in others; NaN where none."""
    ids = table.ids if rows is None else table.ids[rows]
    stored = project.embeddings(KEY, ids)
    if stored.shape[1]:
        return stored.copy()
    return np.full((len(ids), len(MEASURES) + 1), np.nan, np.float32)


def _told(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where(values < 0, np.nan, values).astype(np.float32)


def _pixels(
    project: Project, source: Source, table: CellTable, rows: _Rows
) -> npt.NDArray[np.float32]:
    """Return what the pixels tell; from the stored crops where there is no picture."""
    boxes = table.boxes[rows]
    if source.image is not None:
        return source.finder.measure(source.image, boxes, source.mpp)
    from napari_cytosynth.ingest.quality import edge_width

    crops = project.crops(table.ids[rows])
    sizes = boxes[:, 2:].astype(np.float64) * source.mpp
    edges = [
        edge_width(crops[i : i + 1], (width, height))
        for i, (width, height) in enumerate(sizes.tolist())
    ]
    return np.array([(edge, _UNKNOWN) for edge in edges], np.float32)


def _depths(
    project: Project, source: Source, table: CellTable, own: _Rows, rows: _Rows
) -> npt.NDArray[np.float32]:
    """Return float32[n]: how deep each cell lies in another one."""
    from napari_cytosynth.ingest.crowding import GAP_UM, overlap_depths

    # What meets their neighbours tells which part of those is free.
    around = own[_meets(table.boxes, own, rows)]
    around = own[_meets(table.boxes, own, around)]
    outlines = [project.outline(CellId(i)) for i in table.ids[around].tolist()]
    depths = overlap_depths(outlines, GAP_UM / source.mpp)
    return depths[np.searchsorted(around, rows)]


def _meets(
    boxes: npt.NDArray[np.float32], rows: _Rows, others: _Rows
) -> npt.NDArray[np.bool_]:
    """Tell which boxes of ``rows`` meet any of ``others``; bool[len(rows)]."""
    low, high = boxes[:, :2] - 1, boxes[:, :2] + boxes[:, 2:] + 1
    # Most lie far from all of them: two comparisons leave them out.
    near: npt.NDArray[np.bool_] = (low[rows] <= high[others].max(axis=0)).all(axis=1)
    near &= (high[rows] >= low[others].min(axis=0)).all(axis=1)
    close = rows[near]
    starts = (low[close][:, None] <= high[others]).all(axis=2)
    ends = (high[close][:, None] >= low[others]).all(axis=2)
    near[near] = np.any(starts & ends, axis=1)
    return near


def _at_border(table: CellTable, smears: list[Smear]) -> npt.NDArray[np.bool_]:
    """Tell which boxes reach the border of their picture."""
    found = np.zeros(len(table), bool)
    for smear in smears:
        rows = np.flatnonzero(table.smears == smear.id)
        low, size = table.boxes[rows, :2], table.boxes[rows, 2:]
        found[rows] = (low <= 0.5).any(axis=1) | (
            low + size >= np.array([smear.width, smear.height]) - 0.5
        ).any(axis=1)
    return found


@contextmanager
def _opened(project: Project, smear: Smear, finder: Finder) -> Iterator[Source]:
    from napari_cytosynth.ingest import open_smear

    calibration = project.calibration(smear.id)
    mpp = smear.mpp or FALLBACK_MPP if calibration is None else calibration.mpp
    try:
        image = open_smear(smear.uri)
    except InputError:
        # It was moved: its crops still tell how sharp its cells are.
        yield Source(smear.id, mpp, None, finder)
        return
    try:
        yield Source(smear.id, mpp, image, finder)
    finally:
        image.close()
