"""Which cells of a project train and which measure, and the labelled ones of each.

Every figure and every fit takes its cells from here, so that the line between the two
is drawn in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS, CellTable
from napari_cytosynth.core.journal import Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.rereading import fault
from napari_cytosynth.core.smear import FALLBACK_MPP
from napari_cytosynth.core.splits import Split, Splits, is_picture_group, split_cells
from napari_cytosynth.workflows.embed import vectors_of

_UNNAMEABLE = "not identifiable"


@dataclass(frozen=True, slots=True)
class _Split:
    cells: CellTable
    groups: tuple[tuple[int, str, float], ...]
    splits: Splits


_KEPT: WeakKeyDictionary[Project, _Split] = WeakKeyDictionary()


def splits_of(project: Project, cells: CellTable | None = None) -> Splits:
    """Return the split of every cell of a table, in its order.

    Parameters
    ----------
    project : Project
        Gives smears and their groups.
    cells : CellTable, optional
        A table of the project; by default the one that stands now.
    """
    cells = project.cells() if cells is None else cells
    known = project.smears()
    smears = tuple((int(s.id), s.group, _mpp(project, s.id)) for s in known)
    kept = _KEPT.get(project)
    if kept is None or kept.groups != smears or not _same(kept.cells, cells):
        groups = {number: group for number, group, _ in smears}
        mpp = {number: scale for number, _, scale in smears}
        own = sum(is_picture_group(s.group, s.fingerprint) for s in known)
        splits = split_cells(cells, groups, mpp, ungrouped=own)
        kept = _Split(cells, smears, splits)
        _KEPT[project] = kept
    return kept.splits


def held_out_cells(project: Project) -> npt.NDArray[np.int64]:
    """Return int64[h]: the ids of all standing cells that are held out."""
    cells = project.cells()
    return np.asarray(cells.ids[splits_of(project, cells).audit], np.int64)


def _same(old: CellTable, new: CellTable) -> bool:
    return old is new or (
        np.array_equal(old.ids, new.ids) and np.array_equal(old.boxes, new.boxes)
    )


def _mpp(project: Project, smear: object) -> float:
    calibration = project.calibration(smear)  # type: ignore[arg-type]
    return calibration.mpp if calibration is not None else FALLBACK_MPP


def labelled_cells(
    project: Project,
    embedder_key: str,
    split: Split,
    *,
    abstain: bool = False,
    cells: CellTable | None = None,
) -> LabelledCells:
    """Return the labelled real cells of one split, with vectors and without crops.

    Parameters
    ----------
    project : Project
        Gives labels and vectors.
    embedder_key : str
        Fingerprint of the embedder. Cells without a vector are left out.
    split : Split
        TRAIN gives all labels there, but of cells whose box waits to be mended. AUDIT
        gives only labels of that mode, whose cells chance drew: others there were
        chosen by somebody, and would bias a figure.
    abstain : bool
        Also give labels that name no cell type but can be seen: artefact, smudge.
        "Not identifiable" says something of the reader, not of the cell, and is never
        given.
    cells : CellTable, optional
        The table to look in; by default the one that stands now.
    """
    table = project.cells() if cells is None else cells
    splits = splits_of(project, table)
    held_out = split is Split.AUDIT
    wanted = _classes(project, abstain=abstain)
    rows, codes = [], []
    for cell, label in sorted(project.journal.labels().items()):
        row = int(np.searchsorted(table.ids, cell))
        if row == len(table) or table.ids[row] != cell or label.code not in wanted:
            continue
        if not held_out and fault(project.journal, cell):
            continue
        drawn = label.mode is Mode.AUDIT
        if bool(splits.audit[row]) is held_out and (drawn or not held_out):
            rows.append(row)
            codes.append(label.code)
    index = np.array(rows, np.intp)
    vectors = vectors_of(project, embedder_key, table)[index]
    found = LabelledCells(
        table.ids[index],
        tuple(codes),
        np.zeros((0, CROP_PIXELS, CROP_PIXELS, 3), np.uint8),
        vectors,
        embedder_key,
        splits.keys[index],
    )
    there: npt.NDArray[np.bool_] = np.asarray(np.isfinite(vectors).all(axis=1))
    return found.take(there & bool(vectors.shape[1]))


def _classes(project: Project, *, abstain: bool) -> frozenset[str]:
    return frozenset(
        c.code
        for c in project.taxonomy
        if not c.abstain or (abstain and c.concept != _UNNAMEABLE)
    )
