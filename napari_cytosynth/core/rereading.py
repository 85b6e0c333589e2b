"""What the journal tells of single cells, and of those read more than once."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise

from napari_cytosynth.core.events import Event, EventKind, Mode
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import READ, Journal

REPEAT_EVERY = 20
"""One card in so many of the queue is one that the reader labelled before."""

REPEAT_FROM = 100
"""Labels of a reader before any card is repeated."""

REPEAT_APART = 50
"""Labels that he gave since; a cell of a moment ago would be remembered."""

_PLAIN = frozenset({EventKind.LABEL, EventKind.CELL_ADDED, EventKind.BOX_CHANGED})


class Fault(StrEnum):
    """What a reader finds wrong with a box, and a new box or a split mends."""

    BOX = "box wrong"
    TWO = "two cells"


def fault(journal: Journal, cell: CellId) -> str:
    """Return what was found wrong with a cell's box; empty: nothing, or mended since.

    A label given since says that it will do.
    """
    last = next((e for e in reversed(journal.of_cell(cell)) if e.kind in READ), None)
    return "" if last is None else str(last.data.get("fault", ""))


def faulty(journal: Journal) -> dict[CellId, str]:
    """Return all cells whose box waits to be mended, and what is wrong with it."""
    cells = map(CellId, sorted(journal.touched()))
    found = {cell: fault(journal, cell) for cell in cells}
    return {c: what for c, what in found.items() if what and not journal.is_removed(c)}


def comments(journal: Journal, cell: CellId) -> list[str]:
    """Return the remarks on a cell that were not undone, oldest first."""
    said = [e for e in journal.of_cell(cell) if e.kind is EventKind.COMMENT]
    return [str(event.data["text"]) for event in said]


def wants_second_opinion(journal: Journal, cell: CellId) -> bool:
    """Tell whether another reader was asked for, and none has answered.

    A label by anybody but the one who asked is the answer.
    """
    events = journal.of_cell(cell)
    asked = [e for e in events if e.kind is EventKind.SECOND_OPINION]
    if not asked:
        return False
    given = [e for e in events if e.kind is EventKind.LABEL]
    return (
        not given
        or given[-1].id < asked[-1].id
        or given[-1].annotator == asked[-1].annotator
    )


def awaiting_opinion(journal: Journal) -> frozenset[CellId]:
    """Return the cells on which another reader is still asked for."""
    return frozenset(c for c in journal.asked() if wants_second_opinion(journal, c))


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


def due_repeats(journal: Journal, reader: str) -> list[CellId]:
    """Return the cells whose label a reader may be asked for again, unawares.

    He gave it himself, once, and not lately; nobody remarked on the cell or asks for a
    second opinion. None before he has given a hundred such labels.
    """
    given = sorted(
        (label.event, cell)
        for cell, label in journal.labels().items()
        if label.annotator == reader and label.mode in (Mode.TEACH, Mode.AUDIT)
    )
    early = given[:-REPEAT_APART] if len(given) >= REPEAT_FROM else []
    return [cell for _, cell in early if _is_plain(journal, cell)]


def _is_plain(journal: Journal, cell: CellId) -> bool:
    kinds = [event.kind for event in journal.of_cell(cell)]
    return kinds.count(EventKind.LABEL) == 1 and _PLAIN.issuperset(kinds)


def repeated(journal: Journal) -> dict[str, list[tuple[str, str]]]:
    """Return, by reader, the labels that he gave a cell before and again, unawares.

    Both are of one reader and neither was undone; merged classes are one.
    """
    cells = {
        CellId(int(e.cell or 0))
        for e in journal.events()
        if e.kind is EventKind.LABEL and e.data.get("repeat")
    }
    pairs: dict[str, list[tuple[str, str]]] = {}
    for cell in sorted(cells):
        for before, after in pairwise(readings(journal, cell)):
            if after.data.get("repeat") and before.annotator == after.annotator:
                codes = (journal.merged(str(e.data["code"])) for e in (before, after))
                first, second = codes
                pairs.setdefault(after.annotator, []).append((first, second))
    return pairs
