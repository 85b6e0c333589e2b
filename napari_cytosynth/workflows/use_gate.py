"""Asks the use gate of a project whether its synthetic cells may train.

Vectors have not seen the cells that try them: they are drawn anew by a generator that
was fitted on one half of the training cells, and judged against that half. An accepted
synthetic cell joins a half only if its generator was tuned to none of the other. It is
not made anew: the critics and the person who chose it, and the colours that it was
moved to, knew both halves, which favours it a little.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import (
    Compute,
    LabelledCells,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.registry import painter_of
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.head import HeadFitter, fitter_here
from napari_cytosynth.learning.training import SYNTHETIC_CAP
from napari_cytosynth.learning.use_gate import UseAnswer, ask_use_gate, unanswered
from napari_cytosynth.workflows.drawn import EMBEDDING, fit_source, shortfall
from napari_cytosynth.workflows.embed import embed_synthetic
from napari_cytosynth.workflows.kept import kept_fills
from napari_cytosynth.workflows.train import (
    accepted_named,
    demanded,
    training_cells,
)

USE_GATE = "use-gate"
"""Key of the job row that keeps the last answer."""

GROWN = 1.25
"""Growth of the training cells after which an answer is asked for again."""


@dataclass(frozen=True)
class Offer:
    """What would join the training cells of a project.

    Parameters
    ----------
    cells : tuple of SyntheticCell
        Accepted ones.
    fills : mapping of str to mapping of str to int
        Generator to class to vectors that a fill left.
    fresh : bool
        Also draw the rare classes up by the ``embedding`` generator.
    """

    cells: tuple[SyntheticCell, ...]
    fills: Mapping[str, Mapping[str, int]]
    fresh: bool

    @classmethod
    def of(
        cls, project: Project, embedder_key: str, enrich: str | None = None
    ) -> Offer:
        """Return what a project offers for training with ``enrich``."""
        painter = painter_of(enrich)
        fills = {} if painter else kept_fills(project, embedder_key)
        cells = accepted_named(project, painter)
        return cls(cells, fills, enrich == EMBEDDING)

    def __bool__(self) -> bool:
        return bool(self.cells or self.fills or self.fresh)

    def fingerprint(self, embedder_key: str) -> str:
        """Return twelve digits that change with what is offered."""
        ids = sorted(int(cell.id) for cell in self.cells)
        fills = {g: dict(sorted(n.items())) for g, n in sorted(self.fills.items())}
        told = json.dumps([embedder_key, ids, fills, self.fresh])
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    def wanted(
        self, train: LabelledCells, project: Project
    ) -> dict[str, dict[str, int]]:
        """Return generator to class to vectors, at most ten for each cell of a half."""
        wanted = {
            generator: {
                code: min(n, SYNTHETIC_CAP * train.count(code))
                for code, n in counts.items()
                if train.count(code)
            }
            for generator, counts in self.fills.items()
        }
        if self.fresh:
            own = wanted.setdefault(EMBEDDING, {})
            for code, n in shortfall(train, project.taxonomy).items():
                own[code] = max(n, own.get(code, 0))
        return {generator: counts for generator, counts in wanted.items() if counts}


@dataclass(frozen=True)
class _Maker:
    """Makes synthetic rows from a half of the training cells."""

    project: Project
    compute: Compute | None
    offer: Offer
    real: LabelledCells
    vectors: Vectors

    def __call__(self, train: LabelledCells, seed: int) -> Task[TrainingSet]:
        others = frozenset(np.setdiff1d(self.real.ids, train.ids).tolist())
        fair = [
            i
            for i, cell in enumerate(self.offer.cells)
            if others.isdisjoint(cell.provenance.parents)
        ]
        vectors = [self.vectors[fair]]
        codes = [self.offer.cells[i].code for i in fair]
        for generator, wanted in self.offer.wanted(train, self.project).items():
            drawn, named = yield from self._drawn(train, generator, wanted, seed)
            vectors.append(drawn)
            codes += named
        return TrainingSet(np.concatenate(vectors), tuple(codes), np.ones(len(codes)))

    def _drawn(
        self, train: LabelledCells, generator: str, wanted: Mapping[str, int], seed: int
    ) -> Task[tuple[Vectors, list[str]]]:
        taxonomy, compute = self.project.taxonomy, demanded(self.compute)
        dim = train.vectors.shape[1]
        try:
            source = yield from fit_source(
                train, taxonomy, compute, seed=seed, generator=generator
            )
        except InputError:
            # Half of the cells are too few to learn from: then it made nothing.
            return np.zeros((0, dim), np.float32), []
        drawn = yield from source.draw(wanted, seed)
        return drawn.vectors(dim), list(drawn.codes)


def ask(
    project: Project,
    embedder_key: str,
    compute: Compute | None = None,
    *,
    enrich: str | None = None,
    seed: int = 0,
    fit: HeadFitter | None = None,
) -> Task[UseAnswer | None]:
    """Find out whether what a project offers helps, and keep the answer.

    Parameters
    ----------
    project : Project
        Gives training cells and what is offered; keeps the answer.
    embedder_key : str
        Fingerprint of the embedder.
    compute : Compute, optional
        Embeds, fits generators and draws; needed where vectors are offered.
    enrich : str, optional
        As :func:`napari_cytosynth.workflows.train.train_head` takes it.
    seed : int
        Makes it repeatable.
    fit : callable, optional
        Fits heads; by default this process does.

    Returns
    -------
    UseAnswer or None
        None where nothing is offered, so that there is nothing to ask.
    """
    yield Progress(0, 1, "gathering synthetic cells")
    offer = Offer.of(project, embedder_key, enrich)
    if not offer:
        return None
    real = training_cells(project, embedder_key)
    vectors = yield from embed_synthetic(project, embedder_key, offer.cells, compute)
    maker = _Maker(project, compute, offer, real, np.asarray(vectors, np.float32))
    answer = yield from ask_use_gate(real, maker, fit or fitter_here(), seed=seed)
    kept = {"answer": answer.to_json(), "of": offer.fingerprint(embedder_key)}
    project.put_job(Job(USE_GATE, JobState.DONE, kept))
    return answer


def current_answer(
    project: Project, embedder_key: str, cells: int, offer: Offer
) -> UseAnswer | None:
    """Return the last answer if it still holds.

    Parameters
    ----------
    cells : int
        Training cells that there are now. An answer holds until they have grown or
        shrunk by a quarter, or something else is offered.
    """
    for job in project.jobs(JobState.DONE):
        if job.key == USE_GATE and job.data["of"] == offer.fingerprint(embedder_key):
            answer = UseAnswer.from_json(job.data["answer"])
            near = cells <= GROWN * answer.cells and answer.cells <= GROWN * cells
            return answer if near else None
    return None


def standing_answer(
    project: Project, embedder_key: str, cells: int, offer: Offer
) -> tuple[UseAnswer | None, str]:
    """Return what a fit must obey now, and of which offer the gate is to be asked.

    The gate is shut until it was asked. Without an offer there is no answer, and
    nothing to ask.
    """
    if not offer:
        return None, ""
    answer = current_answer(project, embedder_key, cells, offer)
    if answer is not None:
        return answer, ""
    waiting = unanswered(cells, "the use gate was not asked yet")
    return waiting, offer.fingerprint(embedder_key)
