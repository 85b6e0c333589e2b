"""Which cards the queue deals as if nobody had labelled them, and which it dealt."""

from __future__ import annotations

from napari_cytosynth.app.lists import Lists
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.rereading import readings


class Dealt:
    """Audit cards, and cards of which the reader is asked again, unawares.

    Parameters
    ----------
    project : Project
        Its journal is read.
    lists : Lists
        The queue as it was ranked, and what is listed now.
    """

    def __init__(self, project: Project, lists: Lists) -> None:
        self._project, self._lists = project, lists
        self._draws: frozenset[int] = frozenset()
        self._repeats: frozenset[int] = frozenset()
        self._audit: set[CellId] = set()

    def take_ranking(self) -> None:
        """Take in that the queue was ranked anew."""
        ranking = self._lists.ranking
        self._draws = frozenset(ranking.draws.tolist())
        self._repeats = frozenset(ranking.repeats.tolist())

    def note(self, cell: CellId) -> None:
        """Note that the list deals a card; an audit card stays one from then on."""
        if self._lists.choice().audits and int(cell) in self._draws:
            self._audit.add(cell)

    def keep(self, cell: CellId) -> None:
        """Note that a cell was dealt as an audit card, though its label is gone."""
        self._audit.add(cell)

    def is_audit(self, cell: CellId) -> bool:
        """Tell whether a cell is an audit card that the queue dealt; never shown."""
        return cell in self._audit

    def hides(self, cell: CellId) -> bool:
        """Tell whether a labelled cell is dealt as if it had no label."""
        label = self._project.journal.label(cell)
        free = label is not None and label.mode is not Mode.AUDIT
        return (int(cell) in self._draws and free) or self._is_repeat(cell)

    def _is_repeat(self, cell: CellId) -> bool:
        if int(cell) not in self._repeats or not self._lists.choice().deals_repeats:
            return False
        return len(readings(self._project.journal, cell)) == 1
