"""The job rows of fills: what was asked, and which of them were interrupted.

Imports nothing heavy, so that a window can ask while it opens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import (
    Carded,
    ChoosyGenerator,
    LabelledCells,
    TunableGenerator,
    Weights,
)
from napari_cytosynth.core.registry import load, names

PREFIX = "fill:"
"""Begins the key of every fill."""

CRITICS = "critics"
"""Entry of a job that other critics judge besides those of the standard gate."""

LOST = "lost worker"
"""Entry of a job whose worker was lost for good: what the worker said."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a fill is asked for.

    Parameters
    ----------
    code : str
        Class.
    count : int
        Cells wanted, >= 1.
    generator : str
        Key of a generator that makes cells.
    seed : int
        >= 0; a second fill of the same seed goes on with the next draw.
    options : mapping
        JSON-able options of the generator, such as its steps.
    critics : tuple of str
        Critics that judge besides those of the standard gate.
    """

    code: str
    count: int
    generator: str = "latent"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    critics: tuple[str, ...] = ()

    @property
    def _data(self) -> dict[str, Any]:
        """What a row holds of it; critics only where there are some, as ever."""
        data = {**asdict(self), CRITICS: list(self.critics)}
        return data if self.critics else {k: v for k, v in data.items() if k != CRITICS}

    def job(self, start: int) -> Job:
        """Return the row of a new fill whose first draw is number ``start``."""
        plain = {k: v for k, v in self._data.items() if k != "options"}
        text = repr((sorted(plain.items()), start))
        key = f"{PREFIX}{self.code}:{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        data = {**plain, "start": start, "options": dict(self.options)}
        return Job(key, JobState.RUNNING, data)

    def made(self, job: Job) -> bool:
        """Tell whether a job is a fill that was asked for in just this way."""
        same = self._data.items() <= job.data.items()
        critics = tuple(job.data.get(CRITICS, ()))
        return job.key.startswith(PREFIX) and same and critics == self.critics

    def agrees(self, job: Job, names: Iterable[str]) -> bool:
        """Tell whether a job was asked for so, as far as the fields named go."""
        missing: dict[str, Any] = {CRITICS: [], "options": {}}
        told = self._data | {CRITICS: list(self.critics)}
        return all(job.data.get(n, missing.get(n)) == told[n] for n in names)


def resumable_jobs(project: Project, code: str = "") -> list[Job]:
    """Return fills that a crash or the loss of the worker ended, oldest first.

    Those that the user cancelled are none of them. Ask when a project was opened: a
    fill that runs at this moment is listed too.

    Parameters
    ----------
    project : Project
        Holds the rows.
    code : str
        Only fills of this class; empty: of any.
    """
    return [
        job
        for job in project.jobs()
        if job.key.startswith(PREFIX)
        and (job.state is JobState.RUNNING or LOST in job.data)
        and code in ("", job.data["code"])
    ]


def refuse_unmakeable(project: Project, ask: Ask) -> None:
    """Raise at once where the generator says that it cannot make what is asked.

    Raises
    ------
    UnknownClassError
        Naming the classes that it can make.
    InputError
        Naming the option that it does not take.
    """
    made = _built(ask.generator)
    labels = project.journal.labels().values()
    real = sum(label.code == ask.code for label in labels)
    if isinstance(made, ChoosyGenerator):
        made.refuse_unknown(ask.code, real, project.taxonomy)
    if isinstance(made, TunableGenerator):
        made.refuse_options(ask.options, ask.code, real)


def learning_options(generator: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that a generator learns by; others are for drawing alone.

    A generator names them in ``learns_by``; one without it learns by none.
    """
    known: frozenset[str] = getattr(_built(generator), "learns_by", frozenset())
    return {name: value for name, value in options.items() if name in known}


def is_outdated(generator: str, weights: Weights) -> bool:
    """Tell whether a class was learned on other weights than those that ship now."""
    made = _built(generator)
    if not weights.meta.get("tuned") or not isinstance(made, Carded):
        return False
    return bool(weights.meta.get("base") != made.card["sha256"])


def digest_of(cells: LabelledCells, told: Mapping[str, Any]) -> str:
    """Return a name for these cells with these labels, learned by these options."""
    text = repr(sorted(zip(cells.ids.tolist(), cells.codes, strict=True)))
    text += repr(sorted(told.items())) if told else ""
    return hashlib.sha256(text.encode()).hexdigest()


def _built(generator: str) -> object:
    """Return a generator; None if it is not installed here, as on a far worker only."""
    here = generator.partition(":")[0] in names("generators")
    return load("generators", generator)() if here else None
