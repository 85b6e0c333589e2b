"""The blinded reader test in the real window: keys, closing, going on, the result."""

from __future__ import annotations

from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_cytosynth._gui.blinded import BlindedDialog
from napari_cytosynth.core.journal import Author
from napari_cytosynth.testing.tiny import tiny_synthetic
from napari_cytosynth.workflows.reader_test import calls_of, offer, open_test, results

Left = Qt.MouseButton.LeftButton


@pytest.fixture
def full(window: Any, qtbot: QtBot) -> Any:
    """The window over labelled real cells, and painted ones of three classes."""
    project = window.session.project
    qtbot.waitUntil(lambda: not window.session.state.tasks, timeout=20_000)
    author = Author("reader")
    project.record(*(author.label(cell, code) for cell, code in window.truth.items()))
    for code in ("BA", "EO", "LY"):
        project.add_synthetic(tiny_synthetic(project.taxonomy, code, 3))
    return window


def opened(window: Any) -> BlindedDialog:
    QTest.mouseClick(window.docks.panels.review.blinded, Left)
    dialog = window.dialogs.shown
    assert isinstance(dialog, BlindedDialog)
    return dialog


def begun(qtbot: QtBot, window: Any) -> BlindedDialog:
    dialog = opened(window)
    assert dialog.start.resume.isHidden()
    qtbot.waitUntil(dialog.start.begin.isEnabled, timeout=20_000)
    dialog.start.cells.setValue(10)
    QTest.mouseClick(dialog.start.begin, Left)
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.cell, timeout=20_000)
    return dialog


def test_it_is_made_when_asked_for(window: Any) -> None:
    from qtpy.QtWidgets import QApplication

    assert not any(isinstance(w, BlindedDialog) for w in QApplication.allWidgets())
    dialog = opened(window)
    dialog.close()


def test_keys_call_cells_and_the_result_comes_at_the_end(
    qtbot: QtBot, full: Any
) -> None:
    dialog = begun(qtbot, full)
    test = open_test(full.session.project, "reader")
    assert test is not None
    for number, shown in enumerate(test.cells, 1):
        assert dialog.cell.place.text() == f"{number} of 10"
        assert dialog.pages.currentWidget() is dialog.cell
        assert dialog.focusWidget() is dialog.cell
        assert dialog.cell.picture.pixmap().width() == 384
        key = Qt.Key.Key_S if shown.synthetic else Qt.Key.Key_R
        QTest.keyClick(dialog.cell, key)
    assert dialog.pages.currentWidget() is dialog.result
    assert dialog.sentence.text().startswith("100% right")
    heads = [
        dialog.table.verticalHeaderItem(row).text()
        for row in range(dialog.table.rowCount())
    ]
    assert heads[0] == "all cells"
    assert "made by tiny" in heads
    assert len(results(full.session.project)) == 1
    dialog.close()
    assert full.dialogs.shown is None


def test_it_is_closed_by_escape_and_gone_on_with(qtbot: QtBot, full: Any) -> None:
    dialog = begun(qtbot, full)
    QTest.keyClick(dialog.cell, Qt.Key.Key_R)
    QTest.mouseClick(dialog.cell.synthetic, Left)
    QTest.keyClick(dialog.cell, Qt.Key.Key_S)
    QTest.keyClick(dialog.cell, Qt.Key.Key_Backspace)
    assert dialog.cell.place.text() == "3 of 10"
    QTest.keyClick(dialog.cell, Qt.Key.Key_R)
    QTest.keyClick(dialog.cell, Qt.Key.Key_Escape)
    assert full.dialogs.shown is None
    project = full.session.project
    test = open_test(project, "reader")
    assert test is not None
    assert calls_of(project, test) == {0: False, 1: True, 2: False}
    again = opened(full)
    assert again.start.resume.text() == "Go on at 4 of 10"
    QTest.mouseClick(again.start.resume, Left)
    qtbot.waitUntil(lambda: again.cell.place.text() == "4 of 10", timeout=20_000)
    again.close()


def test_it_says_why_there_is_no_test(qtbot: QtBot, window: Any) -> None:
    dialog = opened(window)
    said = dialog.start.earlier
    qtbot.waitUntil(lambda: "there are 0" in said.text(), timeout=20_000)
    assert not dialog.start.begin.isEnabled()
    assert dialog.start.begin.toolTip() in said.text()
    dialog.close()


def test_it_offers_no_more_cells_than_there_are(qtbot: QtBot, full: Any) -> None:
    dialog = opened(full)
    qtbot.waitUntil(dialog.start.begin.isEnabled, timeout=20_000)
    cells, why = offer(full.session.project)
    assert not why
    assert dialog.start.cells.value() == dialog.start.cells.maximum() == cells
    dialog.close()
