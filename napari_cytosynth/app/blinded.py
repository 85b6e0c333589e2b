"""Binds the blinded reader test to the session: one cell, one key, results at the end.

Made when the test is asked for, and dropped when its dialog is closed; calls given by
then are kept, and the next one goes on from there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cytosynth.app.jobs import Order
from napari_cytosynth.app.panels import BlindedForm, Tab
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.synthetic_views import BlindedView
from napari_cytosynth.core.errors import CytoSynthError
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.evidence.reader import Discrimination, ReaderResult
    from napari_cytosynth.workflows.reader_test import ReaderTest

DEAL = "blinded test"
"""Key of the task that draws a test."""

COUNT = "cells of a blinded test"
"""Key of the task that counts the cells that a test can have."""

_KEYS = {"r": False, "s": True}
_BACK = frozenset({"Backspace", "Left"})


class BlindedPresenter:
    """Real or synthetic: shows a cell, takes a key, shows the next.

    Parameters
    ----------
    session : Session
        Holds the project and the reader's name.
    view : BlindedView
        What shows it.
    seed : int, optional
        Draws the same test again; by chance unless given.
    """

    def __init__(
        self, session: Session, view: BlindedView, seed: int | None = None
    ) -> None:
        self._session, self._view, self._seed = session, view, seed
        self._test: ReaderTest | None = None
        self._pictures: Crops = np.zeros((0, 0, 0, 3), np.uint8)
        self._place = 0
        self._closed = False
        self._offer = (0, "Counting the cells that a test can have.")
        view.begun.connect(self._begin)
        view.resumed.connect(self._resume)
        view.keyPressed.connect(self._on_key_pressed)
        view.called.connect(self._call)
        self._show_start()
        count = Order(COUNT, "Counting cells", self._counted(), self._offered)
        session.jobs.start(replace(count, quiet=True))

    def close(self) -> None:
        """Show nothing more: the dialog is gone. A test that was drawn is kept."""
        self._closed = True

    def _counted(self) -> Task[tuple[int, str]]:
        from napari_cytosynth.workflows.reader_test import offer

        yield Progress(0, 0, "counting cells")
        return offer(self._session.project)

    def _offered(self, offer: tuple[int, str]) -> None:
        self._offer = offer
        if self._test is None:
            self._show_start()

    def _show_start(self, problem: str = "") -> None:
        from napari_cytosynth.workflows.reader_test import CELLS, calls_of, results

        if self._closed:
            return
        most, lacking = self._offer
        project, reader = self._session.project, self._session.state.annotator
        test = self._open_test()
        told = [r for r in results(project) if r.reader == reader]
        self._view.show_start(
            BlindedForm(
                min(CELLS, most),
                len(calls_of(project, test)) if test else 0,
                len(test.cells) if test else 0,
                tuple(f"{r.time[:10]}: {r.sentence}" for r in told),
                problem,
                most,
                lacking,
            )
        )

    def _open_test(self) -> ReaderTest | None:
        from napari_cytosynth.workflows.reader_test import open_test

        return open_test(self._session.project, self._session.state.annotator)

    def _begin(self, cells: int) -> None:
        if self._session.has_name():
            self._start("Drawing a blinded test", self._dealt(cells))

    def _resume(self) -> None:
        test = self._open_test()
        if test is not None:
            self._start("Opening a blinded test", self._with_pictures(test))

    def _start(self, title: str, task: Task[tuple[ReaderTest, Crops]]) -> None:
        """Draw or open a test in the background; where that fails, say why."""
        order = Order(
            DEAL,
            title,
            task,
            self._take,
            on_error=lambda error: self._show_start(str(error)),
        )
        self._session.jobs.start(order)

    def _dealt(self, cells: int) -> Task[tuple[ReaderTest, Crops]]:
        from napari_cytosynth.workflows.reader_test import deal

        yield Progress(0, 0, "drawing cells")
        rng = np.random.default_rng(self._seed)
        reader = self._session.state.annotator
        test = deal(self._session.project, reader, rng, cells=cells)
        return (yield from self._with_pictures(test))

    def _with_pictures(self, test: ReaderTest) -> Task[tuple[ReaderTest, Crops]]:
        from napari_cytosynth.workflows.reader_test import pictures_of

        yield Progress(0, 0, "reading pictures")
        return test, pictures_of(self._session.project, test)

    def _take(self, opened: tuple[ReaderTest, Crops]) -> None:
        if self._closed:
            return
        self._session.set_tab(Tab.QUEUE)
        test, self._pictures = opened
        self._go_on(test)

    def _go_on(self, test: ReaderTest) -> None:
        """Show the first cell that was not called yet; beside it, no synthetic one."""
        from napari_cytosynth.workflows.reader_test import calls_of

        self._test = test
        called = calls_of(self._session.project, test)
        left = (p for p in range(len(test.cells)) if p not in called)
        place = next(left, None)
        if place is None:
            self._end(test)
        else:
            self._show(test, place)

    def _show(self, test: ReaderTest, place: int) -> None:
        self._place = place
        self._view.show_cell(self._pictures[place], place + 1, len(test.cells))

    def _on_key_pressed(self, key: str) -> None:
        if key in _KEYS:
            self._call(_KEYS[key])
        elif key in _BACK and self._test is not None and self._place:
            self._show(self._test, self._place - 1)

    def _call(self, synthetic: bool) -> None:
        """Commit what the cell is called, then show the next."""
        from napari_cytosynth.workflows.reader_test import call

        test = self._test
        if test is None:
            return
        try:
            author = Author(self._session.state.annotator)
            call(self._session.project, test, self._place, synthetic, author)
        except (CytoSynthError, OSError) as error:
            self._session.jobs.tell("Keeping it", error)
            return
        if self._place + 1 < len(test.cells):
            self._show(test, self._place + 1)
        else:
            self._go_on(test)

    def _end(self, test: ReaderTest) -> None:
        from napari_cytosynth.workflows.reader_test import finish

        self._test = None
        try:
            result = finish(self._session.project, test)
        except (CytoSynthError, OSError) as error:
            self._session.jobs.tell("Ending the test", error)
            return
        self._view.show_result(result.sentence, table_of(result))


def table_of(result: ReaderResult) -> tuple[tuple[str, ...], ...]:
    """Return rows for a person, the heading first: what, right, d', n."""
    parts = {
        "all cells": result.over_all,
        **result.by_class,
        **{f"made by {how}": d for how, d in result.by_strategy.items()},
    }
    head = (
        "",
        "right",
        "d' (0: chance)",
        "synthetic found",
        "real taken for synthetic",
    )
    return (head, *((name, *_told(part)) for name, part in parts.items()))


def _told(part: Discrimination) -> tuple[str, ...]:
    answers, right, d = part.answers, part.accuracy, part.d_prime
    return (
        f"{right.value:.0%} [{right.low:.0%}, {right.high:.0%}]",
        f"{d.value:.2f} [{d.low:.2f}, {d.high:.2f}]",
        f"{answers.hits} of {answers.synthetic}",
        f"{answers.alarms} of {answers.real}",
    )
