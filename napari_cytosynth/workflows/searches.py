"""Searches of a smear: the first, and those that begin anew and let cells go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.smear import Smear


def smear_by_id(project: Project, smear_id: SmearId) -> Smear:
    """Return a smear of a project.

    Raises
    ------
    InputError
        If it has none of this id.
    """
    for smear in project.smears():
        if smear.id == smear_id:
            return smear
    raise InputError(
        f"There is no smear {smear_id} in project '{project.name}'. Add it first, or "
        "choose one that is listed."
    )


def demand_group(known: Smear, group: str | None) -> None:
    """Refuse to move a smear to another group: it would change sides unseen.

    Raises
    ------
    InputError
        If ``group`` is given and is another than the smear's.
    """
    if group not in (None, known.group):
        raise InputError(
            f"'{known.uri}' was added before, with the group '{known.group}'. Groups "
            "decide for ever which cells teach and which measure, so it cannot become "
            f"'{group}'. Leave the group out, or make a new project with it."
        )


def relinked(project: Project, smear: Smear, place: str | Path) -> Smear:
    """Point a smear whose file is gone at the same picture, found elsewhere.

    Parameters
    ----------
    project : Project
        That holds the smear.
    smear : Smear
        Of the project; it is left as it is while its file is there.
    place : str or Path
        A picture of the same content.

    Returns
    -------
    Smear
        As it is known now.
    """
    if "://" in smear.uri or Path(smear.uri).exists():
        return smear
    return project.relink(smear.id, str(Path(place).absolute()), smear.fingerprint)


def find_anew(project: Project, smear_id: SmearId, author: Author) -> int:
    """Let the cells of a smear go that nobody touched, to be looked for anew.

    :func:`~napari_cytosynth.workflows.detect.find_cells` then begins again. Cells that
    a person drew, labelled or remarked on stay. It is one event: undo brings the cells
    back, and lets go what was found in their place and not touched since.

    Parameters
    ----------
    project : Project
        That holds the smear.
    smear_id : SmearId
        Which one.
    author : Author
        Who wants it.

    Returns
    -------
    int
        Cells that went.

    Raises
    ------
    InputError
        If the smear is unknown.
    """
    smear_by_id(project, smear_id)
    table, touched = project.cells(), project.journal.touched()
    ids = table.ids[table.smears == smear_id]
    ids = ids[~np.isin(ids, list(touched))]
    project.record(author.found_anew(smear_id, _ranges(ids)))
    return len(ids)


def _ranges(ids: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return sorted ids as pairs of first and last."""
    parts = np.split(ids, np.flatnonzero(np.diff(ids) > 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts if len(part)]


def unfinished(project: Project, smear_id: SmearId) -> bool:
    """Tell whether a search of a smear was interrupted, or asked for and not begun."""
    job = last_job(project, smear_id)
    if job is None:
        return not (project.cells().smears == smear_id).any()
    begun = int(job.data.get("under", 0))
    return job.state is JobState.RUNNING or standing_search(project, smear_id) > begun


def standing_search(project: Project, smear: SmearId) -> int:
    """Return the event of the search anew that stands, 0 for the first search."""
    standing, _ = project.journal.smears.renewals()
    of_smear = [e.id for e in standing if int(e.data["smear"]) == smear]
    return int(max(of_smear, default=0))


def last_job(project: Project, smear: SmearId) -> Job | None:
    """Return the row of the last search of a smear, or None before the first."""
    key = f"detect:{smear}"
    return next((job for job in project.jobs() if job.key == key), None)
