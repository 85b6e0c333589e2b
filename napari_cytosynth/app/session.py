"""One sitting over one project: what the user does, and what holds after it.

Every command first commits to the project and only then changes the state, so what is
shown as given is on the disk. Commands never raise what a user can cause: they return
False, say why by ``events.failed``, and leave the state as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from napari_cytosynth.app.atlas import Atlas
from napari_cytosynth.app.evaluating import Evaluating
from napari_cytosynth.app.fields import Fields
from napari_cytosynth.app.figures import class_figures, figure
from napari_cytosynth.app.fills import Fills
from napari_cytosynth.app.handling import Handling
from napari_cytosynth.app.inspecting import Inspecting
from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.judging import Judging
from napari_cytosynth.app.learner import Learned, Learner, LearnerConfig, embed
from napari_cytosynth.app.measuring import Measuring
from napari_cytosynth.app.panels import Figure
from napari_cytosynth.app.searching import Searching
from napari_cytosynth.app.smears import Opener
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.app.summary import Known, class_rows
from napari_cytosynth.core.errors import CytoSynthError
from napari_cytosynth.core.ids import SyntheticId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.registry import DEFAULT_STRATEGY
from napari_cytosynth.core.tasks import Runner
from napari_cytosynth.workflows.fill_jobs import Ask

EMBED = "embed"
"""Key of the task that changes the embedder."""


class Session(Handling):
    """Reading and handling, with learning, synthesis and evidence in the background.

    Parameters
    ----------
    project : Project
        Open; :meth:`close` closes it.
    compute : Compute
        The compute backend; :meth:`close` closes it.
    runner : Runner
        Drives tasks and answers in the caller's thread.
    annotator : str
        Who labels; empty: :meth:`set_annotator` before the first label.
    opener : callable
        Opens a smear's picture by its uri; by default
        :func:`napari_cytosynth.ingest.open_smear`.
    learning : LearnerConfig
        Size of a ranking, seed.

    Attributes
    ----------
    state : SessionState
        The fields; read them, and let the commands set them.
    fills : Fills
        Synthetic cells, and the fills that make them.
    judging : Judging
        The verdicts on them.
    evaluating : Evaluating
        Whether they helped.
    atlas : Atlas
        All cells on a plane, once somebody asks for the map.
    jobs : Jobs
        What runs; ``jobs.cancel(key)`` stops it.
    searching : Searching
        More cells of a class, more cells like one.
    fields : Fields
        From field to field, to label them whole.
    measuring : Measuring
        The learning curve, and labels per minute.
    helpers : ExitStack
        Closed with the session: processes beside it, and the like.
    """

    def __init__(
        self,
        project: Project,
        compute: Compute,
        runner: Runner,
        *,
        annotator: str = "",
        opener: Opener | None = None,
        learning: LearnerConfig | None = None,
    ) -> None:
        state = SessionState(annotator=annotator)
        super().__init__(project, state, Jobs(runner, state), opener)
        self._compute, config = compute, learning or LearnerConfig()
        self.fills = Fills(project, compute, self.jobs, state)
        self.judging = Judging(project, self.fills.shelf, self.jobs, state)
        self.learner = Learner(project, compute, self.jobs, config, state)
        self.evaluating = Evaluating(project, compute, self.jobs, state, self.learner)
        self.measuring = Measuring(
            project, self.jobs, state, lambda: self.learner.fitter
        )
        self.atlas = Atlas(project, self.jobs, self.learner)
        self.searching = Searching(self, compute, self.jobs)
        self.fields = Fields(self, self.searching, compute, self.jobs, opener)
        self.inspecting = Inspecting(self, self.jobs, lambda: self.smears.finder)
        self.helpers = ExitStack()
        self._figures: Mapping[str, tuple[Figure, Figure]] = {}
        self._bind()

    def _bind(self) -> None:
        self.inspecting.on_changed = self._on_inspected
        self.events.cells.connect(self.inspecting.begin)
        self.learner.on_learned = self._on_learned
        self.learner.on_ranked = self.rank
        self.learner.warm = self.crops.warm
        self.fills.on_changed = self.summarise
        self.fills.on_cells = self.judging.relist
        self.fills.on_vectors = self._on_synthetic
        self.judging.on_judged = self._on_judged
        self.events.evidence.connect(self.summarise)
        self.events.blind.connect(self.summarise)
        self.events.filter.connect(self.judging.relist)
        self.events.doubts.connect(self.take_doubts)

    def start(self) -> None:
        """Take in what the project holds, go on with interrupted fills, and learn."""
        from napari_cytosynth.workflows.shares import stored_shares

        self.reload()
        self.remember()
        self.state.shares = stored_shares(self.project)
        self.fills.load()
        self.smears.resume()
        self.scaling.cut()
        smears = self.project.smears()
        if smears and self.state.smear is None:
            self.state.smear = smears[0].id
        self.summarise()
        self.evaluating.recall()
        if len(self.index):
            self.learner.refit()

    def close(self) -> None:
        """Stop what runs, close pictures, backend and project. Idempotent.

        What the runner stopped before is marked as interrupted: :meth:`start` of the
        next session goes on with it.
        """
        try:
            self.fills.keep_running()
            self.smears.keep_running()
        except CytoSynthError as error:
            # A full disk must not keep the window open.
            self.jobs.tell("Closing", error)
        self.jobs.close()
        self.stains.close()
        self.smears.close()
        self.helpers.close()
        self._compute.close()
        self.project.close()

    # Learning

    def _on_inspected(self) -> None:
        """Put flagged cells behind the others, once there is a ranking."""
        if self.learner.key:
            self.learner.rerank()

    def set_strategy(self, key: str) -> None:
        """Choose how cells are ranked, and rank anew."""
        self.searching.leave()
        self.fields.forget()
        self.state.strategy = key
        if len(self.index):
            self.learner.rerank()

    def set_shares(
        self,
        uncertain: float = 0.0,
        rare: float = 0.0,
        novel: float = 0.0,
        typical: float = 0.0,
    ) -> bool:
        """Say what part of its cards *balanced* deals to what; kept with the project.

        At least 0, not all 0; they are divided by their sum.
        """
        from napari_cytosynth.learning.strategies.balanced import Shares
        from napari_cytosynth.workflows.shares import keep_shares

        try:
            shares = Shares(uncertain, rare, novel, typical)
            keep_shares(self.project, shares)
        except (CytoSynthError, OSError) as error:
            self.jobs.tell("Setting the shares", error)
            return False
        self.state.shares = shares
        if self.state.strategy == DEFAULT_STRATEGY and len(self.index):
            self.learner.rerank()
        return True

    def set_embedder(self, name: str) -> None:
        """Embed all cells by another embedder, and learn from its vectors then.

        Until all have one, and where that fails or is cancelled, the old vectors serve.
        Naming the embedder in use stops a change that is under way.
        """
        if name == self.state.embedder:
            self.jobs.cancel(EMBED)
            return
        task = embed(self.project, self._compute, name)
        title = f"Embedding by {name}"
        self.jobs.start(Order(EMBED, title, task, lambda _: self._take_embedder(name)))

    def _take_embedder(self, name: str) -> None:
        self.state.embedder = name
        # Examples and fields are of the old vectors, which cannot be compared with new.
        self.searching.leave()
        self.fields.forget()
        self.details.clear()
        self.learner.refit()

    def on_labels_changed(self) -> None:
        """Refit and rank again in the background."""
        self.learner.refit()

    def _on_learned(self, learned: Learned) -> None:
        head, guesses = learned.head, learned.guesses
        self.index.set_guesses(guesses.ids, guesses.codes, guesses.probabilities)
        self._figures = class_figures(learned.summary)
        self.details.take_vectors()
        self.state.model = head.version if head is not None else ""
        audit = learned.accuracy
        self.state.accuracy = figure(audit, 0 if audit is None else audit.n)
        self.events.predictions.emit()
        self.fields.head = head
        self.searching.again()
        self.summarise()
        if head is not None:
            self.measuring.follow(learned.key)

    # Synthesis

    def ask_fill(self, code: str) -> None:
        """Open the *Fill* form for a class; empty: close it."""
        self.state.fill_class = code

    def fill(
        self,
        code: str,
        count: int,
        generator: str = "latent",
        options: Mapping[str, Any] | None = None,
    ) -> bool:
        """Ask the backend for synthetic cells of a class; they stream in."""
        return self.fills.start(Ask(code, count, generator, options=options or {}))

    def on_verdict_switched(self, number: SyntheticId) -> None:
        """Show the verdict that holds after undo or redo."""
        self.judging.restore(number)

    def _on_judged(self) -> None:
        self.summarise()
        self._on_synthetic()

    def _on_synthetic(self) -> None:
        """Learn anew, as other synthetic cells or vectors may train now."""
        self.remember()
        self.learner.refit()

    def summarise(self) -> None:
        """Count every class anew: the same cost at any number of labels."""
        state = self.state
        state.classes = class_rows(
            Known(
                taxonomy=self.project.taxonomy,
                index=self.index,
                shelf=self.fills.shelf,
                filling=self.fills.is_running,
                predicted=bool(state.model) and not state.blind,
                figures=self._figures,
                merged=self.project.journal.merged,
            )
        )
