"""What readers said of synthetic cells: verdicts, and calls in blinded tests."""

from __future__ import annotations

from collections.abc import Container
from typing import ClassVar

from napari_cytosynth.core.events import Event, EventKind, cell_of


class Verdicts:
    """Verdicts by synthetic cell and calls by test, in order of id.

    Parameters
    ----------
    undone : container of int
        Ids of the events that do not hold now; the caller keeps it up to date.
    """

    KINDS: ClassVar = frozenset({EventKind.VERDICT, EventKind.CALL})
    """Events that :meth:`add` takes."""

    def __init__(self, undone: Container[int]) -> None:
        self._undone = undone
        self._verdicts: dict[int, list[Event]] = {}
        self._calls: dict[str, list[Event]] = {}

    def add(self, event: Event) -> None:
        """Take in the next one."""
        if event.kind is EventKind.CALL:
            self._calls.setdefault(str(event.data["test"]), []).append(event)
        else:
            self._verdicts.setdefault(cell_of(event), []).append(event)

    def of(self, synthetic: int) -> bool | None:
        """Return True for accepted, False for rejected, None for no verdict."""
        for event in reversed(self._verdicts.get(synthetic, [])):
            if event.id not in self._undone:
                return bool(event.data["accept"])
        return None

    def calls(self, test: str) -> tuple[Event, ...]:
        """Return what was called in a blinded test, oldest first."""
        return tuple(self._calls.get(test, ()))
