"""What is open, focused and chosen, as evented state: one event a field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psygnal import Signal, SignalGroup

from napari_cytosynth.app.listing import Listing
from napari_cytosynth.app.panels import ClassRow, Figure, Quality, Sort, Tab, TaskStatus
from napari_cytosynth.app.scene import FieldMark
from napari_cytosynth.core.ids import CellId, SmearId, SyntheticId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER, DEFAULT_STRATEGY

if TYPE_CHECKING:
    from napari_cytosynth.learning.strategies.balanced import Shares


class SessionEvents(SignalGroup):
    """Events of a session. Field events carry the new value; silent if it is the same.

    Field events bear the names of the fields of :class:`SessionState`. Besides them:

    * ``failed(sentence)``: what went wrong, and the way out.
    * ``touched(cell)``: label, comment, skip or box of one cell changed.
    * ``cells()``: the set of cells changed (found, added, removed, undone).
    * ``predictions()``: the model's guesses changed.
    * ``reopened(smear)``: the picture of a smear, moved before, can be read again.
    * ``rescaled(smear)``: the pixel size of a smear is another one now.
    * ``stained()``: the smear shown can be had in the stain chosen.
    * ``judged(number)``: the verdict on one synthetic cell changed.
    """

    annotator = Signal(str)
    smear = Signal(object)
    focus = Signal(object)
    listing = Signal(object)
    filter = Signal(str)
    search = Signal(str)
    outlined = Signal(object)
    sort = Signal(object)
    quality = Signal(object)
    tab = Signal(object)
    strategy = Signal(str)
    shares = Signal(object)
    embedder = Signal(str)
    blind = Signal(bool)
    model = Signal(str)
    classes = Signal(object)
    tasks = Signal(object)
    message = Signal(str)
    failure = Signal(str)
    synthetic = Signal(object)
    review = Signal(object)
    sieve = Signal(str)
    sieves = Signal(object)
    evidence = Signal(object)
    findings = Signal(object)
    inspection = Signal(object)
    use_gate = Signal(str)
    accuracy = Signal(object)
    curve = Signal(object)
    stopping = Signal(object)
    agreements = Signal(object)
    doubts = Signal(object)
    fill_class = Signal(str)
    fill_outcome = Signal(str)
    history = Signal(object)
    failed = Signal(str)
    touched = Signal(int)
    cells = Signal()
    predictions = Signal()
    judged = Signal(int)
    reopened = Signal(int)
    rescaled = Signal(int)
    stain = Signal(object)
    stained = Signal()


@dataclass
class SessionState:
    """The fields. Setting one emits its event, unless the value is the same.

    Parameters
    ----------
    annotator : str
        Who labels; empty until given.
    smear : SmearId or None
        The smear on the canvas.
    focus : CellId or None
        The cell under the user's eye.
    listing : Listing
        The cells of the grid, in order (tabs *Queue* and *Predicted*).
    filter : str
        Class code that the grid is limited to; empty: all.
    search : str
        What the grid was searched for, in words; empty: it shows the queue.
    outlined : FieldMark or None
        The field of view that is being labelled whole.
    stain : SmearId or None
        The smear in whose stain others are shown; None: as they were scanned.
    sort : Sort
        Order of the grid.
    quality : Quality
        What the grid does with flagged cells.
    tab : Tab
        The tab in front.
    strategy : str
        Key of the query strategy.
    shares : Shares or None
        What part of its cards *balanced* deals to what; None before the start.
    embedder : str
        Registry name of the embedder whose vectors are learnt from.
    blind : bool
        True: predictions are hidden.
    model : str
        Version of the head; empty before the first.
    classes : tuple of ClassRow
        Summary of every class, in the taxonomy's order.
    tasks : tuple of TaskStatus
        What runs.
    message : str
        What went well last; set it by :meth:`say`.
    failure : str
        What failed last; set it by :meth:`fail`.
    synthetic : tuple of SyntheticId
        Synthetic cells shown in the tab *Synthetic*, in order of making.
    review : SyntheticId or None
        The synthetic cell under the user's eye.
    sieve : str
        What the tab *Synthetic* is limited to; empty: what the gate let through.
    sieves : tuple of (key, words, count)
        What it can be limited to.
    evidence : object
        Result of the last evaluation, or None.
    findings : tuple of str
        What the last inspection found of the accepted synthetic cells.
    inspection : object
        The last inspection, which the findings are of, or None.
    use_gate : str
        What the use gate found of the synthetic cells there are; empty: there are none.
    accuracy : Figure
        Share of audit cells that the model gets right.
    curve : LearningCurve or None
        The learning curve so far; None: nothing was measured yet.
    stopping : Stopping or None
        What more labels would bring; None: nothing was measured yet.
    agreements : tuple of Agreement
        How far readers agreed with themselves when it was last measured.
    doubts : tuple of Doubt
        Labels that the model doubted when it was last asked.
    fill_class : str
        Class that the *Fill* form stands at; empty: closed.
    fill_outcome : str
        How the last fill ended.
    history : tuple of (undo, redo)
        What undo and redo would do, in words; empty strings: nothing.
    """

    annotator: str = ""
    smear: SmearId | None = None
    stain: SmearId | None = None
    focus: CellId | None = None
    listing: Listing = field(default_factory=Listing)
    filter: str = ""
    search: str = ""
    outlined: FieldMark | None = None
    sort: Sort = Sort.WORTH
    quality: Quality = Quality.LAST
    tab: Tab = Tab.QUEUE
    strategy: str = DEFAULT_STRATEGY
    shares: Shares | None = None
    embedder: str = DEFAULT_EMBEDDER
    blind: bool = False
    model: str = ""
    classes: tuple[ClassRow, ...] = ()
    tasks: tuple[TaskStatus, ...] = ()
    message: str = ""
    failure: str = ""
    synthetic: tuple[SyntheticId, ...] = ()
    review: SyntheticId | None = None
    sieve: str = ""
    sieves: tuple[tuple[str, str, int], ...] = ()
    evidence: Any = None
    findings: tuple[str, ...] = ()
    inspection: Any = None
    use_gate: str = ""
    accuracy: Figure = field(default_factory=Figure)
    curve: Any = None
    stopping: Any = None
    agreements: tuple[Any, ...] = ()
    doubts: tuple[Any, ...] = ()
    fill_class: str = ""
    fill_outcome: str = ""
    history: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        self.events = SessionEvents(self)

    def __setattr__(self, name: str, value: object) -> None:
        same = name in self.__dict__ and _same(self.__dict__[name], value)
        object.__setattr__(self, name, value)
        events = self.__dict__.get("events")
        if events is not None and name != "events" and not same:
            events[name].emit(value)

    def author(self, mode: Mode = Mode.TEACH) -> Author:
        """Return who acts now, under the model of now."""
        return Author(self.annotator, mode, self.model)

    def say(self, sentence: str) -> None:
        """Tell something that went well; told again even if it was said before."""
        self.__dict__["message"] = sentence
        self.events.message.emit(sentence)

    def fail(self, sentence: str) -> None:
        """Tell something that failed; it is kept in ``failure``."""
        self.failure = sentence
        self.events.failed.emit(sentence)

    def set(self, changes: Mapping[str, object]) -> None:
        """Set several fields, then emit, so that no slot sees half of a change."""
        changed = {
            name: value
            for name, value in changes.items()
            if not _same(self.__dict__[name], value)
        }
        self.__dict__.update(changed)
        for name, value in changed.items():
            self.events[name].emit(value)


def _same(first: object, second: object) -> bool:
    return first is second or bool(first == second)
