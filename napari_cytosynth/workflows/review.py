"""Judge synthetic cells. A verdict is a journal event, so it can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from napari_cytosynth.core.errors import InputError, ProvenanceError
from napari_cytosynth.core.ids import SyntheticId
from napari_cytosynth.core.journal import Author, Event
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.workflows.kept import JudgedVector

Judged: TypeAlias = SyntheticCell | JudgedVector
"""What has verdicts of critics."""

REFUSED = "refused:"
"""Begins the sieve of what one critic refused."""


def judge(
    project: Project,
    synthetic: SyntheticId | SyntheticCell,
    accept: bool,
    author: Author,
) -> Event:
    """Accept or reject a synthetic cell; only accepted ones may train a head.

    Parameters
    ----------
    project : Project
        Holds the cell.
    synthetic : SyntheticId or SyntheticCell
        Its number, or the stored cell, which saves looking it up.
    accept : bool
        The verdict; a later one replaces it, and undo takes it back.
    author : Author
        Who judges.

    Returns
    -------
    Event
        The verdict, committed.

    Raises
    ------
    InputError
        If the project holds no such synthetic cell.
    ProvenanceError
        If a critic dropped it: what the gate refused cannot be waved through.
    """
    if isinstance(synthetic, SyntheticCell):
        cell = synthetic
    else:
        cell = _find(project, synthetic)
    _refuse_dropped(cell)
    return project.record(author.verdict(cell.id, accept))[0]


def judge_all(
    project: Project, verdicts: Mapping[SyntheticId, bool], author: Author
) -> tuple[Event, ...]:
    """Accept or reject several synthetic cells: all of them, or none.

    Parameters
    ----------
    project : Project
        Holds the cells.
    verdicts : mapping of SyntheticId to bool
        True accepts.
    author : Author
        Who judges.

    Returns
    -------
    tuple of Event
        The verdicts, committed in one transaction.

    Raises
    ------
    InputError, ProvenanceError
        As :func:`judge`; nothing is recorded then.
    """
    for number in verdicts:
        _refuse_dropped(_find(project, number))
    return project.record(*(author.verdict(n, yes) for n, yes in verdicts.items()))


def vetoes_of(cell: Judged) -> tuple[str, ...]:
    """Return the keys of the critics that refused a cell or vector, in order."""
    return tuple(a.critic for a in cell.assessments if not a.passed)


def lets_through(sieve: str, cell: Judged) -> bool:
    """Tell whether a list of synthetic cells, or vectors, is to hold one.

    Parameters
    ----------
    sieve : str
        A status; ``"unverified"``, or ``"uncalibrated"``: what passed though real cells
        were too few to check it, or to set a critic's bar; :data:`REFUSED` and the key
        of a critic: what that critic refused. Empty: all that passed the gate.
    cell : SyntheticCell or JudgedVector
        One that was judged.
    """
    if sieve.startswith(REFUSED):
        return sieve.removeprefix(REFUSED) in vetoes_of(cell)
    if sieve in set(Status):
        return cell.status == sieve
    if cell.status is Status.DROPPED:
        return False
    if sieve == "unverified":
        return not cell.verified
    return sieve != "uncalibrated" or not all(a.calibrated for a in cell.assessments)


def refusal_of(cell: SyntheticCell) -> str:
    """Return the reason of the first critic that vetoed, or an empty text."""
    return next((a.reason for a in cell.assessments if not a.passed), "")


def _refuse_dropped(cell: SyntheticCell) -> None:
    if cell.status is Status.DROPPED:
        raise ProvenanceError(
            f"Synthetic cell {cell.id} was dropped by the gate: "
            f"{refusal_of(cell).removesuffix('.')}. A dropped cell cannot be judged; "
            "fill the class again for others."
        )


def _find(project: Project, number: SyntheticId) -> SyntheticCell:
    for cell in project.synthetic():
        if cell.id == number:
            return cell
    raise InputError(
        f"There is no synthetic cell {number} in the project. 'cytosynth review "
        "PROJECT' lists them with their numbers."
    )
