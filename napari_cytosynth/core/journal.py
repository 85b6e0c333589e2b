"""The append-only journal, and the fold that turns it into what holds now.

Nothing is ever changed or deleted. Undo is an event that names the one it takes back,
so undo and redo have no limit and survive retraining, a crash and a session's end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from napari_cytosynth.core.boxes import Boxes
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.events import TOGETHER as TOGETHER
from napari_cytosynth.core.events import Author as Author
from napari_cytosynth.core.events import Event as Event
from napari_cytosynth.core.events import EventKind as EventKind
from napari_cytosynth.core.events import Label as Label
from napari_cytosynth.core.events import Mode as Mode
from napari_cytosynth.core.events import cell_of
from napari_cytosynth.core.events import now as now
from napari_cytosynth.core.history import History, OfSmears
from napari_cytosynth.core.ids import CellId, EventId, SyntheticId
from napari_cytosynth.core.parts import Parts
from napari_cytosynth.core.verdicts import Verdicts

_UNDOABLE = frozenset(EventKind) - {
    EventKind.UNDO,
    EventKind.REDO,
    EventKind.AUDIT_DRAW,
    EventKind.CALL,
}
_SETS_LABEL = frozenset({EventKind.LABEL})
READ = frozenset({EventKind.SKIP, EventKind.LABEL, EventKind.BOX_CHANGED})
"""What ends that a cell was passed over, or begins it."""
_REMOVES = frozenset({EventKind.CELL_REMOVED, EventKind.SPLIT})
_SWITCHES = frozenset({EventKind.UNDO, EventKind.REDO})
_OF_SMEARS = frozenset({EventKind.SCALE_CHANGED, EventKind.FOUND_ANEW})
_NO_CELL = _OF_SMEARS | {EventKind.CLASS_MERGED, EventKind.CALL}


class Journal:
    """The fold over all events so far. Feed it with :meth:`apply`, in order of id.

    One thread may apply while others read.

    Attributes
    ----------
    boxes : Boxes
        The corrected boxes that stand.
    smears : OfSmears
        What holds for whole smears.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._events: dict[int, Event] = {}
        self._history = History()
        self._inactive = self._history.inactive
        self._of_cell: dict[int, list[int]] = {}
        self._steps: dict[str, list[int]] = {}
        self._merges: list[int] = []
        self.smears = OfSmears(self._inactive)
        self._verdicts = Verdicts(self._inactive)
        self._audit: set[int] = set()
        self.boxes = Boxes()
        self._parts = Parts()
        self._asked: set[int] = set()
        self._labels: dict[CellId, Label] = {}
        self.last_id = EventId(0)
        for event in events:
            self._take(event)
        for cell in self._of_cell:
            self._refresh_label(CellId(cell))
            self._refresh_box(cell)

    def check(self, *events: Event) -> None:
        """Raise InputError where :meth:`apply` would, and change nothing.

        An id must follow, a cell be named, and what is undone must have been done.
        """
        switches = [event.kind in _SWITCHES for event in events]
        if any(switches) and not all(switches):
            Journal((*self.events(), *events))
            return
        last, history = self.last_id, self._history
        if len(events) > 1 and any(switches):
            history = history.copy()
        for event in events:
            self._refuse(event, last, history)
            last = event.id
            if history is not self._history:
                history.switch(event.kind, self._events[int(event.data["of"])])

    def _refuse(self, event: Event, last: int, history: History) -> None:
        if event.id <= last:
            raise InputError(
                f"Event {event.id} was given after event {last}. "
                "A journal is read in order of id; sort the events."
            )
        if event.kind in _SWITCHES:
            of = self._events.get(int(event.data["of"]))
            if of is None or not history.may(event.kind, of):
                was = "done" if event.kind is EventKind.UNDO else "undone"
                raise InputError(
                    f"Event {event.id} would {event.kind} event {event.data['of']}, "
                    f"which is not there to {event.kind}. Only what was {was} can be."
                )
        elif event.kind not in _NO_CELL:
            cell_of(event)

    def apply(self, event: Event) -> None:
        """Take in the next event; raises as :meth:`check` does."""
        self._refresh(self._take(event))

    def _take(self, event: Event) -> Event:
        """Take in an event; return the one that it does, undoes or redoes."""
        self._refuse(event, self.last_id, self._history)
        self._events[event.id] = event
        self.last_id = event.id
        if event.kind in _SWITCHES:
            of = self._events[int(event.data["of"])]
            self._history.switch(event.kind, of)
            return of
        self._file(event)
        if event.kind in _UNDOABLE:
            self._history.did(event)
        return event

    def _file(self, event: Event) -> None:
        """Note the event where the questions below look for it."""
        if TOGETHER in event.data:
            self._steps.setdefault(event.data[TOGETHER], []).append(event.id)
        if event.kind is EventKind.CLASS_MERGED:
            self._merges.append(event.id)
        elif event.kind in _OF_SMEARS:
            self.smears.add(event)
        elif event.kind in Verdicts.KINDS:
            self._verdicts.add(event)
        elif event.kind is EventKind.AUDIT_DRAW:
            self._audit.add(cell_of(event))
        else:
            self._of_cell.setdefault(cell_of(event), []).append(event.id)
        if event.kind is EventKind.SECOND_OPINION:
            self._asked.add(cell_of(event))
        elif event.kind is EventKind.SPLIT:
            self._parts.add(event, cell_of(event))

    def _refresh(self, event: Event) -> None:
        """Bring the labels up to date with an event done, undone or redone."""
        if event.kind is EventKind.CLASS_MERGED:
            self._labels = {
                cell: label
                for cell in list(self._labels)
                if (label := self.label(cell)) is not None
            }
        elif event.kind is not EventKind.VERDICT and event.cell is not None:
            split = event.kind is EventKind.SPLIT
            for number in (event.cell, *(self._parts.of(event.cell) if split else ())):
                self._refresh_label(CellId(int(number)))
            if event.kind is EventKind.BOX_CHANGED:
                self._refresh_box(int(event.cell))

    def _refresh_label(self, cell: CellId) -> None:
        label = None if self.is_removed(cell) else self.label(cell)
        if label is None:
            self._labels.pop(cell, None)
        else:
            self._labels[cell] = label

    def _refresh_box(self, cell: int) -> None:
        self.boxes.put(cell, self._last(cell, frozenset({EventKind.BOX_CHANGED})))

    def undo_step(self, annotator: str) -> tuple[Event, ...]:
        """Return what undo would take back: one event, or all that were one step."""
        return self._step(EventKind.UNDO, annotator)

    def redo_step(self, annotator: str) -> tuple[Event, ...]:
        """Return what redo would bring back: one event, or all that were one step."""
        return self._step(EventKind.REDO, annotator)

    def _step(self, kind: EventKind, annotator: str) -> tuple[Event, ...]:
        """Return the step on top, in the order in which its events are switched."""
        there = map(
            self._events.__getitem__, self._history.newest_first(kind, annotator)
        )
        first = next(there, None)
        if first is None or TOGETHER not in first.data:
            return () if first is None else (first,)
        # A label by key may stand between those of many cells, written in slices.
        open_ = set(self._history.newest_first(kind, annotator))
        step = [n for n in self._steps[first.data[TOGETHER]] if n in open_]
        order = sorted(step, reverse=kind is EventKind.UNDO)
        return tuple(self._events[n] for n in order)

    def _last(self, cell: int, kinds: frozenset[EventKind]) -> Event | None:
        for number in reversed(self._of_cell.get(cell, [])):
            event = self._events[number]
            if event.kind in kinds and number not in self._inactive:
                return event
        return None

    def of_cell(self, cell: CellId) -> list[Event]:
        """Return what happened to a cell and was not undone, oldest first."""
        numbers = self._of_cell.get(cell, [])
        return [self._events[n] for n in numbers if n not in self._inactive]

    def label(self, cell: CellId) -> Label | None:
        """Return the current label of a cell, merges applied, or None."""
        event = self._last(cell, _SETS_LABEL)
        if event is None:
            return None
        code = self.merged(str(event.data["code"]))
        return Label(code, event.id, event.annotator, event.mode)

    def labels(self) -> dict[CellId, Label]:
        """Return the labels of all labelled cells that still stand."""
        return dict(self._labels)

    def merged(self, code: str) -> str:
        """Return the code that stands for ``code`` after all merges."""
        for number in self._merges:
            event = self._events[number]
            if number not in self._inactive and event.data["code"] == code:
                code = str(event.data["into"])
        return code

    def is_removed(self, cell: CellId) -> bool:
        """Tell whether a cell was struck out, split, or its making undone."""
        if self._parts.is_unmade(cell, self._inactive):
            return True
        for number in self._of_cell.get(cell, []):
            kind = self._events[number].kind
            undone = number in self._inactive
            if (kind in _REMOVES and not undone) or (
                kind is EventKind.CELL_ADDED and undone
            ):
                return True
        return False

    def touched(self) -> frozenset[int]:
        """Return all cells that any event but an audit draw names."""
        return frozenset([*self._of_cell, *self._parts])

    def skipped(self, cell: CellId) -> bool:
        """Tell whether a cell was passed over, and not labelled or boxed anew since."""
        last = self._last(cell, READ)
        return last is not None and last.kind is EventKind.SKIP

    def asked(self) -> frozenset[CellId]:
        """Return all cells on which another reader was ever asked for."""
        return frozenset(map(CellId, list(self._asked)))

    def is_audit(self, cell: CellId) -> bool:
        """Tell whether a cell was drawn as an audit card."""
        return cell in self._audit

    def verdict(self, synthetic: SyntheticId) -> bool | None:
        """Return True for accepted, False for rejected, None for no verdict."""
        return self._verdicts.of(synthetic)

    def calls(self, test: str) -> tuple[Event, ...]:
        """Return what was called in a blinded test, oldest first: the last one holds.

        Calls accept, reject and label nothing, and are not undone.
        """
        return self._verdicts.calls(test)

    def event(self, number: int) -> Event:
        """Return one event by its id; raises InputError if there is none."""
        if number not in self._events:
            raise InputError(
                f"Event {number} is not in the journal, which ends at {self.last_id}. "
                "Give the id of a recorded event."
            )
        return self._events[number]

    def newest_first(self) -> Iterator[Event]:
        """Yield events from the last one back; what is not asked for costs nothing."""
        for number in range(self.last_id, 0, -1):
            if (event := self._events.get(number)) is not None:
                yield event

    def events(self) -> tuple[Event, ...]:
        """Return all events, oldest first."""
        return tuple(self._events.values())
