"""What the grid may list: the queue, what a search found, doubted labels, and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cytosynth.app.cellindex import CellIndex
from napari_cytosynth.app.learner import LEARN, RANK
from napari_cytosynth.app.listing import Listing
from napari_cytosynth.app.navigate import Choice, Ranking, resolve, why_empty
from napari_cytosynth.app.panels import DOUBTED, FAULTY, OPINION, Tab
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.rereading import awaiting_opinion, faulty, is_settled

if TYPE_CHECKING:
    from napari_cytosynth.learning.doubts import Doubt


class Lists:
    """Tells what the grid holds, from what was chosen and what there is.

    Parameters
    ----------
    project : Project
        Its journal is read.
    state : SessionState
        What was chosen.
    index : CellIndex
        All cells as arrays.

    Attributes
    ----------
    ranking : Ranking
        The queue as the strategy ranked it last.
    found : Listing or None
        What a search found, in the queue's place; None: nothing was looked for.
    """

    def __init__(self, project: Project, state: SessionState, index: CellIndex) -> None:
        self._project, self._state, self._index = project, state, index
        self.ranking = Ranking()
        self.found: Listing | None = None

    def choice(self) -> Choice:
        """Return what the user chose to see."""
        state = self._state
        tab = Tab.PREDICTED if state.tab is Tab.PREDICTED else Tab.QUEUE
        search = self.found is not None and tab is Tab.QUEUE
        return Choice(tab, state.filter, state.sort, state.blind, state.quality, search)

    def why_empty(self) -> str:
        """Say why the list holds no cell, and the way out."""
        tasks = {task.key for task in self._state.tasks}
        busy = bool(tasks & {LEARN, RANK})
        return why_empty(self._index, self.choice(), busy=busy)

    def resolved(self) -> Listing:
        """Return the cells of the grid, in order."""
        choice = self.choice()
        named = Listing()
        if choice.filter == OPINION:
            asked = awaiting_opinion(self._project.journal)
            named = Listing(np.array(sorted(asked), np.int64))
        elif choice.filter == FAULTY:
            reasons = {int(c): f for c, f in faulty(self._project.journal).items()}
            named = Listing(np.array([*reasons], np.int64), reasons)
        elif choice.filter == DOUBTED and not choice.blind:
            named = self.doubted()
        ranking = self.ranking
        if choice.search and self.found is not None:
            ranking = Ranking(self.found, ranking.draws)
        return resolve(ranking, self._index, choice, named)

    def is_doubted(self, cell: CellId) -> bool:
        """Tell whether the label of one cell is still doubted."""
        return any(self._stands(d) for d in self._state.doubts if d.cell == cell)

    def _stands(self, doubt: Doubt) -> bool:
        return not is_settled(self._project.journal, CellId(doubt.cell), doubt.given)

    def doubted(self) -> Listing:
        """Return the labels that are still doubted, the most doubtful first."""
        reasons = {d.cell: d.reason for d in self._state.doubts if self._stands(d)}
        return Listing(np.array([*reasons], np.int64), reasons)
