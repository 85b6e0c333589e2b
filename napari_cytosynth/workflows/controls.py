"""The controls that synthesis has to beat, ready to be asked again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import (
    Compute,
    Control,
    Crops,
    LabelledCells,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.tasks import Task
from napari_cytosynth.workflows.embed import name_of


@runtime_checkable
class PictureControl(Control, Protocol):
    """A control that makes pictures, which must be embedded before they can train."""

    embed: Callable[[Crops], Vectors] | None

    def pictures(
        self, cells: LabelledCells, rng: np.random.Generator
    ) -> tuple[Crops, tuple[str, ...]]:
        """Return pictures, uint8[m, 96, 96, 3], and the class of each."""
        ...

    def joined(
        self, cells: LabelledCells, vectors: Vectors, codes: tuple[str, ...]
    ) -> TrainingSet:
        """Return the training set of real cells and of the embedded pictures."""
        ...


@dataclass
class _Made:
    """A control whose set was made ahead: it is the same in every run."""

    key: str
    made: TrainingSet

    def enrich(self, cells: LabelledCells, rng: np.random.Generator) -> TrainingSet:
        del cells, rng
        return self.made


def controls_for(
    project: Project, real: LabelledCells, compute: Compute, *, seed: int = 0
) -> Task[tuple[Control, ...]]:
    """Return every control that is installed.

    One that makes pictures is asked once, with progress, and gives the same training
    set in every run: embedding takes a hundred times as long as a fit.

    Parameters
    ----------
    project : Project
        Gives the pictures of the cells.
    real : LabelledCells
        Training cells with vectors; pictures are added where they are needed.
    compute : Compute
        Embeds.
    seed : int
        Decides chance of what is made ahead.
    """
    found: list[Control] = []
    for name in names("controls"):
        control: Control = load("controls", name)()
        if isinstance(control, PictureControl) and len(real):
            made = yield from enriched(control, project, real, compute, seed=seed)
            control = _Made(control.key, made)
        found.append(control)
    return tuple(found)


def enriched(
    control: Control,
    project: Project,
    real: LabelledCells,
    compute: Compute | None,
    *,
    seed: int = 0,
) -> Task[TrainingSet]:
    """Return what a control makes of real cells, pictures embedded.

    Parameters
    ----------
    compute : Compute, optional
        Embeds; needed by controls that make pictures, and by no others.

    Raises
    ------
    InputError
        If a control makes pictures and there is nothing to embed them with.
    """
    rng = np.random.default_rng(seed)
    if not isinstance(control, PictureControl) or compute is None:
        return control.enrich(real, rng)
    pictured = replace(real, crops=project.crops(real.ids))
    crops, codes = control.pictures(pictured, rng)
    vectors = np.zeros((0, real.vectors.shape[1]), np.float32)
    if codes:
        vectors = yield from compute.embed(name_of(real.embedder), crops)
    return control.joined(real, vectors, codes)
