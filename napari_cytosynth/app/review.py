"""Binds the tab *Synthetic* to the session: judge by key."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.cards import SyntheticCards, verdicts
from napari_cytosynth.app.keys import review_keys
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.synthetic_views import ReviewView
from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.synthesis.starter import load_training_thumbnails
from napari_cytosynth.synthesis.thumbnails import SIDE


class ReviewPresenter:
    """Accept, reject, next.

    Parameters
    ----------
    session : Session
        What holds.
    view : ReviewView
        What shows it.
    """

    def __init__(self, session: Session, view: ReviewView) -> None:
        self._session, self._view = session, view
        self._cards = SyntheticCards(session, ())
        self._keys = review_keys(session)
        self._show_cards()
        session.events.synthetic.connect(self._show_cards)
        session.events.review.connect(self._show_focus)
        session.events.sieves.connect(self._show_sieves)
        session.events.sieve.connect(self._show_sieves)
        view.sieveChosen.connect(session.judging.sift)
        self._show_sieves()
        session.events.judged.connect(self._on_judged)
        view.keyPressed.connect(self._on_key_pressed)
        view.cellChosen.connect(self._on_cell_chosen)
        view.verdictGiven.connect(self._on_verdict_given)

    def _show_cards(self) -> None:
        self._cards = SyntheticCards(self._session, self._session.state.synthetic)
        self._view.show_cards(self._cards)
        self._show_focus()

    def _show_sieves(self) -> None:
        state = self._session.state
        choices = tuple((key, f"{words} ({n})") for key, words, n in state.sieves)
        self._view.show_sieves(choices, state.sieve)

    def _show_focus(self) -> None:
        number, shelf = self._session.state.review, self._session.fills.shelf
        self._view.show_focus(None if number is None else self._cards.row_of(number))
        if number is not None and number in shelf:
            self._view.show_details((*details(shelf[number]), *self._read(number)))
            self._show_nearest(shelf[number])
        else:
            self._view.show_details(())
            self._view.show_nearest(None, "")

    def _read(self, number: int) -> tuple[str, ...]:
        """Say what blinded readers took a cell for, once their tests are over."""
        from napari_cytosynth.workflows.reader_test import read_as

        taken, of = read_as(self._session.project).get(number, (0, 0))
        return (f"Blinded: called synthetic {taken} of {of} times.",) if of else ()

    def _show_nearest(self, cell: SyntheticCell) -> None:
        """Show the real cell that a copy would be of, as it stands now."""
        trained = trained_cell(cell)
        if trained is not None:
            self._view.show_nearest(*trained)
            return
        near = nearest_cell(cell)
        if near is None or near not in self._session.index:
            self._view.show_nearest(None, "")
            return
        code = self._session.index.label(near)
        said = f"Closest real cell: {near}" + (f", labelled {code}" if code else "")
        self._view.show_nearest(self._session.project.crops([near])[0], said)

    def _on_judged(self, number: int) -> None:
        row = self._cards.row_of(number)
        if row is not None:
            self._view.show_card_changed(row)

    def _on_key_pressed(self, key: str) -> None:
        action = self._keys.get(key)
        if action is not None:
            action()

    def _on_cell_chosen(self, row: int) -> None:
        ids = self._session.state.synthetic
        if 0 <= row < len(ids):
            self._session.judging.focus(ids[row])

    def _on_verdict_given(self, accept: bool) -> None:
        self._session.judging.judge(accept)


def trained_cell(cell: SyntheticCell) -> tuple[npt.NDArray[np.uint8], str] | None:
    """Return the training cell that a refused one copies, and its name, if it does.

    Only its thumbnail ships: uint8[96, 96, 3], grey and coarse.
    """
    vetoes = (a.trained for a in cell.assessments if not a.passed)
    row = next((number for number in vetoes if number is not None), None)
    if row is None:
        return None
    small = load_training_thumbnails()[0]
    if row >= len(small):  # other weights ship by now
        return None
    scale = CROP_PIXELS // SIDE
    wide = np.kron(small[row], np.ones((scale, scale), np.uint8))
    said = f"Closest training cell of the shipped weights: {row} (a coarse thumbnail)"
    return np.repeat(wide[..., None], 3, axis=2), said


def nearest_cell(cell: SyntheticCell) -> CellId | None:
    """Return the real cell that a critic found closest, or None."""
    found = (a.nearest for a in cell.assessments if a.nearest is not None)
    near = next(found, None)
    return None if near is None else CellId(near)


def details(cell: SyntheticCell) -> tuple[str, ...]:
    """Return what the critics said of a cell, and how it was made."""
    origin = cell.provenance
    said = list(verdicts(cell))
    if not cell.verified:
        said.insert(0, f"Unverified: too few real {cell.code} to check it.")
    made = (
        f"Synthetic {cell.code} {cell.id}, {cell.status}; made by {origin.generator} "
        f"with seed {origin.seed}, weights {origin.weights[:8]}, {origin.time}"
    )
    return (*said, made)
