"""What each reader did and undid, and what holds for whole smears."""

from __future__ import annotations

from collections.abc import Container, Iterator

from napari_cytosynth.core.events import Event, EventKind


class History:
    """Stacks of what each reader did, and undid.

    Attributes
    ----------
    inactive : set of int
        Ids of all events that are undone.
    """

    def __init__(self) -> None:
        self.inactive: set[int] = set()
        self._done: dict[str, list[int]] = {}
        self._undone: dict[str, list[int]] = {}

    def did(self, event: Event) -> None:
        """Take in what a reader did; what he undid before cannot be redone then."""
        self._done.setdefault(event.annotator, []).append(event.id)
        self._undone[event.annotator] = []

    def may(self, kind: EventKind, of: Event) -> bool:
        """Tell whether an event is there to undo, or to redo."""
        there = self._source(kind).get(of.annotator, [])
        # Mostly the newest: then nothing is searched.
        return bool(there) and (there[-1] == of.id or of.id in there)

    def newest_first(self, kind: EventKind, annotator: str) -> Iterator[int]:
        """Yield the ids that undo, or redo, would take one after the other."""
        return reversed(self._source(kind).get(annotator, []))

    def copy(self) -> History:
        """Return a history that goes its own way from here on."""
        twin = History()
        twin.inactive = set(self.inactive)
        twin._done = {who: list(ids) for who, ids in self._done.items()}
        twin._undone = {who: list(ids) for who, ids in self._undone.items()}
        return twin

    def switch(self, kind: EventKind, of: Event) -> None:
        """Undo or redo an event that :meth:`may` be."""
        undo = kind is EventKind.UNDO
        source = self._source(kind)[of.annotator]
        # Mostly the newest, or near it.
        place = len(source) - 1
        while source[place] != of.id:
            place -= 1
        del source[place]
        sink = self._undone if undo else self._done
        sink.setdefault(of.annotator, []).append(of.id)
        (self.inactive.add if undo else self.inactive.discard)(of.id)

    def _source(self, kind: EventKind) -> dict[str, list[int]]:
        return self._done if kind is EventKind.UNDO else self._undone


class OfSmears:
    """Events that are about a whole smear, in order of id.

    Parameters
    ----------
    undone : container of int
        Ids of the events that do not hold now; the caller keeps it up to date.
    """

    def __init__(self, undone: Container[int]) -> None:
        self._events: list[Event] = []
        self._undone = undone

    def add(self, event: Event) -> None:
        """Take in the next one."""
        self._events.append(event)

    def scale(self, smear: int) -> Event | None:
        """Return the standing change of a smear's pixel size, or None."""
        for event in reversed(self._events):
            if (
                event.kind is EventKind.SCALE_CHANGED
                and int(event.data["smear"]) == smear
                and event.id not in self._undone
            ):
                return event
        return None

    def renewals(self) -> tuple[list[Event], list[Event]]:
        """Return the searches anew that stand, and those undone; oldest first."""
        found = [e for e in self._events if e.kind is EventKind.FOUND_ANEW]
        return (
            [event for event in found if event.id not in self._undone],
            [event for event in found if event.id in self._undone],
        )
