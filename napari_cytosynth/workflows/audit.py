"""When a label counts as audit: one rule for every way to give it.

Figures rest on cells that chance drew, read before anything was told of what the
model makes of them. A held-out cell that somebody looked for, on the smear or in a
list, is no such cell: its label is kept, but it neither trains nor measures. It does
not leave the draw either. When its turn comes it is dealt like any other, as if it had
no label, and the label given then measures.

So the audit cells are the first of all held-out cells in an order that a hash of their
ids fixed, save those that were skipped or passed by, which are dealt again. That is a
simple random sample without replacement, and shares are estimated by counting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Event, Journal, Mode
from napari_cytosynth.core.project import Project

if TYPE_CHECKING:
    from napari_cytosynth.workflows.suggest import Suggestion

QUEUE = "queue"
"""Annotator of draws that are recorded before anybody reads the card."""


def stamped(
    journal: Journal, author: Author, cell: CellId, *, dealt: bool
) -> tuple[Author, tuple[Event, ...]]:
    """Return the author with the right mode, and the draw to record before the event.

    Parameters
    ----------
    journal : Journal
        Tells what was labelled and drawn before.
    author : Author
        Who acts.
    cell : CellId
        On which cell.
    dealt : bool
        The cell is an audit card, and came before the reader because the queue dealt
        it. An audit label stays one, however its cell is found again.
    """
    label = journal.label(cell)
    audit = dealt or (label is not None and label.mode is Mode.AUDIT)
    signed = replace(author, mode=Mode.AUDIT if audit else Mode.TEACH)
    fresh = audit and not journal.is_audit(cell)
    return signed, (signed.audit_draw(cell),) if fresh else ()


def stamped_by_number(journal: Journal, author: Author, cell: CellId) -> Author:
    """Return the author of an event on a cell that is named by its number.

    A number taken from a recorded draw was dealt; any other was chosen.
    """
    return stamped(journal, author, cell, dealt=journal.is_audit(cell))[0]


def record_draws(project: Project, suggestion: Suggestion) -> None:
    """Note the audit cards of a suggestion, so that labels by number find them.

    Only draws that are not in the journal yet are written.
    """
    author = Author(QUEUE, Mode.AUDIT, suggestion.model)
    drawn = (CellId(int(i)) for i in suggestion.draws)
    fresh = [cell for cell in drawn if not project.journal.is_audit(cell)]
    project.record(*(author.audit_draw(cell) for cell in fresh))
