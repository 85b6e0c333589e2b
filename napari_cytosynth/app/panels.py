"""What presenters hand to views: small frozen records, ready to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.scene import MAX_MARKS as MAX_MARKS
from napari_cytosynth.app.scene import CellMarks as CellMarks
from napari_cytosynth.app.scene import Density as Density
from napari_cytosynth.app.scene import FieldMark as FieldMark
from napari_cytosynth.app.scene import FocusMark as FocusMark
from napari_cytosynth.app.scene import Mosaic as Mosaic
from napari_cytosynth.app.scene import Rectangle as Rectangle
from napari_cytosynth.app.scene import Tile as Tile
from napari_cytosynth.core.quality import Flaw
from napari_cytosynth.core.settings import Setting

ALL_FLAWS = sum(int(flaw) for flaw in Flaw)
"""Every flaw's bit."""


class Tab(StrEnum):
    """Tabs of the dock below, in order."""

    QUEUE = "Queue"
    PREDICTED = "Predicted"
    SYNTHETIC = "Synthetic"
    EVIDENCE = "Evidence"


OPINION = "?"
"""Filter that stands for no class: cells on which another reader is asked for."""

DOUBTED = "!"
"""Filter that stands for no class: cells whose label the model doubts."""

FAULTY = "/"
"""Filter that stands for no class: cells whose box waits to be mended."""

NAMED = frozenset({OPINION, DOUBTED, FAULTY})
"""Filters that name their cells one by one, labelled or not."""


class Sort(StrEnum):
    """Orders of the grid."""

    WORTH = "most worth a label"
    SURE = "surest prediction"
    SMEAR = "by smear"

    def told(self, tab: Tab) -> str:
        """Return its name on a tab: predictions are not ranked by the strategy."""
        if self is Sort.WORTH and tab is Tab.PREDICTED:
            return "least sure prediction"
        return str(self)


class Quality(StrEnum):
    """What the grid does with flagged cells: blurred, cut, damaged, overlapping."""

    LAST = "flagged cells last"
    HIDDEN = "flagged cells hidden"
    ONLY = "flagged cells only"
    BLURRED = "blurred only"
    CUT = "cut only"
    DAMAGED = "damaged only"
    OVERLAPPING = "overlapping only"

    @property
    def wanted(self) -> int:
        """Bits of the flaws that it lists alone; 0: it lists sound cells too."""
        if self in (Quality.LAST, Quality.HIDDEN):
            return 0
        return ALL_FLAWS if self is Quality.ONLY else int(Flaw[self.name])


@dataclass(frozen=True, slots=True)
class Card:
    """One cell of the grid.

    Parameters
    ----------
    id : int
        Cell id, or synthetic id in the tab *Synthetic*.
    crop : uint8[96, 96, 3]
        Its picture, RGB.
    caption : str
        What stands under the crop: its place in the queue, or why it was chosen; empty
        while predictions are hidden.
    code : str
        Label given, or the class a synthetic cell was made for; empty: none.
    colour : str
        ``"#rrggbb"`` of that class; empty: none.
    symbol : str
        napari point symbol of that class; empty: none.
    guess : str
        Predicted code with its probability (``"BA 0.93"``); empty where hidden.
    badge : str
        ``""``, ``"skipped"``, ``"box wrong"``, ``"two cells"``,
        ``"second opinion"``, ``"comment"``, ``"removed"``, or
        the status of a synthetic cell (``"proposed"``, ``"accepted"``,
        ``"rejected"``, ``"dropped"``).
    synthetic : bool
        True: draw the dashed violet frame.
    verified : bool
        False: no real cell of the class could check it; say "unverified".
    flaws : str
        What is wrong with the picture: ``"blurred, cut"``; empty: nothing.
    verdicts : tuple of str
        What each critic said of a synthetic cell.
    """

    id: int
    crop: npt.NDArray[np.uint8]
    caption: str = ""
    code: str = ""
    colour: str = ""
    symbol: str = ""
    guess: str = ""
    badge: str = ""
    synthetic: bool = False
    verified: bool = True
    flaws: str = ""
    verdicts: tuple[str, ...] = ()


class Cards(Protocol):
    """A list of cards, each made when it is painted; cheap to hold and to swap."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, row: int) -> Card:
        """Make the card of a row, as the project stands now."""
        ...

    def row_of(self, number: int) -> int | None:
        """Return the row of a cell, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured share, or the reason why it is not there.

    Parameters
    ----------
    value, low, high : float or None
        Share and its 95 % interval, 0..1; None: it cannot be estimated yet.
    n : int
        Audit cells that it rests on.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0

    @property
    def text(self) -> str:
        """For a person: ``"0.83 (0.61-0.94)"`` or ``"cannot be estimated yet"``."""
        if self.value is None or self.low is None or self.high is None:
            return "cannot be estimated yet"
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class in the dock on the right.

    Parameters
    ----------
    code, name, keys, colour, symbol, lineage : str
        As in the taxonomy.
    labelled : int
        Real cells with this label.
    predicted : int or None
        Unlabelled cells predicted as this class; None: no model yet, or hidden.
    accepted : int
        Synthetic cells that the reader accepted. Never added to ``labelled``.
    proposed : int
        Synthetic cells that wait for a verdict.
    precision, recall : Figure
        From audit labels only.
    filling : bool
        A fill of this class runs.
    can_fill : bool
        False for abstain classes, and for those merged into another.
    counts_as : str
        Code of the class that this one was merged into; empty: it stands by itself.
    """

    code: str
    name: str
    keys: str
    colour: str
    symbol: str
    lineage: str = ""
    labelled: int = 0
    predicted: int | None = None
    accepted: int = 0
    proposed: int = 0
    precision: Figure = field(default_factory=Figure)
    recall: Figure = field(default_factory=Figure)
    filling: bool = False
    can_fill: bool = True
    counts_as: str = ""


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Something that runs.

    Parameters
    ----------
    key : str
        Key by which it is cancelled.
    title : str
        For a person: ``"Finding cells in smear 3"``.
    done, total : int
        Steps; ``total`` 0: unknown.
    note : str
        What is being done now.
    can_cancel : bool
        False: show no Cancel.
    """

    key: str
    title: str
    done: int = 0
    total: int = 0
    note: str = ""
    can_cancel: bool = True


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The strip of the window.

    Parameters
    ----------
    annotator : str
        Who labels.
    project : str
        Name of the project.
    labelled, cells : int
        Real cells labelled, and all.
    pace : float or None
        Labels a minute in the reader's sitting; None: too few to tell.
    model : str
        Version of the head; empty before the first.
    undo, redo : str
        What they would do, such as ``"label BA of cell 12"``; empty: nothing.
    scale : str
        Pixel size of the smear shown, its origin and the trust in it; empty: no smear.
    unsure : bool
        True: a person should look at that pixel size.
    """

    annotator: str
    project: str
    labelled: int
    cells: int
    model: str = ""
    undo: str = ""
    redo: str = ""
    scale: str = ""
    unsure: bool = False
    pace: float | None = None


@dataclass(frozen=True, slots=True)
class FillForm:
    """What the *Fill* form shows for a class.

    Parameters
    ----------
    code, name : str
        Class.
    real : int
        Real labelled cells of it.
    count : int
        Suggested number of synthetic cells.
    generators : tuple of str
        Keys of the generators.
    warning : str
        Such as "no real basophil ... unverified"; empty: none.
    vectors : int
        Synthetic vectors kept for it; they are no cells.
    notes : mapping of str to str
        What must be known of a generator before it is chosen; by its key.
    settings : mapping of str to tuple of Setting
        What a generator lets one choose; by its key.
    """

    code: str
    name: str
    real: int
    count: int
    generators: tuple[str, ...]
    warning: str = ""
    vectors: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)

    def warning_of(self, generator: str) -> str:
        """Return what the form warns of, where a generator is chosen."""
        return self.notes.get(generator, self.warning)


@dataclass(frozen=True, slots=True)
class Learning:
    """The learning curve so far.

    Parameters
    ----------
    measure : str
        What the figures are: ``"accuracy on audit cells, n = 34"``.
    points : tuple of (labels, Figure)
        In order of labels; empty: nothing was measured yet.
    caveat : str
        What limits the figures; empty: nothing does.
    """

    measure: str = ""
    points: tuple[tuple[int, Figure], ...] = ()
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class BlindedForm:
    """What a blinded test begins with.

    Parameters
    ----------
    cells : int
        Suggested number of cells.
    called, of : int
        How far a test came that was broken off, and its cells; 0: there is none.
    earlier : tuple of str
        What this reader's finished tests said, oldest first.
    problem : str
        Why no test could be drawn; empty: none was asked for.
    most : int
        Cells that there are.
    lacking : str
        Why none can be begun; empty: one can.
    """

    cells: int
    called: int = 0
    of: int = 0
    earlier: tuple[str, ...] = ()
    problem: str = ""
    most: int = 0
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """One plot of the tab *Evidence*: a figure for each case, with intervals.

    Parameters
    ----------
    title : str
        Such as ``"Recall of BA on audit cells"``.
    cases : tuple of str
        ``"real only"``, ``"class weights"``, ``"duplicates"``, ``"synthetic"``, ...
    figures : tuple of Figure
        One a case.
    notes : mapping of case to str
        Why a case has no figure.
    """

    title: str
    cases: tuple[str, ...]
    figures: tuple[Figure, ...]
    notes: Mapping[str, str] = field(default_factory=dict)
