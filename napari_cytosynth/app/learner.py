"""Learns in the background: embed what is new, refit, predict, rank again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.learning.head import Head
    from napari_cytosynth.workflows.suggest import Suggestion

LEARN, RANK = "learn", "rank"
"""Keys of the two tasks."""

_CHUNK = 20_000
"""Cells that are predicted between two signs of life."""


@dataclass(frozen=True, slots=True)
class LearnerConfig:
    """How the session learns.

    Parameters
    ----------
    embedder : str
        Registry name of the embedder.
    cards : int
        Cells in a ranking.
    seed : int
        Makes rankings and fits repeatable.
    """

    embedder: str = "morphology"
    cards: int = 200
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Learned:
    """One round of learning.

    Parameters
    ----------
    key : str
        Fingerprint of the embedder.
    head : Head or None
        None while fewer than two classes have labels.
    ids : int64[n]
        Cells that were predicted.
    probabilities : float32[n, classes]
        Of the head's classes.
    suggestion : Suggestion
        The ranking.
    strategy : str
        By which it was ranked.
    """

    key: str
    head: Head | None
    ids: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    suggestion: Suggestion
    strategy: str


class Learner:
    """Keeps head, guesses and ranking up to date with the labels.

    A label that falls into a running round does not restart it, or a quick reader would
    never see a result: one more round follows it. Only a ranking is superseded.

    Parameters
    ----------
    project, compute : Project, Compute
        Where cells stand and vectors are made.
    jobs : Jobs
        Runs the tasks.
    config : LearnerConfig
        Embedder, size of a ranking, seed.
    strategy : callable
        Tells the strategy chosen now.
    """

    def __init__(
        self,
        project: Project,
        compute: Compute,
        jobs: Jobs,
        config: LearnerConfig,
        strategy: Callable[[], str],
    ) -> None:
        self._project, self._compute, self._jobs = project, compute, jobs
        self._config, self._strategy = config, strategy
        self._behind = False
        self._rounds = 0
        self.key = ""
        self.head: Head | None = None
        self.on_learned: Callable[[Learned], None] = lambda _: None
        self.on_ranked: Callable[[Suggestion], None] = lambda _: None

    def refit(self) -> None:
        """Learn from all labels; if a round runs, once more after it."""
        if self._jobs.is_running(LEARN):
            self._behind = True
            return
        self._behind = False
        self._jobs.start(
            Order(LEARN, "Learning", self._round(), self._learned, on_end=self._again)
        )

    def rerank(self) -> None:
        """Rank again with the strategy chosen now; supersedes an older ranking."""
        if not self.key:
            self.refit()
            return
        self._jobs.start(Order(RANK, "Ranking", self._ranking(), self._ranked))

    def _again(self) -> None:
        if self._behind:
            self.refit()

    def _learned(self, learned: Learned) -> None:
        self.key, self.head = learned.key, learned.head
        self.on_learned(learned)
        if learned.strategy == self._strategy():
            self.on_ranked(learned.suggestion)
        else:
            self.rerank()

    def _ranked(self, answer: tuple[str, Suggestion]) -> None:
        strategy, suggestion = answer
        if strategy == self._strategy():
            self.on_ranked(suggestion)

    def _round(self) -> Task[Learned]:
        config = self._config
        key = yield from embed(self._project, self._compute, config.embedder)
        head = yield from fit(self._project, key, config.seed)
        ids, probabilities = yield from predict(self._project, key, head)
        strategy, suggestion = yield from self._rank_with(key, head)
        return Learned(key, head, ids, probabilities, suggestion, strategy)

    def _ranking(self) -> Task[tuple[str, Suggestion]]:
        return (yield from self._rank_with(self.key, self.head))

    def _rank_with(self, key: str, head: Head | None) -> Task[tuple[str, Suggestion]]:
        from napari_cytosynth.workflows.suggest import suggest

        strategy, config = self._strategy(), self._config
        yield Progress(0, 0, "ranking")
        self._rounds += 1
        suggestion = suggest(
            self._project,
            key,
            head=head,
            strategy=strategy,
            n=config.cards,
            seed=config.seed + self._rounds,
        )
        return strategy, suggestion


def embed(project: Project, compute: Compute, embedder: str) -> Task[str]:
    """Embed what is new; return the embedder's fingerprint."""
    from napari_cytosynth.workflows.embed import embed_cells

    return (yield from embed_cells(project, compute, embedder=embedder))


def fit(project: Project, key: str, seed: int) -> Task[Head | None]:
    """Fit a head; None while the training split holds fewer than two classes."""
    from napari_cytosynth.workflows.train import labelled_cells, train_head

    yield Progress(0, 0, "fitting")
    if len(set(labelled_cells(project, key, Split.TRAIN).codes)) < 2:
        return None
    return (yield from train_head(project, key, seed=seed))


def predict(
    project: Project, key: str, head: Head | None
) -> Task[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """Return all cells, and float32[n, classes]: NaN where a cell has no vector."""
    ids = project.cells().ids
    if head is None:
        return ids, np.full((len(ids), 1), np.nan, np.float32)
    parts = [np.zeros((0, len(head.codes_)), np.float32)]
    for start in range(0, len(ids), _CHUNK):
        yield Progress(start, len(ids), "predicting")
        vectors = project.embeddings(key, ids[start : start + _CHUNK])
        part = np.full((len(vectors), len(head.codes_)), np.nan, np.float32)
        known = np.isfinite(vectors).all(axis=1) & (vectors.shape[1] > 0)
        if known.any():
            part[known] = head.predict_proba(vectors[known])
        parts.append(part)
    return ids, np.concatenate(parts)
