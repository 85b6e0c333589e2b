"""Fit the classifier head on the training split, and keep it in the project."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import (
    Compute,
    Control,
    LabelledCells,
    TrainingSet,
    Vectors,
    Weights,
)
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.registry import load, painter_of
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.head import Head, HeadFitter, fitter_here
from napari_cytosynth.learning.training import SYNTHETIC_CAP, capped, joined
from napari_cytosynth.learning.use_gate import UseAnswer
from napari_cytosynth.workflows.controls import enriched
from napari_cytosynth.workflows.drawn import EMBEDDING, Drawn, draw_vectors
from napari_cytosynth.workflows.embed import embed_synthetic
from napari_cytosynth.workflows.kept import accepted_cells, kept_vectors
from napari_cytosynth.workflows.splitting import held_out_cells, labelled_cells

HEAD = "head"
"""Name of the head among the project's models."""

NONE = "none"
"""Enrich with nothing, and leave rare classes light."""


@dataclass(frozen=True, slots=True)
class Added:
    """What joins the real cells of a training set.

    Parameters
    ----------
    vectors, codes : float32[m, dim], tuple of str
        Vectors and the class of each.
    """

    vectors: Vectors
    codes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.codes)

    def __add__(self, other: Added) -> Added:
        vectors = np.concatenate([self.vectors, other.vectors])
        return Added(vectors, self.codes + other.codes)


def train_head(
    project: Project,
    embedder_key: str,
    *,
    enrich: str | None = None,
    seed: int = 0,
    compute: Compute | None = None,
    fit: HeadFitter | None = None,
    answer: UseAnswer | None = None,
) -> Task[Head]:
    """Fit the head on the training split and store it as the model ``"head"``.

    Audit cells never train. Accepted synthetic cells do, and vectors that a fill left,
    at most ten of each for a real cell of their class, where the use gate lets them.

    Parameters
    ----------
    project : Project
        Gives labels, vectors and accepted synthetic cells; takes the head.
    embedder_key : str
        Fingerprint of the embedder whose vectors are used.
    enrich : str, optional
        A control, such as ``"smote"`` or ``"class_weights"``, whose cells and weights
        are taken as it gives them; ``"none"``: every real cell weighs the same;
        ``"embedding"``: vectors drawn by that generator, as far as they pass the
        critics, join the training set; a generator of cells, such as ``"latent"``:
        its accepted cells join, and nothing else synthetic. By default all classes
        weigh the same.
    seed : int
        Decides chance.
    compute : Compute, optional
        Embeds synthetic cells; else this process does. Drawing vectors needs it, and
        so does a control that makes pictures.
    fit : callable, optional
        Fits the head; by default this process does.
    answer : UseAnswer, optional
        What the use gate found: how much that is synthetic may train, if any. Stored
        with the head. By default the gate is passed by.

    Raises
    ------
    InputError
        If the training split holds fewer than two classes, or a backend is missing.
    """
    yield Progress(0, 2, "gathering labels")
    real = training_cells(project, embedder_key)
    training = yield from _control_set(project, real, enrich, compute, seed=seed)
    made = yield from _synthetic(project, real, (seed, answer, enrich), compute)
    added = made.together
    yield Progress(1, 2, f"fitting on {len(real)} real, {len(added)} synthetic ones")
    head = (fit or fitter_here())(
        joined(training, added.vectors, added.codes, rebalance=_rebalances(enrich)),
        previous=stored_head(project, embedder_key),
        groups=_groups(real, training, len(added)),
        seed=seed,
    )
    counts = {"real": dict(Counter(real.codes)), **made.to_json()}
    said = {"use_gate": None if answer is None else answer.to_json()}
    _store(project, head, {"embedder": embedder_key, "seed": seed, **counts, **said})
    return head


def training_cells(project: Project, embedder_key: str) -> LabelledCells:
    """Return all cells that may train a head.

    Raises
    ------
    InputError
        If there is none.
    """
    real = labelled_cells(project, embedder_key, Split.TRAIN, abstain=True)
    if not len(real):
        raise InputError(
            "No head can be fitted: no cell of the training split is labelled. Label "
            "cells of two classes; audit cells never train."
        )
    return real


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made and not seen, by where it comes from."""

    cells: Added
    kept: Added
    drawn: Drawn = field(default_factory=Drawn)

    @property
    def together(self) -> Added:
        dim = self.cells.vectors.shape[1]
        return self.cells + self.kept + Added(self.drawn.vectors(dim), self.drawn.codes)

    def to_json(self) -> dict[str, Any]:
        """Return how many there are of each class, and how the draws fared."""
        return {
            "synthetic": dict(Counter(self.cells.codes)),
            "kept": dict(Counter(self.kept.codes)),
            "drawn": dict(Counter(self.drawn.codes)),
            "vectors": self.drawn.to_json(),
        }


def _control_set(
    project: Project,
    real: LabelledCells,
    enrich: str | None,
    compute: Compute | None,
    *,
    seed: int,
) -> Task[TrainingSet]:
    """Return the real cells, as a control gives them where one is named."""
    if enrich in (None, NONE, EMBEDDING, painter_of(enrich)):
        return TrainingSet(real.vectors, real.codes, np.ones(len(real)))
    control: Control = load("controls", enrich)()
    return (yield from enriched(control, project, real, compute, seed=seed))


def _synthetic(
    project: Project,
    real: LabelledCells,
    chosen: tuple[int, UseAnswer | None, str | None],
    compute: Compute | None,
) -> Task[_Made]:
    """Gather what joins: by chance, up to a cap, of one generator where it is named."""
    seed, answer, enrich = chosen
    cap = SYNTHETIC_CAP if answer is None else answer.ratio * answer.opened
    rng, painter = np.random.default_rng(seed), painter_of(enrich)
    cells = yield from accepted_vectors(
        project, real, rng, compute, cap=cap, painter=painter
    )
    none = Added(np.zeros((0, real.vectors.shape[1]), np.float32))
    made = _Made(cells, none if painter else _kept(project, real, rng, cap))
    if enrich != EMBEDDING or not cap:
        return made
    drawn = yield from draw_vectors(
        real, project.taxonomy, demanded(compute), seed=seed, cap=cap
    )
    return replace(made, drawn=drawn)


def _store(project: Project, head: Head, meta: dict[str, Any]) -> None:
    bare = head.to_weights()
    project.put_model(HEAD, Weights(bare.tensors, {**bare.meta, **meta}))


def stored_head(project: Project, embedder_key: str) -> Head | None:
    """Return the project's head, or None where none was fitted on this embedder.

    Raises
    ------
    WeightsError
        If it is damaged.
    """
    weights = project.model(HEAD)
    if weights is None or weights.meta.get("embedder") != embedder_key:
        return None
    return Head.from_weights(weights)


def accepted_vectors(
    project: Project,
    real: LabelledCells,
    rng: np.random.Generator,
    compute: Compute | None = None,
    *,
    cap: int = SYNTHETIC_CAP,
    painter: str | None = None,
) -> Task[Added]:
    """Return the accepted synthetic cells that may train, as vectors.

    Parameters
    ----------
    real : LabelledCells
        The training cells, for the embedder and the cap.
    cap : int
        At most so many for each real one of their class.
    painter : str, optional
        Those of this generator only.
    """
    named = accepted_named(project, painter)
    chosen = capped([c.code for c in named], real.codes, rng, cap)
    cells = tuple(named[i] for i in chosen)
    vectors = yield from embed_synthetic(project, real.embedder, cells, compute)
    return Added(vectors, tuple(c.code for c in cells))


def accepted_named(
    project: Project, painter: str | None = None
) -> tuple[SyntheticCell, ...]:
    """Return the accepted cells of a cell class; of one generator where it is named."""
    known = project.taxonomy.cell_codes
    accepted = accepted_cells(project, held_out_cells(project))
    return tuple(
        cell
        for cell in accepted
        if cell.code in known and painter in (None, cell.provenance.generator)
    )


def _kept(
    project: Project, real: LabelledCells, rng: np.random.Generator, cap: int
) -> Added:
    """Return the synthetic vectors that the project keeps, as far as they may train."""
    dim, measure = real.vectors.shape[1], held_out_cells(project)
    vectors, codes = kept_vectors(project, real.embedder, dim, measure)
    chosen = capped(codes, real.codes, rng, cap)
    return Added(vectors[chosen], tuple(codes[i] for i in chosen))


def _rebalances(enrich: str | None) -> bool:
    """Tell whether classes are made to weigh the same; controls bring own weights."""
    return enrich in (None, EMBEDDING, painter_of(enrich))


def demanded(compute: Compute | None) -> Compute:
    """Return the backend, or raise InputError where there is none to draw vectors."""
    if compute is None:
        raise InputError(
            "Vectors are drawn by the compute backend, and none was given. Pass one, "
            "or choose another way to enrich."
        )
    return compute


def _groups(
    real: LabelledCells, training: TrainingSet, synthetic: int
) -> npt.NDArray[np.str_]:
    """Name the group of each row; what is no real cell measures nothing: ``""``."""
    group_of = {v.tobytes(): g for v, g in zip(real.vectors, real.groups, strict=True)}
    rows = [str(group_of.get(v.tobytes(), "")) for v in training.vectors]
    return np.array(rows + [""] * synthetic, dtype=np.str_)
