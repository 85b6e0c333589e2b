"""What the panels of synthetic cells must be able to show, and what they tell.

The rules are those of :mod:`napari_cytosynth.app.views`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.panels import BlindedForm, Cards, FillForm, TaskStatus
from napari_cytosynth.app.signals import SignalLike


class SynthesizeView(Protocol):
    """The *Fill* form and its progress.

    Signals
    -------
    fillAsked : (code: str, count: int, generator: str, chosen: mapping)
        The form was confirmed; the generator's settings as they stood in it, by name.
    cancelAsked : (key: str)
        Cancel was pressed for the running fill of this key.
    removeAsked : (code: str)
        The vectors kept for this class are to be removed.
    """

    fillAsked: SignalLike
    cancelAsked: SignalLike
    removeAsked: SignalLike

    def show_form(self, form: FillForm | None) -> None:
        """Show the form for a class, with what is suggested; None: put it away."""
        ...

    def show_fills(self, fills: tuple[TaskStatus, ...]) -> None:
        """Show running fills, each with progress and Cancel; empty: hide."""
        ...

    def show_outcome(self, text: str) -> None:
        """Say how the last fill ended: accepted of drawn, why others were dropped."""
        ...


class ReviewView(Protocol):
    """The tab *Synthetic*: a grid of synthetic cells, judged by key.

    Signals
    -------
    keyPressed : (key: str)
        ``a`` or Return accepts, ``r`` or Delete rejects, arrows move, Ctrl+Z undoes.
    cellChosen : (row: int)
    verdictGiven : (accept: bool)
        Accept or Reject was pressed for the focused cell.
    sieveChosen : (key: str)
        Only some cells are to be shown.
    blindedAsked : ()
        A blinded test is asked for.
    """

    keyPressed: SignalLike
    cellChosen: SignalLike
    verdictGiven: SignalLike
    sieveChosen: SignalLike
    blindedAsked: SignalLike

    def show_sieves(self, choices: tuple[tuple[str, str], ...], chosen: str) -> None:
        """Fill the box of what can be shown (key, words), and set it."""
        ...

    def show_cards(self, cards: Cards) -> None:
        """Show this list; new cells are appended while a fill streams."""
        ...

    def show_card_changed(self, row: int) -> None:
        """Repaint one card."""
        ...

    def show_focus(self, row: int | None) -> None:
        """Mark and reveal one card."""
        ...

    def show_details(self, lines: tuple[str, ...]) -> None:
        """Show what the critics said of the focused cell, and how it was made."""
        ...

    def show_nearest(self, crop: npt.NDArray[np.uint8] | None, words: str) -> None:
        """Show uint8[96, 96, 3] of the closest real cell beside it; None: none known.

        ``words`` says which cell it is.
        """
        ...


class BlindedView(Protocol):
    """The blinded reader test: real or synthetic, one cell at a time.

    Signals
    -------
    begun : (cells: int)
        A new test of so many cells is asked for.
    resumed : ()
        The one that was broken off goes on.
    called : (synthetic: bool)
        A button said what the cell is.
    keyPressed : (key: str)
        ``r`` real, ``s`` synthetic, Backspace or Left goes back.
    """

    begun: SignalLike
    resumed: SignalLike
    called: SignalLike
    keyPressed: SignalLike

    def show_start(self, form: BlindedForm) -> None:
        """Show what a test is, and how far one came that was broken off."""
        ...

    def show_cell(self, crop: npt.NDArray[np.uint8], number: int, of: int) -> None:
        """Show uint8[96, 96, 3], the cell of this number, from 1."""
        ...

    def show_result(self, sentence: str, rows: tuple[tuple[str, ...], ...]) -> None:
        """Show how the reader did; the first row is the heading."""
        ...
