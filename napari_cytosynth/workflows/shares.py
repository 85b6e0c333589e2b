"""What part of the queue *balanced* deals to what: kept with the project."""

from __future__ import annotations

import math
from dataclasses import replace

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.learning.strategies.balanced import Shares

SHARES = "shares"
"""Key of the job row that keeps them."""


def stored_shares(project: Project) -> Shares:
    """Return the shares that were set in this project; else the default ones."""
    for job in project.jobs(JobState.DONE):
        if job.key == SHARES:
            return replace(Shares(), **job.data)
    return Shares()


def keep_shares(project: Project, shares: Shares) -> None:
    """Keep shares with the project: its rankings follow them from now on.

    Raises
    ------
    StorageError
        If the project cannot be written.
    """
    project.put_job(Job(SHARES, JobState.DONE, shares.parts()))


def shares_of(text: str) -> Shares:
    """Read shares from such as ``"uncertain=80, rare=15, novel=5"``.

    A part that is not named gets nothing.

    Raises
    ------
    InputError
        If a part is unknown or no number, is negative, or all are 0.
    """
    parts = dict.fromkeys(Shares().parts(), 0.0)
    for piece in text.split(","):
        name, _, number = (word.strip() for word in piece.partition("="))
        if name not in parts or not _is_number(number):
            raise InputError(
                f"'{piece.strip()}' is no share. Write a part and a number, such as "
                f"uncertain=80,rare=20; the parts are {', '.join(parts)}."
            )
        parts[name] = float(number)
    return Shares(**parts)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
