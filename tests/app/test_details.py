from __future__ import annotations

from typing import Any

from napari_cytosynth.app.details import DESCRIBE
from napari_cytosynth.testing.desk import Desk, HeldRunner


def _first_told(desk: Desk) -> Any:
    """Walk along the grid to a cell whose picture and outline agree."""
    for row in range(len(desk.session.state.listing)):
        desk.views.annotate.cellChosen.emit(row)
        if desk.views.annotate.shown("show_details"):
            return desk.session.state.focus
    raise AssertionError("no cell is described")


def test_the_focused_cell_is_described(desk: Desk) -> None:
    _first_told(desk)
    (line,) = desk.views.annotate.shown("show_details")
    assert line.startswith("Measured: N/C 0.")
    assert "µm" in line


def test_what_is_known_is_told_at_once_and_not_made_again(
    held: Desk, runner: HeldRunner
) -> None:
    view = held.views.annotate
    view.cellChosen.emit(0)
    assert view.shown("show_details") == ()
    runner.release(DESCRIBE)
    while DESCRIBE in runner.running():
        runner.release(DESCRIBE)
    view.cellChosen.emit(1)
    view.cellChosen.emit(0)
    assert DESCRIBE not in runner.running()
    assert held.session.details.lines(held.session.state.focus) == view.shown(
        "show_details"
    )


def test_a_picture_cut_anew_is_described_anew(desk: Desk) -> None:
    cell = _first_told(desk)
    assert desk.session.details.lines(cell)
    desk.session.on_picture_cut(cell)
    assert desk.session.details.lines(cell) == ()


def test_a_cell_struck_out_meanwhile_is_no_failure(
    held: Desk, runner: HeldRunner
) -> None:
    held.views.annotate.cellChosen.emit(0)
    assert held.session.remove_cell()
    while DESCRIBE in runner.running():
        runner.release(DESCRIBE)
    assert held.failures == []
