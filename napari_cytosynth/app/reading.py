"""What the reader does with cells: label, skip, remark, strike out, add."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_cytosynth.app.jobs import Order
from napari_cytosynth.app.recording import Recording
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author, Event
from napari_cytosynth.core.rereading import Fault
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.workflows.audit import stamped


class Reading(Recording):
    """A desk at which somebody reads.

    Every command returns False, says why by ``events.failed`` and leaves the desk as it
    was where the name is missing or the project refuses.

    Parameters
    ----------
    project, state, jobs : Project, SessionState, Jobs
        As of :class:`Recording`.
    """

    def label(self, code: str) -> bool:
        """Give the focused cell a class, and go to the next."""
        if code not in self.project.taxonomy:
            self.state.fail(
                f"Class '{code}' is not in taxonomy '{self.project.taxonomy.name}'. "
                f"It holds {', '.join(self.project.taxonomy.codes)}."
            )
            return False
        cell = self.state.focus
        before = "" if cell is None else self._hidden_word(cell)
        again = bool(before)
        if not self._on_focus(lambda a, cell: a.label(cell, code, repeat=again)):
            return False
        self.advance()
        if again and before != self.project.journal.merged(code):
            self.state.say(
                f"You called cell {cell} {before} before, and {code} now. The later "
                f"word stands; undo brings {before} back."
            )
        self.on_labels_changed()
        return True

    def _hidden_word(self, cell: CellId) -> str:
        """Return what this reader called a cell whose label he is not shown."""
        label = self.project.journal.label(cell)
        if label is None or self.code(cell) or cell not in self.index:
            return ""
        return label.code if label.annotator == self.state.annotator else ""

    def label_many(self, cells: Sequence[CellId], code: str) -> bool:
        """Give many cells a class in one step, which one undo takes back.

        They were chosen by looks, so none of these labels is an audit label. The focus
        stays where it is. Labels are written in the background, as by
        :meth:`commit_many`; a cell that a key labels meanwhile keeps that label.
        """
        author, name = self.state.author(), self.project.taxonomy[code].code
        if not cells or not self.has_name():
            return False
        step, journal = author.step(), self.project.journal
        before = [journal.label(cell) for cell in cells]

        def labels(start: int, stop: int) -> Sequence[Event]:
            stand = zip(cells[start:stop], before[start:stop], strict=True)
            free = [cell for cell, label in stand if journal.label(cell) == label]
            return author.labels(free, name, step)

        return self.commit_many(
            cells,
            labels,
            (
                f"Labelling {len(cells)} cells {code}",
                f"{len(cells)} cells labelled {code}. Undo takes all back.",
            ),
        )

    def skip(self) -> bool:
        """Pass over the focused cell, and go to the next."""
        if not self._on_focus(lambda author, cell: author.skip(cell)):
            return False
        self.advance()
        return True

    def flag(self, fault: Fault) -> bool:
        """Say that the focused cell's box is wrong, and go to the next.

        The cell waits, and trains nothing, until its box is drawn anew or it is split.
        """
        if not self._on_focus(lambda author, cell: author.skip(cell, fault)):
            return False
        self.advance()
        self.on_labels_changed()
        return True

    def second_opinion(self) -> bool:
        """Ask another reader to look at the focused cell."""
        return self._on_focus(lambda author, cell: author.second_opinion(cell))

    def comment(self, text: str) -> bool:
        """Remark on the focused cell."""
        return self._on_focus(lambda author, cell: author.comment(cell, text))

    def remove_cell(self) -> bool:
        """Strike out the focused cell: it is no cell. Undo brings it back."""
        cell, following = self.state.focus, self.upcoming()
        if not self._commit_on_focus(lambda author, cell: author.removed(cell)):
            return False
        self._move_on(following)
        if cell is not None:
            self.state.listing = self.state.listing.without(cell)
        self.reload()
        self.summarise()
        self.on_labels_changed()
        return True

    def add_cell(self, smear: SmearId, x: float, y: float) -> None:
        """Add a cell that the detector missed, and focus it; level-0 pixels.

        The picture is asked what lies there, so it takes a moment.
        """
        if not self.has_name():
            return
        author = self.state.author()
        task = self._adding(smear, (x, y), author)
        key = f"add:{smear}:{x:.0f}:{y:.0f}"
        self.jobs.start(Order(key, "Adding a cell", task, self._added, quiet=True))

    def _adding(
        self, smear: SmearId, place: tuple[float, float], author: Author
    ) -> Task[CellId]:
        from napari_cytosynth.workflows.detect import add_cell

        yield Progress(0, 1, "looking at the cell")
        return add_cell(self.project, smear, *place, author)

    def _added(self, cell: CellId) -> None:
        self._take_in_cells()
        self.focus_cell(cell)

    def merge_class(self, code: str, into: str) -> bool:
        """Count a class as another from now on; undo parts them again."""
        taxonomy, journal = self.project.taxonomy, self.project.journal
        if {code, into} <= set(taxonomy.codes) and journal.merged(into) == code:
            self.state.fail(
                f"Class {into} counts as {code} already. Undo that merge first."
            )
            return False
        author = self.state.author()
        if not self.has_name() or not self._commit(author.merged(code, into)):
            return False
        self._take_in_cells()
        self.state.say(f"{code} counts as {into} from now on. Undo parts them again.")
        return True

    def _on_focus(self, make: Callable[[Author, CellId], Event]) -> bool:
        """Commit an event on the focused cell, then show what it changed."""
        cell = self.state.focus
        if not self._commit_on_focus(make) or cell is None:
            return False
        self.touch(cell)
        self.summarise()
        return True

    def _commit_on_focus(self, make: Callable[[Author, CellId], Event]) -> bool:
        cell = self.state.focus
        if cell is None:
            self.state.fail("No cell is focused, so nothing was done. Click one first.")
            return False
        if not self.has_name():
            return False
        return self._commit(*self._events(make, cell))

    def _events(
        self, make: Callable[[Author, CellId], Event], cell: CellId
    ) -> list[Event]:
        """Return the event, and before it the draw of a card not yet noted as one."""
        reader = self.state.author()
        journal, dealt = self.project.journal, self.dealt.is_audit(cell)
        author, draw = stamped(journal, reader, cell, dealt=dealt)
        return [*draw, make(author, cell)]
