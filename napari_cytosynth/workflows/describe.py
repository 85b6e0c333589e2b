"""What can be said of single cells in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.smear import FALLBACK_MPP
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.features.measures import Measures, areas_of, measure

_BATCH = 16
_Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Description:
    """One cell in words.

    Parameters
    ----------
    measures : Measures
        What was measured in its crop.
    """

    measures: Measures

    def lines(self) -> tuple[str, ...]:
        """Return one sentence a line."""
        sentence = self.measures.sentence()
        return (f"Measured: {sentence}.",) if sentence else ()


class Describer:
    """Describes cells of one project.

    Parameters
    ----------
    project : Project
        Gives crops and outlines; nothing is written.
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    def describe(self, cells: _Ids) -> Task[Mapping[int, Description]]:
        """Describe cells; those that do not stand are left out.

        Parameters
        ----------
        cells : int64[n]
            Cell ids.
        """
        found: dict[int, Description] = {}
        for start in range(0, len(cells), _BATCH):
            yield Progress(start, len(cells), "describing")
            table = self._project.cells()
            ids = cells[start : start + _BATCH]
            ids = ids[np.isin(ids, table.ids)]
            measured = self._measured(table, ids)
            for i, m in zip(ids.tolist(), measured, strict=True):
                found[i] = Description(m)
        return found

    def _measured(self, table: CellTable, cells: _Ids) -> tuple[Measures, ...]:
        scales = _scales(self._project)
        mpp = [scales[s] for s in table.smears[table.rows(cells)].tolist()]
        outlines = [self._project.outline(CellId(i)) for i in cells.tolist()]
        return measure(self._project.crops(cells), areas_of(outlines, mpp))


def _scales(project: Project) -> dict[int, float]:
    """Return micrometres a level-0 pixel of every smear."""
    scales = {}
    for smear in project.smears():
        calibration = project.calibration(smear.id)
        told = smear.mpp if calibration is None else calibration.mpp
        scales[int(smear.id)] = told or FALLBACK_MPP
    return scales
