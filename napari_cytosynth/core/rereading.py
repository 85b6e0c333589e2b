"""What the journal tells of cells that were read more than once."""

from __future__ import annotations

from napari_cytosynth.core.events import Event, EventKind
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Journal


def readings(journal: Journal, cell: CellId) -> list[Event]:
    """Return the labels that a cell was given and that were not undone, in order."""
    return [e for e in journal.of_cell(cell) if e.kind is EventKind.LABEL]


def is_settled(journal: Journal, cell: CellId, code: str) -> bool:
    """Tell whether a doubt of the label ``code`` is over: kept, changed, or gone."""
    label = journal.label(cell)
    if label is None or label.code != code or journal.is_removed(cell):
        return True
    return is_confirmed(journal, cell)


def is_confirmed(journal: Journal, cell: CellId) -> bool:
    """Tell whether the last two labels of a cell agree: somebody looked, and kept it.

    Merged classes are one.
    """
    codes = [journal.merged(str(e.data["code"])) for e in readings(journal, cell)]
    return len(codes) > 1 and codes[-1] == codes[-2]
