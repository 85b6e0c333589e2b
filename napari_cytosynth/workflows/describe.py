"""What can be said of single cells in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.smear import FALLBACK_MPP
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.features.attribute_words import NC_RATIO, reason_of, sentences
from napari_cytosynth.features.attributes import AttributeReader, Reading
from napari_cytosynth.features.measures import Measures, areas_of, measure

SPEAKS = 0.9
"""Least share of the training cells so described that makes a class worth naming."""

_BATCH = 16
_STRANGE = "Attributes are not told: it is unlike the cells they were learnt on."
_Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Description:
    """One cell in words.

    Parameters
    ----------
    measures : Measures
        What was measured in its crop.
    reading : Reading or None
        What the attribute heads say; None: no such heads for this embedder, or the cell
        has no vector yet.
    speaks_for : str
        Code of the class that the attributes speak for; empty: none.
    waiting : bool
        True: there are heads, and the cell has no vector yet.
    """

    measures: Measures
    reading: Reading | None = None
    speaks_for: str = ""
    waiting: bool = False

    def lines(self, *, guesses: bool = True) -> tuple[str, ...]:
        """Return one sentence a line; ``guesses``: those of the attributes too."""
        told = [self._guessed()] if guesses else []
        sentence = self.measures.sentence()
        told.append(f"Measured: {sentence}." if sentence else "")
        return tuple(line for line in told if line)

    def to_json(self) -> dict[str, Any]:
        """Return ``attributes speaks_for nc_ratio cell_um nucleus_um nucleus_parts``.

        ``attributes`` is null where none are told, else each ``text confidence``.
        """
        reading, m = self.reading, self.measures
        told = None
        if reading is not None and not reading.strange:
            told = [
                {"text": p.text, "confidence": p.confidence} for p in reading.phrases
            ]
        return {
            "attributes": told,
            "speaks_for": self.speaks_for,
            "nc_ratio": m.nc_ratio,
            "cell_um": m.cell_um,
            "nucleus_um": m.nucleus_um,
            "nucleus_parts": m.parts,
        }

    def _guessed(self) -> str:
        reading = self.reading
        if reading is None:
            return ""
        if reading.strange:
            return _STRANGE
        # A number that was measured is better than a guess of it.
        hidden = () if self.measures.nc_ratio is None else (NC_RATIO,)
        said = tuple(p for p in reading.phrases if p.noun not in hidden)
        unsure = tuple(noun for noun in reading.unsure if noun not in hidden)
        return sentences(said, unsure, self.speaks_for)


class Describer:
    """Describes cells of one project.

    Parameters
    ----------
    project : Project
        Gives crops, outlines and vectors; nothing is written.
    embedder_key : str
        Fingerprint of the project's embedder. Attributes are told of the vectors that
        the shipped heads were fitted on, and of no others.
    """

    def __init__(self, project: Project, embedder_key: str) -> None:
        self._project, self._key = project, embedder_key
        reader = AttributeReader()
        self._reader = reader if reader.encoder == embedder_key else None

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
            readings = self.readings(self._project.embeddings(self._key, ids))
            for i, m, r in zip(ids.tolist(), measured, readings, strict=True):
                waiting = r is None and self._reader is not None
                found[i] = Description(m, r, self.speaks_for(r), waiting)
        return found

    def readings(self, vectors: Vectors) -> list[Reading | None]:
        """Return what the heads say of float32[n, dim]; None for a cell without."""
        if self._reader is None or vectors.shape[1] != self._reader.dim:
            return [None] * len(vectors)
        return self._reader.read(vectors)

    def speaks_for(self, reading: Reading | None) -> str:
        """Return the class that a reading speaks for; empty: none, or not ours."""
        return "" if reading is None else class_of(reading, self._project.taxonomy)

    def reasons(self, vectors: Vectors) -> list[str]:
        """Return "segmented nucleus, coarse granules: EO?" for each; empty: nothing."""
        return [
            "" if r is None else reason_of(r.phrases, self.speaks_for(r))
            for r in self.readings(vectors)
        ]

    def _measured(self, table: CellTable, cells: _Ids) -> tuple[Measures, ...]:
        scales = _scales(self._project)
        mpp = [scales[s] for s in table.smears[table.rows(cells)].tolist()]
        outlines = [self._project.outline(CellId(i)) for i in cells.tolist()]
        return measure(self._project.crops(cells), areas_of(outlines, mpp))


def class_of(reading: Reading, taxonomy: Taxonomy) -> str:
    """Return the code of the class that almost all cells so described belong to.

    Where it is a kind that the taxonomy does not part, such as segmented and band
    neutrophils, their common class.
    """
    for depth in (2, 1):
        shares: dict[str, float] = defaultdict(float)
        for concept, share in reading.concepts:
            shares[".".join(concept.split(".")[:depth])] += share
        for concept, share in shares.items():
            own = taxonomy.by_concept(concept)
            if share >= SPEAKS and own is not None:
                return own.code
    return ""


def _scales(project: Project) -> dict[int, float]:
    """Return micrometres a level-0 pixel of every smear."""
    scales = {}
    for smear in project.smears():
        calibration = project.calibration(smear.id)
        told = smear.mpp if calibration is None else calibration.mpp
        scales[int(smear.id)] = told or FALLBACK_MPP
    return scales
