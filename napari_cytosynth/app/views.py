"""What each panel must be able to show, and what it tells. No toolkit stands here.

A view is dumb: it draws what a command gives it, and tells what the user did by a
signal. Commands emit no signals back (a combo box set by ``show_filter`` is silent), a
view never changes the session. Signals are past tense, commands imperative.

Names of keys
-------------
Characters as they are typed, lower case (``"5"``, ``"g"``, ``"?"``); named keys ``Space
Return Escape Delete Backspace Tab Left Right Up Down Home End PageUp PageDown``;
modifiers in front, in the order Ctrl, Shift, Alt: ``"Ctrl+Z"``, ``"Ctrl+Shift+Z"``.
``Ctrl`` is the platform's command key. Shift that only makes a character is not named.

Coordinates are level-0 pixels of the smear shown, x before y, corner-based.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.panels import (
    Cards,
    CellMarks,
    ClassRow,
    Curve,
    Density,
    FieldMark,
    FocusMark,
    Learning,
    Mosaic,
    Quality,
    Sort,
    StatusLine,
    Tab,
    TaskStatus,
)
from napari_cytosynth.app.signals import SignalLike
from napari_cytosynth.app.synthetic_views import ReviewView, SynthesizeView
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.smear import SmearImage

if TYPE_CHECKING:
    from napari_cytosynth.evidence.tabulated import Line


class AnnotateView(Protocol):
    """The dock below: tabs, filter, sort, and the virtual grid of crops.

    The grid serves the tabs *Queue* and *Predicted*; the tabs *Synthetic* and
    *Evidence* hold a :class:`ReviewView` and an :class:`EvidenceView`.

    Signals
    -------
    keyPressed : (key: str)
        A key while the grid has the focus. Every key goes here, save that a view may
        turn those which depend on its layout (Up, Down, PageUp, PageDown) into
        ``cellChosen``.
    cellChosen : (row: int)
        A card was clicked.
    tabChosen : (tab: Tab)
    filterChosen : (code: str)
        Class code, or one of :data:`~napari_cytosynth.app.panels.NAMED`; empty: all.
    sortChosen : (sort: Sort)
    qualityChosen : (quality: Quality)
        What becomes of flagged cells.
    likeAsked : (row: int)
        More cells like the one on this card.
    searchLeft : ()
        Back from what was found to the queue.
    strategyChosen : (key: str)
    fieldAsked : ()
        On to the field of view that teaches most.
    sharesAsked : ()
        The shares of *balanced* are to be changed; the window opens the form.
    blindToggled : (hidden: bool)
        Hide predictions.
    commentGiven : (text: str)
        A remark on the focused cell was typed and confirmed.
    """

    keyPressed: SignalLike
    cellChosen: SignalLike
    tabChosen: SignalLike
    filterChosen: SignalLike
    sortChosen: SignalLike
    qualityChosen: SignalLike
    likeAsked: SignalLike
    fieldAsked: SignalLike
    searchLeft: SignalLike
    strategyChosen: SignalLike
    sharesAsked: SignalLike
    blindToggled: SignalLike
    commentGiven: SignalLike

    def show_choices(
        self, classes: tuple[tuple[str, str], ...], strategies: tuple[str, ...]
    ) -> None:
        """Fill the filter (code, name) and strategy boxes; once, at the start."""
        ...

    def show_cards(self, cards: Cards) -> None:
        """Show this list; scrolls only as far as the focused row needs."""
        ...

    def show_nothing(self, why: str) -> None:
        """Say in an empty grid why it is empty, and the way out."""
        ...

    def show_card_changed(self, row: int) -> None:
        """Repaint one card: its label, comment or prediction changed."""
        ...

    def show_focus(self, row: int | None) -> None:
        """Mark and reveal the focused card; None where the list does not hold it."""
        ...

    def show_pending(self, keys: str) -> None:
        """Show the keys of a chord begun, such as ``"g..."``; empty to clear."""
        ...

    def show_tab(self, tab: Tab) -> None:
        """Bring a tab forward."""
        ...

    def show_filter(self, code: str) -> None:
        """Set the class filter; empty for all."""
        ...

    def show_sort(self, sort: Sort) -> None:
        """Set the sort box."""
        ...

    def show_quality(self, quality: Quality) -> None:
        """Set the box that says what becomes of flagged cells."""
        ...

    def show_search(self, title: str) -> None:
        """Say what was looked for, and offer the way back; empty: it is the queue."""
        ...

    def show_strategy(self, key: str) -> None:
        """Set the strategy box."""
        ...

    def show_shares(self, words: str) -> None:
        """Say what part of its cards *balanced* deals to what."""
        ...

    def show_blind(self, hidden: bool) -> None:
        """Set the "hide predictions" box."""
        ...

    def show_details(self, lines: tuple[str, ...]) -> None:
        """Say of the focused cell what is known, a sentence each; empty: nothing."""
        ...

    def ask_comment(self, text: str) -> None:
        """Open the comment line with ``text`` in it; it answers by ``commentGiven``."""
        ...


class ClassesView(Protocol):
    """The dock on the right: one row a class.

    Signals
    -------
    classChosen : (code: str)
        A row was clicked: the focused cell gets this label.
    filterAsked : (code: str)
        Show only this class in the grid.
    fillAsked : (code: str)
        The row's *Fill* was pressed: open the form for this class.
    findAsked : (code: str)
        Look for more cells of this class.
    referenceAsked : (code: str)
        The pointer rests on a row; answered by ``show_reference``.
    mergeAsked : (code: str, into: str)
        The first class is to count as the second.
    """

    classChosen: SignalLike
    filterAsked: SignalLike
    fillAsked: SignalLike
    findAsked: SignalLike
    referenceAsked: SignalLike
    mergeAsked: SignalLike

    def show_rows(self, rows: tuple[ClassRow, ...]) -> None:
        """Show all rows; the number and order of classes never change in a session."""
        ...

    def show_row(self, index: int, row: ClassRow) -> None:
        """Show one row that changed."""
        ...

    def show_caveat(self, text: str) -> None:
        """Say what the figures must say ("split by blocks, ..."); empty to clear."""
        ...

    def show_reference(self, code: str, crop: npt.NDArray[np.uint8] | None) -> None:
        """Show uint8[96, 96, 3] of a labelled cell of the class; None: no such cell."""
        ...


class CanvasView(Protocol):
    """The napari canvas. Layers: smear, stain, cells, density, focus, mosaic.

    None is editable.

    Signals
    -------
    clicked : (x: float, y: float)
        A click on the smear.
    doubleClicked : (x: float, y: float)
        A double click on the smear: a cell is added there. The two clicks before it may
        or may not also come as ``clicked``.
    viewMoved : (x: float, y: float, width: float, height: float)
        The rectangle now in view, after pan, zoom, resize or ``centre_on``.
    keyPressed : (key: str)
        A key while one of our layers is selected. napari's own handler must not see it.
    mosaicClicked : (index: int)
        A synthetic cell of the mosaic was clicked.
    boxDrawn : (x: float, y: float, width: float, height: float)
        A drag with Shift held: the focused cell's new box. The view may have drawn it;
        ``show_focus`` says what holds.
    centreMarked : (x: float, y: float)
        A click with Shift held: the centre of one of the cells in the focused box.
    """

    clicked: SignalLike
    doubleClicked: SignalLike
    viewMoved: SignalLike
    keyPressed: SignalLike
    mosaicClicked: SignalLike
    boxDrawn: SignalLike
    centreMarked: SignalLike

    def show_smear(self, image: SmearImage | None, mpp: float) -> None:
        """Swap the smear in; zoom in micrometres and contrast are kept.

        ``mpp`` is the calibrated pixel size in micrometres. None: nothing is open.
        """
        ...

    def show_stain(self, image: SmearImage | None, name: str) -> None:
        """Lay the smear in the stain of another, by its file name, over it, or hide.

        The user may switch it off to compare, and it then stays off.
        """
        ...

    def centre_on(self, x: float, y: float) -> None:
        """Move the camera; the zoom is kept (the first time: a cell at true scale)."""
        ...

    def expect(self, x: float, y: float) -> None:
        """Take in that this place of the smear is looked at next; draw nothing."""
        ...

    def show_focus(self, mark: FocusMark | None) -> None:
        """Draw box and outline of the focused cell."""
        ...

    def show_cells(self, marks: CellMarks | None) -> None:
        """Draw at most 5000 cells as points; None while the density stands for them."""
        ...

    def show_density(self, density: Density | None) -> None:
        """Draw cells a square as an image, where too many are in view; None: hide."""
        ...

    def show_field(self, mark: FieldMark | None) -> None:
        """Outline a field and mark where cells may have been missed; None: hide."""
        ...

    def frame(self, box: Box) -> None:
        """Move and zoom the camera until it shows just this part of the smear."""
        ...

    def show_mosaic(self, mosaic: Mosaic | None) -> None:
        """Draw synthetic cells beside the smear in a dashed violet frame, or hide."""
        ...


class EvidenceView(Protocol):
    """The tab *Evidence*.

    Signals
    -------
    evaluateAsked : ()
    reportAsked : (path: str)
        The report is to be written there.
    """

    evaluateAsked: SignalLike
    reportAsked: SignalLike

    def show_curves(self, curves: tuple[Curve, ...]) -> None:
        """Plot figures with intervals, one mark a case; empty: no plot yet."""
        ...

    def show_inspected(self, rows: tuple[Line, ...]) -> None:
        """Show fidelity and memorisation as last measured; empty: nothing was."""
        ...

    def show_learning(self, curve: Learning) -> None:
        """Plot the learning curve so far; without points: say when it comes."""
        ...

    def show_verdict(self, sentence: str, caveats: tuple[str, ...]) -> None:
        """Say whether it helped, and what limits the answer."""
        ...

    def show_progress(self, lines: tuple[str, ...]) -> None:
        """Say how good the model is and what more labels would bring, line by line."""
        ...

    def show_report(self, ready: bool) -> None:
        """Offer to save the report, where there is an evaluation to tell of."""
        ...

    def show_busy(self, task: TaskStatus | None) -> None:
        """Show that an evaluation runs; None: it does not."""
        ...


class StatusView(Protocol):
    """The strip of the window: who labels, what runs, what went wrong.

    Signals
    -------
    annotatorGiven : (name: str)
    cancelAsked : (key: str)
    undoAsked, redoAsked : ()
    """

    annotatorGiven: SignalLike
    cancelAsked: SignalLike
    undoAsked: SignalLike
    redoAsked: SignalLike

    def ask_annotator(self) -> None:
        """Ask for the annotator's name; answers by ``annotatorGiven``."""
        ...

    def show_status(self, line: StatusLine) -> None:
        """Show name, cells labelled, model version, what undo and redo would do."""
        ...

    def show_tasks(self, tasks: tuple[TaskStatus, ...]) -> None:
        """Show what runs, with Cancel."""
        ...

    def show_message(self, sentence: str) -> None:
        """Tell something that went well."""
        ...

    def show_failure(self, sentence: str) -> None:
        """Tell something that failed, so that it cannot be overlooked."""
        ...


class Views(Protocol):
    """All panels of one window; :func:`napari_cytosynth.app.window.present` binds."""

    annotate: AnnotateView
    classes: ClassesView
    canvas: CanvasView
    synthesize: SynthesizeView
    review: ReviewView
    evidence: EvidenceView
    status: StatusView
