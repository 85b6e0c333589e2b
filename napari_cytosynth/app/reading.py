"""What the reader commits: labels, skips, remarks, cells struck out or added, undo.

The journal event is committed first; only then does anything on the desk change. So
what is shown as given is on the disk, and what the disk refused is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_cytosynth.app.desk import Desk
from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import CytoSynthError
from napari_cytosynth.core.ids import CellId, SmearId, SyntheticId
from napari_cytosynth.core.journal import Author, Event, EventKind, Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.rereading import Fault
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.workflows.audit import stamped

_MOVES_CELLS = frozenset(
    {
        EventKind.CELL_ADDED,
        EventKind.CELL_REMOVED,
        EventKind.BOX_CHANGED,
        EventKind.SPLIT,
        EventKind.CLASS_MERGED,
        EventKind.FOUND_ANEW,
    }
)


class Reading(Desk):
    """A desk at which somebody reads.

    Every command returns False, says why by ``events.failed`` and leaves the desk as it
    was where the name is missing or the project refuses.

    Parameters
    ----------
    project : Project
        Takes the events.
    state : SessionState
        The fields.
    jobs : Jobs
        Tells of failures.
    """

    def __init__(self, project: Project, state: SessionState, jobs: Jobs) -> None:
        super().__init__(project, state)
        self.jobs = jobs

    def on_labels_changed(self) -> None:
        """Learn from it; the session does."""

    def on_verdict_switched(self, number: SyntheticId) -> None:
        """Take in that undo or redo changed a verdict; the session does."""

    def on_picture_cut(self, cell: CellId) -> None:
        """Take in that the picture of a cell is another one; the session does."""

    def on_scale_switched(self, smear: SmearId) -> None:
        """Take in that undo or redo changed a smear's pixel size; the session does."""

    def summarise(self) -> None:
        """Count anew; the session does."""

    def set_annotator(self, name: str) -> None:
        """Say who labels from now on."""
        self.state.annotator = name.strip()
        self.remember()

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
        stays where it is.
        """
        author = Author(self.state.annotator, model=self.state.model)
        if not cells or not self.has_name():
            return False
        events = author.labels(cells, self.project.taxonomy[code].code)
        if not self._commit(*events):
            return False
        self._take_in_many(events)
        self.state.say(f"{len(cells)} cells labelled {code}. Undo takes all back.")
        return True

    def _take_in_many(self, events: Sequence[Event]) -> None:
        """Take in the labels of many cells; the focus stays, all is told once."""
        for event in events:
            self.take_label(CellId(int(event.cell or 0)))
        self.events.predictions.emit()
        self.events.touched.emit(int(events[0].cell or 0))
        self.summarise()
        self.on_labels_changed()

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
        author = Author(self.state.annotator, model=self.state.model)
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
        author = Author(self.state.annotator, model=self.state.model)
        if not self.has_name() or not self._commit(author.merged(code, into)):
            return False
        self._take_in_cells()
        self.state.say(f"{code} counts as {into} from now on. Undo parts them again.")
        return True

    def _take_in_cells(self) -> None:
        self.reload()
        self.remember()
        self.summarise()
        self.on_labels_changed()

    def undo(self) -> bool:
        """Take back the last thing this annotator did; the focus goes back to it."""
        step = self.project.journal.undo_step(self.state.annotator)
        return self._switch(step, Author.undo)

    def redo(self) -> bool:
        """Bring back what was undone last; the focus goes to it."""
        step = self.project.journal.redo_step(self.state.annotator)
        return self._switch(step, Author.redo)

    def _switch(self, step: Sequence[Event], make: Callable[..., Event]) -> bool:
        if not step:
            self.state.say(f"There is nothing to {make.__name__}.")
            return False
        author, target = Author(self.state.annotator, model=self.state.model), step[0]
        if not self._commit(*(make(author, event.id) for event in step)):
            return False
        if len(step) > 1:
            self._take_in_many(step)
            return True
        if target.kind is EventKind.VERDICT:
            self.on_verdict_switched(SyntheticId(int(target.cell or 0)))
            return True
        self._go_back(target)
        self.summarise()
        self.on_labels_changed()
        return True

    def _go_back(self, target: Event) -> None:
        """Take in that an event was undone or redone, and focus its cell."""
        following = self.upcoming()
        if target.kind in (EventKind.SCALE_CHANGED, EventKind.FOUND_ANEW):
            self.show_smear(SmearId(int(target.data["smear"])))
        if target.kind is EventKind.FOUND_ANEW:
            self.linger(SmearId(int(target.data["smear"])))
        if target.kind in _MOVES_CELLS:
            self.reload()
        if target.kind is EventKind.SCALE_CHANGED:
            self.on_scale_switched(SmearId(int(target.data["smear"])))
        if target.cell is None:
            return
        cell = CellId(int(target.cell))
        if target.kind is EventKind.BOX_CHANGED:
            self.on_picture_cut(cell)
        for part in target.data.get("into", ()) if cell in self.index else ():
            self.state.listing = self.state.listing.without(CellId(int(part)))
        if target.mode is Mode.AUDIT:
            # What was dealt once stays dealt when its label is taken back.
            self._dealt.add(cell)
        if cell in self.index:
            self.touch(cell)
            self.focus_cell(cell)
        else:
            self.state.listing = self.state.listing.without(cell)
            if self.state.focus is None:
                self._move_on(following)

    def _move_on(self, cell: CellId | None) -> None:
        if cell is None:
            self.focus_cell(None)
        else:
            self.deal(cell)

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
        reader = Author(self.state.annotator, model=self.state.model)
        journal, dealt = self.project.journal, self.is_audit(cell)
        author, draw = stamped(journal, reader, cell, dealt=dealt)
        return [*draw, make(author, cell)]

    def has_name(self) -> bool:
        """Tell whether somebody reads; if not, say so."""
        if not self.state.annotator:
            self.state.fail("Labels carry a name. Give yours first; it is asked once.")
        return bool(self.state.annotator)

    def _commit(self, *events: Event) -> bool:
        """Write events; False, said by ``failed``, if the project refused them."""
        try:
            self.project.record(*events)
        except (CytoSynthError, OSError) as error:
            self.jobs.tell("Keeping it", error)
            return False
        self.remember()
        return True

    def remember(self) -> None:
        """Say what undo and redo would do."""
        journal, name = self.project.journal, self.state.annotator
        self.state.history = (
            _words(journal.undo_step(name)),
            _words(journal.redo_step(name)),
        )


def _words(step: Sequence[Event]) -> str:
    """Say what a step did, such as ``"label BA of cell 12"``."""
    if not step:
        return ""
    event = step[0]
    if len(step) > 1:
        return f"label {event.data['code']} of {len(step)} cells"
    if event.kind is EventKind.LABEL:
        return f"label {event.data['code']} of cell {event.cell}"
    if event.kind is EventKind.VERDICT:
        verb = "accept" if event.data["accept"] else "reject"
        return f"{verb} synthetic cell {event.cell}"
    if event.kind is EventKind.CLASS_MERGED:
        return f"merge of {event.data['code']} into {event.data['into']}"
    if event.kind is EventKind.SCALE_CHANGED:
        mpp = float(event.data["calibration"]["mpp"])
        return f"pixel size of smear {event.data['smear']}: {mpp:.3g} um"
    if event.kind is EventKind.FOUND_ANEW:
        return f"search anew of smear {event.data['smear']}"
    if event.data.get("fault"):
        return f"{event.data['fault']} of cell {event.cell}"
    return f"{event.kind} of cell {event.cell}" if event.cell else str(event.kind)
