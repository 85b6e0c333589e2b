"""What the dock on the right says of each class. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from napari_cytosynth.app.cellindex import CellIndex
from napari_cytosynth.app.panels import ClassRow, Figure
from napari_cytosynth.app.shelf import Shelf
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy


@dataclass(frozen=True)
class Known:
    """What a summary is made of, besides the cells themselves.

    Parameters
    ----------
    taxonomy : Taxonomy
        The classes, in order.
    index : CellIndex
        Labels and guesses.
    shelf : Shelf
        Synthetic cells.
    filling : callable
        Tells whether a fill of a class runs.
    predicted : bool
        False: no model yet, or predictions are hidden.
    figures : mapping of code to (precision, recall)
        From the last evaluation.
    merged : callable
        Tells the class that stands for another.
    """

    taxonomy: Taxonomy
    index: CellIndex
    shelf: Shelf
    filling: Callable[[str], bool]
    predicted: bool
    figures: Mapping[str, tuple[Figure, Figure]] = field(default_factory=dict)
    merged: Callable[[str], str] = str


def class_rows(known: Known) -> tuple[ClassRow, ...]:
    """Return one row a class, in the taxonomy's order."""
    guessed = known.index.predicted_counts() if known.predicted else None
    return tuple(
        _row(known, cell_class, i, None if guessed is None else int(guessed[i]))
        for i, cell_class in enumerate(known.taxonomy)
    )


def _row(known: Known, cell: CellClass, number: int, predicted: int | None) -> ClassRow:
    stands_for = known.merged(cell.code)
    precision, recall = known.figures.get(cell.code, (Figure(), Figure()))
    return ClassRow(
        code=cell.code,
        name=cell.name,
        keys=cell.keys,
        colour=cell.colour,
        symbol=cell.symbol,
        lineage=cell.lineage,
        labelled=int(known.index.counts[number]),
        predicted=predicted,
        accepted=known.shelf.count(cell.code, Status.ACCEPTED),
        proposed=known.shelf.count(cell.code, Status.PROPOSED),
        precision=precision,
        recall=recall,
        filling=known.filling(cell.code),
        can_fill=not cell.abstain and stands_for == cell.code,
        counts_as="" if stands_for == cell.code else stands_for,
    )
