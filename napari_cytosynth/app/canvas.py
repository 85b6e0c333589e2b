"""Binds the canvas to the session.

What to show is resolved by a pure function from what is wanted and what there is; only
what differs from what is shown is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_cytosynth.app.cellindex import NONE, CellIndex
from napari_cytosynth.app.keys import Keyboard, canvas_key
from napari_cytosynth.app.panels import (
    MAX_MARKS,
    CellMarks,
    Density,
    FocusMark,
    Mosaic,
    Rectangle,
    Tab,
    Tile,
)
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.shelf import Shelf
from napari_cytosynth.app.views import CanvasView
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId, SyntheticId
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.taxonomy import Taxonomy

SQUARES = 64
"""Squares of the density image along the longer side of the view."""

FEW_MARKS = 1000
"""A smear of no more cells than this shows them all: none is redrawn as one moves."""

MAX_TILES = 400
"""Most synthetic cells of one mosaic; the newest are kept."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the canvas is meant to show.

    Parameters
    ----------
    smear : SmearId or None
        The smear.
    view : Rectangle or None
        What is in view; None before the first draw.
    focus : CellId or None
        The focused cell.
    mosaic : str
        Class of the synthetic cells beside the smear; empty: none.
    review : SyntheticId or None
        The synthetic cell under review.
    unlabelled : bool
        True: the focused cell is drawn as if it had no label.
    """

    smear: SmearId | None
    view: Rectangle | None
    focus: CellId | None
    mosaic: str
    review: SyntheticId | None
    unlabelled: bool = False


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is to show.

    Parameters
    ----------
    taxonomy : Taxonomy
        Colours and symbols.
    index : CellIndex
        Real cells.
    shelf : Shelf
        Synthetic cells.
    outline : tuple of (x, y)
        Of the focused cell; may be empty.
    """

    taxonomy: Taxonomy
    index: CellIndex
    shelf: Shelf
    outline: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class CanvasState:
    """What the canvas shows; compared field by field."""

    smear: SmearId | None = None
    focus: FocusMark | None = None
    marks: CellMarks | None = None
    density: Density | None = None
    mosaic: Mosaic | None = None


def resolve(wish: Wish, stock: Stock) -> CanvasState:
    """Return what the canvas shows.

    Parameters
    ----------
    wish : Wish
        What is wanted.
    stock : Stock
        What there is.
    """
    marks, density = _cells(wish, stock)
    return CanvasState(
        smear=wish.smear,
        focus=_focus(wish, stock),
        marks=marks,
        density=density,
        mosaic=_mosaic(wish, stock),
    )


def _cells(wish: Wish, stock: Stock) -> tuple[CellMarks | None, Density | None]:
    if wish.smear is None or wish.view is None:
        return None, None
    rows = stock.index.of_smear(wish.smear)
    if len(rows) > FEW_MARKS:
        rows = stock.index.inside(wish.smear, wish.view)
    if len(rows) > MAX_MARKS:
        return None, _density(stock.index.centres(rows), wish.view)
    table, taxonomy = stock.index.table, stock.taxonomy
    classes = stock.index.labels[rows]
    if wish.unlabelled:
        classes = np.where(table.ids[rows] == wish.focus, np.int16(NONE), classes)
    marks = CellMarks(
        ids=table.ids[rows],
        centres=stock.index.centres(rows),
        sizes=table.boxes[rows, 2:].max(axis=1, initial=0.0),
        classes=classes,
        codes=taxonomy.codes,
        colours=tuple(c.colour for c in taxonomy),
        symbols=tuple(c.symbol for c in taxonomy),
    )
    return marks, None


def _density(centres: np.ndarray, view: Rectangle) -> Density:
    square = max(view.width, view.height) / SQUARES
    columns = max(int(np.ceil(view.width / square)), 1)
    rows = max(int(np.ceil(view.height / square)), 1)
    extent = (
        (view.y, view.y + rows * square),
        (view.x, view.x + columns * square),
    )
    counts, _, _ = np.histogram2d(
        centres[:, 1], centres[:, 0], bins=(rows, columns), range=extent
    )
    return Density(counts.astype(np.float32), view.x, view.y, square)


def _focus(wish: Wish, stock: Stock) -> FocusMark | None:
    index = stock.index
    if wish.focus is None or wish.focus not in index:
        return None
    if index.table.smear_of(wish.focus) != wish.smear:
        return None
    code = "" if wish.unlabelled else index.label(wish.focus)
    colour = stock.taxonomy[code].colour if code else ""
    box = index.table.box(wish.focus)
    return FocusMark(int(wish.focus), box, stock.outline, code, colour)


def _mosaic(wish: Wish, stock: Stock) -> Mosaic | None:
    if not wish.mosaic:
        return None
    cells = [stock.shelf[i] for i in stock.shelf.ids(wish.mosaic)]
    shown = [c for c in cells if c.status is not Status.REJECTED][-MAX_TILES:]
    if not shown:
        return None
    cell_class = stock.taxonomy[wish.mosaic]
    sure = all(c.verified for c in shown)
    said = "" if sure else ", unverified"
    ids = [c.id for c in shown]
    return Mosaic(
        code=wish.mosaic,
        colour=cell_class.colour,
        title=f"Synthetic: {cell_class.name} ({wish.mosaic}){said}",
        tiles=tuple(Tile(int(c.id), c.pixels, str(c.status)) for c in shown),
        focus=ids.index(wish.review) if wish.review in ids else None,
    )


class CanvasPresenter:
    """Which smear, which cells in view, the focused cell, the mosaic.

    Parameters
    ----------
    session : Session
        What holds.
    view : CanvasView
        What shows it.
    keyboard : Keyboard
        Does what keys mean, as in the grid.
    """

    def __init__(self, session: Session, view: CanvasView, keyboard: Keyboard) -> None:
        self._session, self._view, self._keyboard = session, view, keyboard
        self._shown = CanvasState()
        self._rectangle: Rectangle | None = None
        self._clicking, self._blank = False, True
        self._added: tuple[float, float] | None = None
        self._marked: tuple[int, tuple[float, float]] | None = None
        self._listen()
        self._render()
        self._centre()

    def _listen(self) -> None:
        events, view = self._session.events, self._view
        for event in (events.smear, events.cells, events.touched, events.tab):
            event.connect(self._render)
        for event in (events.synthetic, events.review, events.tasks, events.judged):
            event.connect(self._render)
        events.focus.connect(self._on_focus)
        events.reopened.connect(self._on_reopened)
        events.rescaled.connect(self._on_rescaled)
        view.clicked.connect(self._on_clicked)
        view.doubleClicked.connect(self._on_double_clicked)
        view.viewMoved.connect(self._on_view_moved)
        view.keyPressed.connect(self._on_key_pressed)
        view.mosaicClicked.connect(self._on_mosaic_clicked)
        view.boxDrawn.connect(self._on_box_drawn)
        view.centreMarked.connect(self._on_centre_marked)

    def _render(self) -> None:
        old, new = self._shown, resolve(self._wish(), self._stock())
        self._shown = new
        if old.smear != new.smear:
            self._show_smear(new.smear)
        if old.focus != new.focus:
            self._view.show_focus(new.focus)
        if old.marks != new.marks:
            self._view.show_cells(new.marks)
        if old.density != new.density:
            self._view.show_density(new.density)
        if old.mosaic != new.mosaic:
            self._view.show_mosaic(new.mosaic)

    def _show_smear(self, smear: SmearId | None) -> None:
        image = self._session.image(smear) if smear is not None else None
        mpp = self._session.smears.mpp(smear) if smear is not None else 1.0
        self._blank = image is None
        self._view.show_smear(image, mpp)

    def _on_reopened(self, smear: int) -> None:
        """Show a picture that could not be read before."""
        if smear == self._shown.smear and self._blank:
            self._show_smear(self._shown.smear)
            self._centre()

    def _on_rescaled(self, smear: int) -> None:
        """Draw everything at another pixel size, and stay where the user looks."""
        if smear != self._shown.smear:
            return
        view = self._rectangle
        self._shown = CanvasState()
        self._render()
        if view is not None:
            centre = view.x + view.width / 2, view.y + view.height / 2
            self._view.centre_on(*centre)

    def _wish(self) -> Wish:
        state = self._session.state
        view = self._rectangle
        return Wish(
            state.smear,
            view,
            state.focus,
            self._mosaic_class(),
            state.review,
            unlabelled=self._is_dealt_again(state.focus),
        )

    def _is_dealt_again(self, focus: CellId | None) -> bool:
        """Tell whether the focused cell's label is not shown: see ``Desk.code``."""
        index = self._session.index
        if focus is None or focus not in index:
            return False
        return self._session.code(focus) != index.label(focus)

    def _mosaic_class(self) -> str:
        """Class under review in the tab *Synthetic*, else one that is being filled."""
        state, fills = self._session.state, self._session.fills
        if state.tab is Tab.SYNTHETIC and state.review in fills.shelf:
            return fills.shelf[SyntheticId(int(state.review or 0))].code
        filling = (r.code for r in state.classes if fills.is_running(r.code))
        return next(filling, "")

    def _stock(self) -> Stock:
        session = self._session
        focus, shown = session.state.focus, self._shown.focus
        outline: tuple[tuple[float, float], ...] = ()
        if shown is not None and shown.cell == focus and self._is_boxed(shown):
            outline = shown.outline
        elif focus is not None and focus in session.index:
            polygon = session.project.outline(focus)
            outline = tuple((float(x), float(y)) for x, y in polygon)
        taxonomy, shelf = session.project.taxonomy, session.fills.shelf
        return Stock(taxonomy, session.index, shelf, outline)

    def _is_boxed(self, mark: FocusMark) -> bool:
        """Tell whether a cell still has the box that is shown of it."""
        index, cell = self._session.index, CellId(mark.cell)
        return cell in index and index.table.box(cell) == mark.box

    def _on_focus(self) -> None:
        self._render()
        if not self._clicking and not self._is_just_added():
            self._centre()
        for place in self._session.places_ahead():
            self._view.expect(*place)

    def _is_just_added(self) -> bool:
        """Tell whether this is the cell that a double click asked for."""
        added, focus = self._added, self._shown.focus
        if added is None or focus is None or not focus.box.contains(*added):
            return False
        self._added = None
        return True

    def _centre(self) -> None:
        if self._shown.focus is not None:
            self._view.centre_on(*self._shown.focus.box.centre)

    def _on_view_moved(self, x: float, y: float, width: float, height: float) -> None:
        self._rectangle = Rectangle(x, y, width, height)
        self._render()

    def _on_clicked(self, x: float, y: float) -> None:
        """Focus the cell there; the camera stays, or a double click would miss."""
        smear = self._session.state.smear
        cell = self._session.index.at(smear, x, y) if smear is not None else None
        if cell is not None:
            self._focus_in_place(cell)

    def _on_double_clicked(self, x: float, y: float) -> None:
        smear = self._session.state.smear
        if smear is None:
            return
        cell = self._session.index.at(smear, x, y)
        if cell is not None:
            self._focus_in_place(cell)
            self._session.state.say(f"Here is cell {cell} already; it was focused.")
            return
        self._added = (x, y)
        self._session.add_cell(smear, x, y)

    def _on_box_drawn(self, x: float, y: float, width: float, height: float) -> None:
        mark = self._shown.focus
        if mark is None:
            self._session.state.say("No cell is focused here. Click the cell first.")
        elif not self._session.change_box(Box(x, y, width, height)):
            self._view.show_focus(mark)

    def _on_centre_marked(self, x: float, y: float) -> None:
        """Split the focused cell at its second centre; the first is remembered."""
        mark, session = self._shown.focus, self._session
        if mark is None or not mark.box.contains(x, y):
            self._marked = None
            session.state.say(
                "To split the focused cell, hold Shift and click the centre of each of "
                "the two cells in its box. Shift and drag gives it another box."
            )
            return
        first, self._marked = self._marked, (mark.cell, (x, y))
        if first is None or first[0] != mark.cell:
            session.state.say(
                f"First centre of cell {mark.cell} marked. Hold Shift and click the "
                "second one to split it in two."
            )
            return
        self._marked = None
        session.split_cell((first[1], (x, y)))

    def _focus_in_place(self, cell: CellId) -> None:
        self._clicking = True
        try:
            self._session.focus_cell(cell)
        finally:
            self._clicking = False

    def _on_key_pressed(self, key: str) -> None:
        canvas_key(self._session, self._keyboard, key)

    def _on_mosaic_clicked(self, index: int) -> None:
        mosaic = self._shown.mosaic
        if mosaic is not None and 0 <= index < len(mosaic.tiles):
            self._session.set_tab(Tab.SYNTHETIC)
            self._session.judging.focus(SyntheticId(mosaic.tiles[index].id))
