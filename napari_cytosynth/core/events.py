"""What can happen to cells and classes, and who did it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId, EventId, SyntheticId

TOGETHER = "together"
"""Detail of events given in one step: the same text in each. Undo takes them all."""


class EventKind(StrEnum):
    """What can happen."""

    LABEL = "label"
    UNDO = "undo"
    REDO = "redo"
    SKIP = "skip"
    COMMENT = "comment"
    SECOND_OPINION = "second opinion"
    CELL_ADDED = "cell added"
    CELL_REMOVED = "cell removed"
    BOX_CHANGED = "box changed"
    SPLIT = "split"
    CLASS_MERGED = "class merged"
    AUDIT_DRAW = "audit draw"
    VERDICT = "verdict"
    SCALE_CHANGED = "scale changed"
    FOUND_ANEW = "found anew"
    CALL = "blinded call"


REAL, SYNTHETIC = "real", "synthetic"
KINDS = frozenset({REAL, SYNTHETIC})
"""What a cell of a blinded test is, or is called."""


class Mode(StrEnum):
    """How the cell came before the reader."""

    TEACH = "teach"
    """Chosen by the ranking: a biased sample."""
    AUDIT = "audit"
    """Drawn at random from held-out groups."""
    IMPORT = "import"
    """Read from a file."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. Build it with the functions below.

    Parameters
    ----------
    kind : EventKind
        What happened.
    cell : int or None
        Real cell that it is about; for a verdict, the synthetic one.
    data : mapping
        JSON-able details; the builder functions below say which.
    annotator : str
        Who did it.
    mode : Mode
        How the cell came before the reader.
    model : str
        Version of the model that ranked and predicted; empty before the first.
    time : str
        ISO 8601, UTC.
    id : EventId
        Number in the journal; 0 before it was recorded.
    """

    kind: EventKind
    cell: int | None
    data: Mapping[str, Any] = field(default_factory=dict)
    annotator: str = ""
    mode: Mode = Mode.TEACH
    model: str = ""
    time: str = field(default_factory=lambda: now())
    id: EventId = field(default=EventId(0))


def cell_of(event: Event) -> int:
    """Return the cell that an event is about; raises InputError if it names none."""
    if event.cell is None:
        raise InputError(
            f"Event {event.id} ({event.kind}) names no cell. Events of this kind are "
            "about one cell; give its id."
        )
    return int(event.cell)


@dataclass(frozen=True, slots=True)
class Author:
    """Who acts, how, and under which model; stamps the events it makes."""

    annotator: str
    mode: Mode = Mode.TEACH
    model: str = ""

    def event(self, kind: EventKind, cell: int | None = None, **data: Any) -> Event:
        """Return a new event by this author."""
        return Event(kind, cell, data, self.annotator, self.mode, self.model)

    def label(self, cell: CellId, code: str, *, repeat: bool = False) -> Event:
        """Give ``cell`` the class ``code``.

        ``repeat``: the reader did not see that he had labelled it before.
        """
        again = {"repeat": True} if repeat else {}
        return self.event(EventKind.LABEL, cell, code=code, **again)

    def step(self) -> str:
        """Return a name for what is one step, though it may be written in parts."""
        return uuid4().hex

    def labels(self, cells: Iterable[CellId], code: str, step: str = "") -> list[Event]:
        """Give ``cells`` the class ``code`` in one step, that undo takes back whole.

        ``step`` is that of :meth:`step` where more cells belong to it.
        """
        data = {"code": code, TOGETHER: step or self.step()}
        return [self.event(EventKind.LABEL, cell, **data) for cell in cells]

    def skip(self, cell: CellId, fault: str = "") -> Event:
        """Pass over ``cell`` for now, or until a fault of its box is mended.

        ``fault``: one of :class:`~napari_cytosynth.core.rereading.Fault`.
        """
        told = {"fault": str(fault)} if fault else {}
        return self.event(EventKind.SKIP, cell, **told)

    def comment(self, cell: CellId, text: str) -> Event:
        """Remark on ``cell``."""
        return self.event(EventKind.COMMENT, cell, text=text)

    def second_opinion(self, cell: CellId) -> Event:
        """Ask another reader to look at ``cell``."""
        return self.event(EventKind.SECOND_OPINION, cell)

    def removed(self, cell: CellId) -> Event:
        """Strike ``cell`` out: it is no cell."""
        return self.event(EventKind.CELL_REMOVED, cell)

    def box_changed(
        self,
        cell: CellId,
        box: tuple[float, float, float, float],
        crop: int | None = None,
        mpp: float | None = None,
    ) -> Event:
        """Give ``cell`` another box: x, y, width, height in level-0 pixels.

        ``crop`` is the row of the picture cut from it, ``mpp`` the micrometres a pixel
        that it was cut by; None keeps the one there was.
        """
        cut = {} if crop is None else {"crop": crop, "mpp": mpp}
        return self.event(EventKind.BOX_CHANGED, cell, box=list(box), **cut)

    def split(self, cell: CellId, into: Iterable[CellId]) -> Event:
        """Replace ``cell`` by the cells ``into``, which stand as long as this does."""
        return self.event(EventKind.SPLIT, cell, into=list(into))

    def merged(self, code: str, into: str) -> Event:
        """Count class ``code`` as class ``into`` from now on."""
        return self.event(EventKind.CLASS_MERGED, None, code=code, into=into)

    def audit_draw(self, cell: CellId) -> Event:
        """Note that ``cell`` was drawn as an audit card."""
        return self.event(EventKind.AUDIT_DRAW, cell)

    def scale_changed(self, smear: int, calibration: Mapping[str, Any]) -> Event:
        """Give ``smear`` another pixel size, and what was measured with it."""
        return self.event(
            EventKind.SCALE_CHANGED,
            None,
            smear=int(smear),
            calibration=dict(calibration),
        )

    def found_anew(self, smear: int, gone: Sequence[tuple[int, int]]) -> Event:
        """Let cells of ``smear`` go, for its cells are looked for anew.

        ``gone`` are pairs of first and last id. What is found under this event stands
        as long as it does.
        """
        ranges = [[int(first), int(last)] for first, last in gone]
        return self.event(EventKind.FOUND_ANEW, None, smear=int(smear), cells=ranges)

    def verdict(self, synthetic: SyntheticId, accept: bool) -> Event:
        """Accept or reject a synthetic cell."""
        return self.event(EventKind.VERDICT, synthetic, accept=accept)

    def call(self, test: str, shown: tuple[str, int], said: str) -> Event:
        """Call a cell of a blinded test ``"real"`` or ``"synthetic"``.

        ``shown`` is what it is, one of these two words, and its number. It accepts,
        rejects and labels nothing.
        """
        kind, number = shown
        data = {"test": test, "shown": [kind, int(number)], "said": said}
        return self.event(EventKind.CALL, None, **data)

    def undo(self, of: EventId) -> Event:
        """Take back the event ``of``."""
        return self.event(EventKind.UNDO, None, of=of)

    def redo(self, of: EventId) -> Event:
        """Bring back the undone event ``of``."""
        return self.event(EventKind.REDO, None, of=of)


@dataclass(frozen=True, slots=True)
class Label:
    """The current label of a cell."""

    code: str
    event: EventId
    annotator: str
    mode: Mode


def now() -> str:
    """Return the present as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
