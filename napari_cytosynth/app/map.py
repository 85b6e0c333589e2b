"""Binds the map of cells to the session: queue, slide and map show the same cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.cards import silent
from napari_cytosynth.app.keys import Keyboard, KeyChords, Pending
from napari_cytosynth.app.map_views import MapClass, MapView, Taken, Tip
from napari_cytosynth.app.plane import MAX_DOTS, Plane
from napari_cytosynth.app.scene import Rectangle
from napari_cytosynth.app.session import Session
from napari_cytosynth.core.ids import CellId

NO_CLASS = "#8a8f98"
"""Colour of cells without a class."""

_NO_CELLS = (
    "No cells yet.\nDrag a smear into the window, or press Add smears\u2026; "
    "the map comes by itself."
)
_NO_VECTORS = (
    "No map yet.\nCells are placed by what the embedder makes of them; the map "
    "comes by itself once it has."
)
_LAYING = "Laying out the map\u2026\nGo on labelling meanwhile."
_EVERYTHING = Rectangle(0.0, 0.0, 1.0, 1.0)


class MapPresenter:
    """Density, points, what is taken, and one step that labels it.

    Parameters
    ----------
    session : Session
        What holds.
    view : MapView
        What shows it.
    keyboard : Keyboard
        Does what keys mean while nothing is taken.
    """

    def __init__(self, session: Session, view: MapView, keyboard: Keyboard) -> None:
        self._session, self._view, self._keyboard = session, view, keyboard
        self._chords = KeyChords(session.project.taxonomy)
        self._plane, self._seen = Plane(), np.zeros(0, np.intp)
        self._taken = np.zeros(0, np.int64)
        self._in_view, self._columns, self._visible = _EVERYTHING, 100, False
        self._listen_to_session()
        self._listen_to_view()

    def _listen_to_session(self) -> None:
        events = self._session.events
        events.focus.connect(self._show_focus)
        events.touched.connect(self._on_touched)
        events.predictions.connect(self._on_changed)
        events.blind.connect(self._on_changed)
        events.listing.connect(self._on_listed)
        self._session.atlas.on_laid = self._on_changed

    def _listen_to_view(self) -> None:
        view = self._view
        view.seen.connect(self._on_seen)
        view.viewMoved.connect(self._on_view_moved)
        view.pressed.connect(self._on_pressed)
        view.hovered.connect(self._on_hovered)
        view.lassoDrawn.connect(self._on_lasso)
        view.allAsked.connect(self._take_all)
        view.dropped.connect(self._drop)
        view.labelAsked.connect(self._ask)
        view.labelConfirmed.connect(self._label)
        view.keyPressed.connect(self._on_key)

    # What is shown

    def _on_seen(self, visible: bool) -> None:
        self._visible = visible
        if visible:
            self._on_changed()

    def _on_changed(self, *_: object) -> None:
        """Colour and draw all anew; hidden, the map costs nothing."""
        if not self._visible:
            return
        self._session.atlas.want()
        self._plane = self._coloured()
        self._view.show_nothing(self._why_empty())
        self._show_legend()
        self._draw()
        self._show_focus()
        if len(self._taken):
            self._take(self._positions(self._taken))

    def _on_listed(self, *_: object) -> None:
        """Grey what the queue deals now, where single cells are seen."""
        if self._visible and len(self._seen) <= MAX_DOTS:
            self._plane = self._coloured()
            self._draw_dots()

    def _coloured(self) -> Plane:
        session, found = self._session, self._session.atlas.map
        if found is None:
            return Plane()
        return Plane.of(
            found.ids,
            found.places,
            session.index,
            self._hidden(),
            blind=session.state.blind,
        )

    def _hidden(self) -> npt.NDArray[np.int64]:
        """Return the cards that are shown as if nothing was known of them."""
        session = self._session
        cards = [i for i in silent(session).tolist() if i in session.index]
        shown = [i for i in cards if not session.code(CellId(i))]
        return np.array(shown, np.int64)

    def _why_empty(self) -> str:
        if len(self._plane):
            return ""
        if not len(self._session.index):
            return _NO_CELLS
        return _LAYING if self._session.atlas.is_under_way else _NO_VECTORS

    def _show_legend(self) -> None:
        taxonomy = self._session.project.taxonomy
        held = np.bincount(self._plane.classes + 1, minlength=len(taxonomy.codes) + 1)
        classes = tuple(
            MapClass(c.code, c.name, c.colour, c.symbol, int(n))
            for c, n in zip(taxonomy, held[1:], strict=True)
        )
        none = MapClass("", "", NO_CLASS, "disc", int(held[0]))
        self._view.show_classes(classes, none)

    def _on_view_moved(
        self, x: float, y: float, width: float, height: float, columns: int
    ) -> None:
        self._in_view, self._columns = Rectangle(x, y, width, height), columns
        if self._visible:
            self._draw()

    def _draw(self) -> None:
        """Draw density or points, whichever the cells in view ask for."""
        self._seen = seen = self._plane.within(self._in_view)
        clouds = None
        if len(seen) > MAX_DOTS:
            classes = len(self._session.project.taxonomy.codes)
            clouds = self._plane.clouds(seen, self._in_view, self._columns, classes)
        self._view.show_clouds(clouds)
        self._view.show_count(_counted(len(seen), len(self._plane)))
        self._draw_dots()

    def _draw_dots(self) -> None:
        many = len(self._seen) > MAX_DOTS
        plane, seen = self._plane, self._seen
        self._view.show_dots(plane.labelled_within(seen) if many else plane.dots(seen))

    def _on_touched(self, cell: int) -> None:
        """Show the label of one cell: the density waits for the next round."""
        at = self._plane.position(int(cell)) if self._visible else None
        if at is None:
            return
        label = self._session.index.labels[self._plane.rows[at]]
        self._plane.classes[at], self._plane.labelled[at] = label, label >= 0
        self._draw_dots()

    def _show_focus(self, *_: object) -> None:
        if not self._visible:
            return
        focus = self._session.state.focus
        at = None if focus is None else self._plane.position(int(focus))
        self._view.show_focus(None if at is None else self._place(at))

    def _place(self, at: int) -> tuple[float, float]:
        x, y = self._plane.places[at]
        return float(x), float(y)

    # What the reader does

    def _on_pressed(self, x: float, y: float, reach: float) -> None:
        at = self._plane.nearest(x, y, reach)
        if at is not None:
            self._session.focus_cell(CellId(int(self._plane.ids[at])))

    def _on_hovered(self, x: float, y: float, reach: float) -> None:
        at = self._plane.nearest(x, y, reach)
        self._view.show_tip(None if at is None else self._tip(at))

    def _tip(self, at: int) -> Tip:
        ids, index = self._plane.ids[at : at + 1], self._session.index
        crop = self._session.crops.get(ids, 0)
        words = f"cell {ids[0]}"
        number = int(self._plane.classes[at])
        if number >= 0 and self._plane.labelled[at]:
            words += f"\nlabelled {index.codes[number]}"
        elif number >= 0:
            words += f"\npredicted {index.codes[number]}"
            words += f" {index.confidence[self._plane.rows[at]]:.2f}"
        return Tip(self._place(at), crop, words)

    def _on_lasso(self, outline: npt.NDArray[np.float32]) -> None:
        self._take(self._plane.inside(outline))

    def _take_all(self) -> None:
        self._take(self._seen)

    def _positions(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        return np.flatnonzero(np.isin(self._plane.ids, ids))

    def _take(self, positions: npt.NDArray[np.intp]) -> None:
        """Take the cells that have no label; of the others tell how many."""
        labels = self._session.index.labels[self._plane.rows[positions]]
        open_ = positions[labels < 0]
        self._taken = self._plane.ids[open_]
        taken = Taken(self._plane.places[open_], len(positions) - len(open_))
        self._view.show_taken(taken if len(positions) else None)

    def _drop(self) -> None:
        self._taken = self._taken[:0]
        self._chords.clear()
        self._view.show_pending("")
        self._view.show_taken(None)

    def _on_key(self, key: str) -> None:
        """Label what is taken; with nothing taken keys mean what they always do."""
        if key == "Escape":
            self._drop()
        elif not len(self._taken) or len(key) > 1:
            self._keyboard.press(key)
        else:
            fed = self._chords.feed(key)
            self._view.show_pending(fed.keys if isinstance(fed, Pending) else "")
            if isinstance(fed, str):
                self._ask(fed)

    def _ask(self, code: str) -> None:
        if len(self._taken):
            name = self._session.project.taxonomy[code].name
            self._view.ask_label(len(self._taken), code, name)

    def _label(self, code: str) -> None:
        cells = [CellId(i) for i in self._taken.tolist()]
        if self._session.label_many(cells, code):
            self._drop()


def _counted(seen: int, cells: int) -> str:
    part = f"{seen:,} of {cells:,} cells" if seen < cells else f"{cells:,} cells"
    hint = "zoom in for single ones; " if seen > MAX_DOTS else ""
    return f"{part}; {hint}those with a ring are labelled"
