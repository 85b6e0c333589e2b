"""Inspect a project's synthetic cells: how real, how varied, and whose copies.

What was computed of the same cells before is read back: each part is kept with the
project under a hash of all that went into it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

import napari_cytosynth
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.agreement import Agreed, measure_agreement
from napari_cytosynth.evidence.fidelity import measure_fidelity
from napari_cytosynth.evidence.figures import Fidelity, Figure
from napari_cytosynth.evidence.inspection import Inspection
from napari_cytosynth.evidence.memorisation import Memorisation, measure_memorisation
from napari_cytosynth.evidence.sets import ALL, Sets, SyntheticSet
from napari_cytosynth.workflows.embed import embed_synthetic
from napari_cytosynth.workflows.kept import accepted_cells, kept_vectors
from napari_cytosynth.workflows.splitting import (
    held_out_cells,
    labelled_cells,
    splits_of,
)

T = TypeVar("T")

_METHOD = 1
"""Number of the method; another one makes older parts void."""


class Source(StrEnum):
    """What is inspected."""

    CELLS = "cells"
    """Accepted pictures, embedded."""
    VECTORS = "vectors"
    """Vectors that a fill left for training."""


def inspect_synthetic(
    project: Project,
    embedder_key: str,
    compute: Compute | None = None,
    *,
    source: Source = Source.CELLS,
    seed: int = 0,
) -> Task[Inspection]:
    """Measure fidelity, diversity and memorisation, and keep the answer.

    Real cells are labelled ones of the training split, and audit cells. A synthetic
    cell whose generator was tuned to a held-out cell is left out.

    Parameters
    ----------
    project : Project
        Gives cells and vectors; keeps the parts and the whole.
    embedder_key : str
        Fingerprint of the embedder in whose space everything is measured.
    compute : Compute, optional
        Embeds synthetic pictures; in this process if none is given.
    source : Source
        Pictures or vectors.
    seed : int
        Makes it repeatable.

    Returns
    -------
    Inspection
        Also where nothing could be measured; then a caveat says why.
    """
    yield Progress(0, 0, "gathering real and synthetic cells")
    # What is read from here on holds at least what the journal holds now.
    event = int(project.journal.last_id)
    sets = yield from _gathered(project, embedder_key, compute, (source, seed))
    limits = _caveats(project, sets)
    classes: list[Fidelity] = []
    memorisation: tuple[Memorisation, ...] = ()
    if sets.made and len(sets.real_codes):
        kept = _Kept(project, embedder_key, source, sets)
        agreed = yield from kept.agreement()
        for code in (*sets.made, ALL):
            found = yield from kept.fidelity(code)
            classes.append(found.having(agreed[code]))
        memorisation = yield from kept.memorisation()
    inspection = Inspection(
        str(source),
        embedder_key,
        tuple(classes),
        memorisation,
        limits,
        seed,
        event=event,
    )
    project.put_job(Job(_whole(source), JobState.DONE, inspection.to_json()))
    return inspection


def stored_inspection(
    project: Project, source: Source = Source.CELLS
) -> Inspection | None:
    """Return the last inspection that the project keeps, or None."""
    for job in project.jobs(JobState.DONE):
        if job.key == _whole(source):
            return Inspection.from_json(job.data)
    return None


def _whole(source: Source) -> str:
    return f"inspection:{source}"


def _gathered(
    project: Project, key: str, compute: Compute | None, what: tuple[Source, int]
) -> Task[Sets]:
    source, seed = what
    table = project.cells()
    train, held_out = (
        labelled_cells(project, key, split, cells=table)
        for split in (Split.TRAIN, Split.AUDIT)
    )
    made = yield from _synthetic(project, key, compute, source)
    return Sets(train, held_out, made, project.taxonomy.cell_codes, seed)


def _synthetic(
    project: Project, key: str, compute: Compute | None, source: Source
) -> Task[SyntheticSet]:
    held_out = held_out_cells(project)
    if source is Source.VECTORS:
        dim = labelled_cells(project, key, Split.TRAIN).vectors.shape[1]
        vectors, codes = kept_vectors(project, key, dim, held_out)
        return SyntheticSet(np.arange(len(codes)), codes, vectors)
    known = project.taxonomy.cell_codes
    cells = tuple(c for c in accepted_cells(project, held_out) if c.code in known)
    vectors = yield from embed_synthetic(project, key, cells, compute)
    ids = np.array([int(cell.id) for cell in cells], np.int64)
    return SyntheticSet(ids, tuple(cell.code for cell in cells), vectors)


def _caveats(project: Project, sets: Sets) -> tuple[str, ...]:
    told = [splits_of(project).caveat]
    if not len(sets.real_codes):
        told.append("nothing was measured: no real cell has a label and a vector")
    elif not sets.made:
        told.append("nothing was measured: no synthetic cell was accepted")
    else:
        told.append(
            "spreads are over splits of the same cells: they cover neither other "
            "patients nor another run of the generator"
        )
    return tuple(caveat for caveat in told if caveat)


class _Kept:
    """Computes each part, or reads it back where nothing that it rests on changed."""

    def __init__(
        self, project: Project, embedder: str, source: Source, sets: Sets
    ) -> None:
        self._project, self._source, self._sets = project, source, sets
        self._base = (embedder, str(sets.seed), *sets.classes)
        self._known = {
            job.key: job.data
            for job in project.jobs(JobState.DONE)
            if job.key.startswith(f"{_whole(source)}:")
        }

    def fidelity(self, code: str) -> Task[Fidelity]:
        """Return the figures of one class that rest on no validator."""
        return (
            yield from self._part(
                f"fidelity:{code}",
                lambda: measure_fidelity(self._sets, code),
                Fidelity.to_json,
                Fidelity.from_json,
            )
        )

    def memorisation(self) -> Task[tuple[Memorisation, ...]]:
        """Return what was found of copies, of every class."""
        return (
            yield from self._part(
                "memorisation",
                lambda: measure_memorisation(self._sets),
                lambda found: {"all": [m.to_json() for m in found]},
                lambda data: tuple(map(Memorisation.from_json, data["all"])),
            )
        )

    def agreement(self) -> Task[Agreed]:
        """Return what the validator said of every class."""
        return (
            yield from self._part(
                "agreement",
                lambda: measure_agreement(self._sets),
                lambda agreed: {k: [f.to_json() for f in v] for k, v in agreed.items()},
                lambda data: {
                    code: tuple(map(Figure.from_json, figures))
                    for code, figures in data.items()
                },
            )
        )

    def _part(
        self,
        name: str,
        measure: Callable[[], Task[T]],
        write: Callable[[T], Mapping[str, Any]],
        read: Callable[[Mapping[str, Any]], T],
    ) -> Task[T]:
        key = f"{_whole(self._source)}:{name}"
        of = self._hash_of(name)
        kept = self._known.get(key)
        if kept is not None and kept["of"] == of:
            return read(kept["part"])
        part = yield from measure()
        data = {"of": of, "part": dict(write(part))}
        self._project.put_job(Job(key, JobState.DONE, data))
        return part

    def _hash_of(self, name: str) -> str:
        """Return a hash of what a part rests on: of a class, its own cells."""
        sets, code = self._sets, name.partition("fidelity:")[2]
        digest = hashlib.sha256()
        told = (str(_METHOD), napari_cytosynth.__version__, name, *self._base)
        digest.update("\0".join(told).encode())
        for array in (sets.scaling.centre, sets.scaling.spread):
            digest.update(_bytes(array))
        made = sets.synthetic
        for cells in (sets.train, sets.held_out, made):
            rows = sets.rows(cells.codes, code) if code else slice(None)
            digest.update("\0".join(np.array(cells.codes)[rows].tolist()).encode())
            digest.update(_bytes(cells.ids[rows]) + _bytes(cells.vectors[rows]))
        return digest.hexdigest()


def _bytes(array: npt.NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).tobytes()
