"""What is written to the project is shown only then, and can be taken back.

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
from napari_cytosynth.core.tasks import Progress, Task

MANY = "labels of many"
"""Key of the task that writes the labels of many cells."""

SLICE = 250
"""Labels in one commit of many: a key that is pressed meanwhile waits for one."""

_SWITCHING = {
    "undo": ("Taking labels back", "taken back"),
    "redo": ("Bringing labels back", "brought back"),
}

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


class Recording(Desk):
    """A desk that writes events, takes in what they changed, and takes them back.

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

    def reload(self) -> None:
        """Take in the project's cells and labels; after the set of cells changed."""
        labels = self.project.journal.labels()
        self.index.replace(
            self.project.cells(), ((cell, label.code) for cell, label in labels.items())
        )
        if self.state.focus is not None and self.state.focus not in self.index:
            self.state.focus = None
        self.events.cells.emit()
        self.events.predictions.emit()

    def touch(self, cell: CellId) -> None:
        """Take in what the journal now says of one cell, and tell it."""
        self.take_label(cell)
        self.events.touched.emit(int(cell))

    def take_label(self, cell: CellId) -> None:
        """Take in what the journal now says of one cell; of one struck out, nothing."""
        label = self.project.journal.label(cell)
        if cell in self.index:
            self.index.set_label(cell, label.code if label is not None else None)

    def commit_many(
        self,
        cells: Sequence[CellId],
        make: Callable[[int, int], Sequence[Event]],
        words: tuple[str, str],
        *,
        whole: bool = False,
    ) -> bool:
        """Write events on many cells; the focus stays, one undo takes all back.

        Those of a slice are written at once, as by a key. More are written slice by
        slice in the background, each shown once it is on the disk; Cancel keeps those
        written till then.

        Parameters
        ----------
        cells : sequence of CellId
            The cell of each event.
        make : callable
            From the first and the last but one number to their events.
        words : (str, str)
            What is done, and what is said when all is.
        whole : bool
            Write all or none: what a key adds in between must not part them.

        Returns
        -------
        bool
            False, said by ``failed``, while others are being written, and where the
            project refuses those of a single slice.
        """
        if self.is_writing():
            return False
        doing, done = words
        if len(cells) <= SLICE:
            if not self._commit(*make(0, len(cells))):
                return False
            for cell in cells:
                self.take_label(cell)
            self._take_in_many(cells)
            self.state.say(done)
            return True
        self.jobs.start(
            Order(
                MANY,
                doing,
                self._slices(len(cells), make, len(cells) if whole else SLICE),
                on_done=lambda _: self.state.say(done),
                on_progress=lambda step: self._take_in_slice(cells, step),
                on_end=lambda: self._take_in_many(cells),
            )
        )
        return True

    def is_writing(self) -> bool:
        """Tell whether labels of many cells are being written; if so, say it."""
        writing = self.jobs.is_running(MANY)
        if writing:
            self.state.fail(
                "Labels of many cells are being written. Wait until they are, or "
                "cancel that; those written till then stay."
            )
        return writing

    def _slices(
        self, count: int, make: Callable[[int, int], Sequence[Event]], size: int
    ) -> Task[None]:
        yield Progress(0, count)
        for start in range(0, count, size):
            stop = min(start + size, count)
            if events := make(start, stop):
                self.project.record(*events)
            yield Progress(stop, count, payload=range(start, stop))

    def _take_in_slice(self, cells: Sequence[CellId], step: Progress) -> None:
        if isinstance(step.payload, range):
            for number in step.payload:
                self.take_label(cells[number])

    def _take_in_many(self, cells: Sequence[CellId]) -> None:
        """Tell once of the labels of many cells; the focus stays."""
        self.remember()
        self.events.predictions.emit()
        self.events.touched.emit(int(cells[0]))
        self.summarise()
        self.on_labels_changed()

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
        author, target = self.state.author(), step[0]
        if self.is_writing():
            return False
        if len(step) > 1:
            doing, done = _SWITCHING[make.__name__]
            return self.commit_many(
                [CellId(int(event.cell or 0)) for event in step],
                lambda i, j: [make(author, event.id) for event in step[i:j]],
                (doing, f"{len(step)} labels {done}."),
                whole=True,
            )
        if not self._commit(make(author, target.id)):
            return False
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
            self.dealt.keep(cell)
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
