"""Learns in the background: embed what is new, refit, predict, rank again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import WeightsError, WorkerError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.learning.head import Head, HeadFitter
    from napari_cytosynth.learning.use_gate import UseAnswer
    from napari_cytosynth.metrics.intervals import Interval
    from napari_cytosynth.workflows.suggest import Suggestion
    from napari_cytosynth.workflows.summary import ClassSummary

LEARN, RANK, ASK = "learn", "rank", "use-gate"
"""Keys of the three tasks."""

_AHEAD = 60


@dataclass(frozen=True, slots=True)
class LearnerConfig:
    """How the session learns.

    Parameters
    ----------
    cards : int
        Cells in a ranking.
    seed : int
        Makes rankings and fits repeatable.
    """

    cards: int = 200
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Guesses:
    """What a head thinks.

    Parameters
    ----------
    ids : int64[n]
        Cells.
    codes : tuple of str
        Class of each column; empty without a head.
    probabilities : float32[n, classes]
        Rows sum to 1; NaN for a cell without a vector.
    """

    ids: npt.NDArray[np.int64]
    codes: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Learned:
    """One round of learning.

    Parameters
    ----------
    key : str
        Fingerprint of the embedder.
    head : Head or None
        None while fewer than two classes have labels.
    guesses : Guesses
        What it thinks of every cell.
    summary : tuple of ClassSummary
        Precision and recall on audit cells.
    suggestion : Suggestion
        The ranking.
    strategy : str
        By which it was ranked.
    problem : WorkerError, WeightsError or None
        Why new cells have no vectors.
    caveat : str
        What every figure must say of the split and of the audit cells; empty: split by
        patient or slide, and patients enough.
    accuracy : Interval or None
        Share of audit cells that the head gets right.
    gate : UseAnswer or None
        What the use gate said of the synthetic cells; None: there are none.
    to_ask : str
        Fingerprint of the synthetic cells of which the use gate must be asked; empty:
        its answer stands.
    """

    key: str
    head: Head | None
    guesses: Guesses
    summary: tuple[ClassSummary, ...]
    suggestion: Suggestion
    strategy: str
    problem: WorkerError | WeightsError | None = None
    caveat: str = ""
    accuracy: Interval | None = None
    gate: UseAnswer | None = None
    to_ask: str = ""


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
        Size of a ranking, seed.
    state : SessionState
        Tells the embedder and the strategy chosen now.

    Attributes
    ----------
    fitter : callable or None
        Fits heads; None: this process does.
    """

    def __init__(
        self,
        project: Project,
        compute: Compute,
        jobs: Jobs,
        config: LearnerConfig,
        state: SessionState,
    ) -> None:
        self._project, self._compute, self._jobs = project, compute, jobs
        self._config, self._state = config, state
        self._behind, self._told = False, ""
        self._rounds, self._asked = 0, ""
        self.key, self.caveat = "", ""
        self.head: Head | None = None
        self.fitter: HeadFitter | None = None
        self.on_learned: Callable[[Learned], None] = lambda _: None
        self.warm: Callable[[npt.NDArray[np.int64]], None] = lambda _: None
        self.on_ranked: Callable[[Suggestion], None] = lambda _: None

    @property
    def seed(self) -> int:
        """Of all that is left to chance."""
        return self._config.seed

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
        self.caveat = learned.caveat
        self._tell(learned.problem)
        self._state.use_gate = "" if learned.gate is None else str(learned.gate)
        self.on_learned(learned)
        # An offer on which it failed is not asked of again after every label.
        if learned.to_ask not in ("", self._asked) and not self._jobs.is_running(ASK):
            self._asked = learned.to_ask
            task = self._asking(learned.key)
            title = "Asking whether synthetic cells help"
            self._jobs.start(Order(ASK, title, task, self._answered))
        if learned.strategy == self._state.strategy:
            self.on_ranked(learned.suggestion)
        else:
            self.rerank()

    def _asking(self, key: str) -> Task[UseAnswer | None]:
        """Ask the use gate beside the rounds: it takes a hundred fits."""
        from napari_cytosynth.workflows.use_gate import ask

        config, fit = self._config, self.fitter
        return (
            yield from ask(self._project, key, self._compute, seed=config.seed, fit=fit)
        )

    def _answered(self, answer: UseAnswer | None) -> None:
        """Say what the gate found; a round follows that obeys it."""
        self._asked = ""
        if answer is not None:
            self._state.say(f"Use gate: {answer}.")
        self.refit()

    def _tell(self, problem: WorkerError | WeightsError | None) -> None:
        """Say why the backend did not answer; once, and not after every label."""
        if problem is not None and str(problem) != self._told:
            self._jobs.tell("Learning", problem)
        self._told = "" if problem is None else str(problem)

    def _ranked(self, answer: tuple[str, Suggestion]) -> None:
        strategy, suggestion = answer
        if strategy == self._state.strategy:
            self.on_ranked(suggestion)

    def _round(self) -> Task[Learned]:
        embedder, problem = self._state.embedder, None
        try:
            key = yield from embed(self._project, self._compute, embedder)
        except (WorkerError, WeightsError) as error:
            # Labelling goes on with the vectors that there are, or at random.
            key, problem = fingerprint(embedder), error
        head, gate, to_ask = yield from self._fitted(key)
        guesses = yield from predict(self._project, key, head)
        summary = summarise(self._project, key, head)
        strategy, suggestion = yield from self._rank_with(key, head)
        return Learned(
            key,
            head,
            guesses,
            summary,
            suggestion,
            strategy,
            problem,
            caveat_of(self._project, key),
            accuracy_of(self._project, key, head),
            gate,
            to_ask,
        )

    def _fitted(self, key: str) -> Task[tuple[Head | None, UseAnswer | None, str]]:
        """Fit a head; None while the training split holds fewer than two classes.

        Synthetic cells train if the use gate let them; it is asked after the round.
        """
        from napari_cytosynth.workflows.splitting import labelled_cells
        from napari_cytosynth.workflows.train import train_head
        from napari_cytosynth.workflows.use_gate import Offer, standing_answer

        yield Progress(0, 0, "fitting")
        project = self._project
        cells = labelled_cells(project, key, Split.TRAIN, abstain=True)
        if len(set(cells.codes)) < 2:
            return None, None, ""
        offer = Offer.of(project, key)
        gate, to_ask = standing_answer(project, key, len(cells), offer)
        seed, compute, fit = self._config.seed, self._compute, self.fitter
        head = yield from train_head(
            project, key, seed=seed, compute=compute, fit=fit, answer=gate
        )
        return head, gate, to_ask

    def _ranking(self) -> Task[tuple[str, Suggestion]]:
        return (yield from self._rank_with(self.key, self.head))

    def _rank_with(self, key: str, head: Head | None) -> Task[tuple[str, Suggestion]]:
        from napari_cytosynth.workflows.density import density_for
        from napari_cytosynth.workflows.repeats import with_repeats
        from napari_cytosynth.workflows.suggest import suggest

        strategy, config = self._state.strategy, self._config
        density = yield from density_for(
            self._project, key, strategy, self._compute, seed=config.seed
        )
        yield Progress(0, 0, "ranking")
        self._rounds += 1
        suggestion = suggest(
            self._project,
            key,
            head=head,
            strategy=strategy,
            n=config.cards,
            seed=config.seed + self._rounds,
            density=density,
        )
        suggestion = with_repeats(
            self._project, suggestion, self._state.annotator, seed=self._rounds
        )
        # The next cards are read here, and not when they are painted.
        self.warm(suggestion.query.ids[:_AHEAD])
        return strategy, suggestion


def embed(project: Project, compute: Compute, embedder: str) -> Task[str]:
    """Embed what is new; return the embedder's fingerprint."""
    from napari_cytosynth.workflows.embed import embed_cells

    return (yield from embed_cells(project, compute, embedder=embedder))


def fingerprint(embedder: str) -> str:
    """Return the fingerprint of an embedder without asking the backend."""
    from napari_cytosynth.workflows.embed import fingerprint_of

    return fingerprint_of(embedder)


def predict(project: Project, key: str, head: Head | None) -> Task[Guesses]:
    """Return what a head thinks of every cell; no rows without a head."""
    from napari_cytosynth.workflows.embed import vectors_of
    from napari_cytosynth.workflows.scores import scores_of

    yield Progress(0, 0, "predicting")
    if head is None:
        return Guesses(np.zeros(0, np.int64), (), np.zeros((0, 0), np.float32))
    table = project.cells()
    vectors = vectors_of(project, key, table)
    return Guesses(table.ids, head.codes_, scores_of(project, head, vectors))


def summarise(
    project: Project, key: str, head: Head | None
) -> tuple[ClassSummary, ...]:
    """Return how each class stands, on audit cells."""
    from napari_cytosynth.workflows.summary import class_summary

    return class_summary(project, head, key)


def accuracy_of(project: Project, key: str, head: Head | None) -> Interval:
    """Return the share of audit cells that a head gets right."""
    from napari_cytosynth.workflows.summary import audit_accuracy

    return audit_accuracy(project, head, key)


def caveat_of(project: Project, key: str) -> str:
    """Return what every figure must say of how the cells are split, and whose."""
    from napari_cytosynth.workflows.summary import audit_caveat

    return audit_caveat(project, key)
