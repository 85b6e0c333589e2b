"""Panels by themselves: what they show, and what they tell."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QPushButton, QToolTip, QWidget

from napari_cytosynth._gui.annotate import CommentLine, DetailLine
from napari_cytosynth._gui.classes import ClassesWidget
from napari_cytosynth._gui.classlist import (
    CLASS,
    SYNTHETIC_COUNT,
    ClassModel,
    describe_row,
    figures_of,
)
from napari_cytosynth._gui.evidence import EvidenceWidget
from napari_cytosynth._gui.heartbeat import Heartbeat
from napari_cytosynth._gui.learning import HEIGHT, LearningPlot
from napari_cytosynth._gui.paint import draw_symbol
from napari_cytosynth._gui.review import ReviewWidget
from napari_cytosynth._gui.status import NOTICE, StatusStrip, TaskBars
from napari_cytosynth._gui.synthesize import SynthesizeWidget
from napari_cytosynth._gui.theme import Colours, ink_on
from napari_cytosynth._gui.toolrow import ToolRow
from napari_cytosynth._gui.turns import SWITCH_SECONDS, QuickTurns
from napari_cytosynth.app.panels import (
    DOUBTED,
    FAULTY,
    ClassRow,
    Curve,
    Figure,
    FillForm,
    Learning,
    Sort,
    StatusLine,
    Tab,
    TaskStatus,
)
from napari_cytosynth.core.registry import settings_of
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.evidence.tabulated import Line

DARK = Colours.of("dark")
Left = Qt.MouseButton.LeftButton


def test_a_remark_is_given_or_left(qtbot: QtBot) -> None:
    line = CommentLine()
    qtbot.addWidget(line)
    line.ask("")
    QTest.keyClicks(line, "vacuoles")
    with qtbot.waitSignal(line.given) as told:
        QTest.keyClick(line, Qt.Key.Key_Return)
    assert told.args == ["vacuoles"]
    assert line.isHidden()
    line.ask("old")
    with qtbot.assertNotEmitted(line.given), qtbot.waitSignal(line.left):
        QTest.keyClick(line, Qt.Key.Key_Escape)


def test_short_tasks_are_not_shown_and_long_ones_can_be_cancelled(
    qtbot: QtBot,
) -> None:
    bars = TaskBars()
    qtbot.addWidget(bars)
    bars.show_tasks((TaskStatus("learn", "Learning"),))
    bars.show_tasks(())
    assert bars.isHidden()
    bars.show_tasks((TaskStatus("open", "Finding cells", 1, 4, "tile 1"),))
    qtbot.waitUntil(lambda: not bars.isHidden())
    (button,) = bars.findChildren(QPushButton)
    with qtbot.waitSignal(bars.cancelAsked) as told:
        QTest.mouseClick(button, Left)
    assert told.args == ["open"]
    bars.show_tasks(())
    assert bars.isHidden()


def test_no_choice_of_the_tool_row_is_cut_off(qtbot: QtBot) -> None:
    row = ToolRow()
    qtbot.addWidget(row)
    for box in (row.sort, row.quality):
        for place in range(box.count()):
            box.setCurrentIndex(place)
            assert box.maximumWidth() >= box.sizeHint().width(), box.currentText()


def test_the_strip_says_who_what_and_the_notice(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("napari_cytosynth._gui.status.show_error", told.append)
    strip = StatusStrip()
    qtbot.addWidget(strip)
    strip.show_status(StatusLine("Ada", "p", 3, 9, "abcdef123", "label BA", ""))
    assert strip.annotator.text() == "Ada"
    assert strip.undo.isEnabled()
    assert not strip.redo.isEnabled()
    assert "label BA" in strip.undo.toolTip()
    assert strip.notice.text() == NOTICE
    strip.show_failure("The disk is full. Free some space.")
    assert told == ["The disk is full. Free some space."]


def test_the_strip_shows_the_pixel_size_and_marks_an_unsure_one(qtbot: QtBot) -> None:
    strip = StatusStrip()
    qtbot.addWidget(strip)
    strip.show()
    assert not strip.scale.isVisible()
    words = "0.21 um/px, from 31 red cells, confidence high"
    strip.show_status(StatusLine("Ada", "p", 3, 9, scale=words))
    assert strip.scale.text() == "0.21 um/px"
    assert words in strip.scale.toolTip()
    assert not strip.scale.property("unsure")
    words = "0.25 um/px, assumed, confidence low"
    strip.show_status(StatusLine("Ada", "p", 3, 9, scale=words, unsure=True))
    assert strip.scale.text() == "0.25 um/px ?"
    assert strip.scale.property("unsure")
    with qtbot.waitSignal(strip.scaleAsked):
        QTest.mouseClick(strip.scale, Qt.MouseButton.LeftButton)


def test_choices_set_by_command_stay_silent(qtbot: QtBot) -> None:
    row = ToolRow()
    qtbot.addWidget(row)
    row.show_choices((("BA", "Basophil"),), ("margin", "rare"))
    signals = [
        row.tabChosen,
        row.filterChosen,
        row.sortChosen,
        row.strategyChosen,
        row.blindToggled,
    ]
    told: list[object] = []
    for signal in signals:
        signal.connect(told.append)
    row.show_tab(Tab.PREDICTED)
    assert row.sort.itemText(0) == "least sure prediction"
    row.show_filter("BA")
    row.show_sort(Sort.SMEAR)
    row.show_strategy("rare")
    row.show_blind(True)
    assert told == []
    row.show_tab(Tab.QUEUE)
    assert row.sort.itemText(0) == "most worth a label"
    assert row.sentence.toolTip(), "a strategy says in a sentence what it does"


def test_the_learning_curve_is_drawn_and_told(qtbot: QtBot) -> None:
    plot = LearningPlot(Colours.of("dark"))
    qtbot.addWidget(plot)
    plot.resize(500, HEIGHT)
    plot.show()
    plot.show_curve(Learning())
    empty = plot.grab().toImage()
    assert "two classes" in plot.accessibleDescription()
    points = ((10, Figure(0.3, 0.2, 0.5, 40)), (80, Figure(0.8, 0.7, 0.9, 40)))
    plot.show_curve(Learning("accuracy on audit cells, n = 40", points, "few groups"))
    assert plot.grab().toImage() != empty
    assert "10 labels: 0.30 (0.20-0.50)" in plot.accessibleDescription()
    assert plot.toolTip().endswith("few groups")
    lone = Learning("accuracy", points[:1])
    plot.show_curve(lone)
    assert not plot.grab().isNull()


def test_every_strategy_of_the_list_says_what_it_does(qtbot: QtBot) -> None:
    row = ToolRow()
    qtbot.addWidget(row)
    row.show_choices((), ("balanced", "margin", "rare"))
    row.show_tab(Tab.QUEUE)
    row.show()
    row.show_shares("90 % uncertain, 10 % rare")
    row.strategy.showPopup()
    said = [row.strategy.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(3)]
    assert all(sentence.endswith(".") for sentence in said)
    assert len(set(said)) == 3
    row.strategy.hidePopup()
    row.show_strategy("rare")
    assert not row.shares.isVisible()
    row.show_strategy("balanced")
    assert "90 % uncertain" in row.sentence.toolTip()
    with qtbot.waitSignal(row.sharesAsked):
        QTest.mouseClick(row.shares, Qt.MouseButton.LeftButton)


def rows() -> tuple[ClassRow, ...]:
    measured = Figure(0.8, 0.6, 0.9, 12)
    return (
        ClassRow("BA", "Basophil", "7", "#6a3d9a", "cross", accepted=2, proposed=3),
        ClassRow("MO", "Monocyte", "8", "#56b4e9", "disc", precision=measured),
        ClassRow("ART", "Artefact", "x", "#616161", "x", can_fill=False),
    )


def test_figures_come_with_intervals_or_not_at_all() -> None:
    assert figures_of(rows()[0]) == "P, R cannot be estimated yet"
    assert figures_of(rows()[1]) == "P .80 (.60\u2013.90)  R not yet"
    assert "2 synthetic accepted" in describe_row(rows()[0])


def test_the_synthetic_count_says_what_its_plus_means(qtbot: QtBot) -> None:
    model = ClassModel()
    model.replace(rows())
    told = [
        model.data(model.index(row, SYNTHETIC_COUNT), Qt.ItemDataRole.ToolTipRole)
        for row in range(2)
    ]
    assert told[0].startswith("2 synthetic BA accepted")
    assert (
        "+3 passed the gate and wait for your verdict in the tab Synthetic" in told[0]
    )
    assert told[1].startswith("Synthetic cells: accepted, and after +")


def test_a_reference_shows_beside_its_row(qtbot: QtBot) -> None:
    widget = ClassesWidget(DARK)
    qtbot.addWidget(widget)
    widget.resize(460, 300)
    widget.show()
    widget.show_rows(rows())
    table = widget.table
    with qtbot.waitSignal(widget.referenceAsked) as told:
        table._hover(table.classes.index(1, CLASS))
    assert told.args == ["MO"]
    crop = np.full((96, 96, 3), 128, np.uint8)
    widget.show_reference("BA", crop)
    assert widget._popup.isHidden(), "late answers for another row are dropped"
    widget.show_reference("MO", crop)
    assert not widget._popup.isHidden()
    widget.hide()
    assert widget._popup.isHidden()


def test_evidence_draws_and_describes_itself(qtbot: QtBot) -> None:
    widget = EvidenceWidget(DARK)
    qtbot.addWidget(widget)
    widget.resize(900, 300)
    widget.show()
    empty = widget.plot.grab().toImage()
    curve = Curve(
        "Recall of BA on audit cells",
        ("real only", "synthetic"),
        (Figure(0.5, 0.2, 0.8, 10), Figure()),
    )
    widget.show_curves((curve,))
    assert widget.plot.grab().toImage() != empty
    words = widget.plot.accessibleDescription()
    assert "real only 0.50 (0.20-0.80)" in words
    assert "synthetic cannot be estimated yet" in words


def test_evidence_tabulates_what_was_measured_each_with_its_n(qtbot: QtBot) -> None:
    widget = EvidenceWidget(DARK)
    qtbot.addWidget(widget)
    widget.resize(1200, 300)
    widget.show()
    table = widget.inspected
    assert table.isHidden()
    why = "150 cells of 384 numbers each: it takes more cells than numbers to have it"
    lines = (
        Line("BA", "density", "0.83", "0.97 +/- 0.02", "40", "how thickly"),
        Line("BA", "Frechet distance", why, "", "", "how far"),
    )
    widget.show_inspected(lines)
    assert table.isVisible()
    model = table.model()
    words = [model.index(0, column).data() for column in range(model.columnCount())]
    assert words == ["BA", "density", "0.83", "0.97 +/- 0.02", "40"]
    tip = Qt.ItemDataRole.ToolTipRole
    assert model.index(0, 1).data(tip) == "how thickly"
    assert model.index(1, 2).data() == why
    assert table.columnSpan(1, 2) == 3
    assert table.columnSpan(0, 2) == 1
    width = widget.fontMetrics().horizontalAdvance
    for column, told in enumerate(lines[0].words):
        assert table.columnWidth(column) > width(told)
    # Nothing is cut: the scroll area around it scrolls.
    assert table.height() >= 2 * table.rowHeight(0)
    widget.show_inspected(lines[:1])
    assert table.columnSpan(0, 2) == 1
    widget.show_inspected(())
    assert table.isHidden()


def test_the_fill_form_asks_what_the_workflow_takes(qtbot: QtBot) -> None:
    panel = SynthesizeWidget()
    qtbot.addWidget(panel)
    assert panel.isHidden()
    form = FillForm("BA", "Basophil", 0, 24, ("latent",), "unverified")
    panel.show_form(form)
    assert panel.form is not None
    assert {w.name for w in panel.form} == {"count", "generator"}
    assert "unverified" in panel.warning.text()
    with qtbot.waitSignal(panel.fillAsked) as told:
        QTest.mouseClick(panel.start, Left)
    assert told.args == ["BA", 24, "latent", {}]
    assert panel.isHidden()


def test_the_fill_form_folds_the_options_of_the_generator(qtbot: QtBot) -> None:
    panel = SynthesizeWidget()
    qtbot.addWidget(panel)
    panel.show()
    offered = {key: settings_of(key) for key in ("latent", "lora", "embedding")}
    names = tuple(offered)
    panel.show_form(FillForm("BA", "Basophil", 4, 24, names, settings=offered))
    rows = panel.more.rows
    assert not rows["strategy"].box.native.isVisible()
    QTest.mouseClick(panel.more.fold, Left)
    assert rows["strategy"].box.native.isVisible()
    assert not rows["strength"].box.enabled, "it does nothing for a new cell"
    assert rows["strategy"].told.text() == "A new cell."
    rows["strategy"].box.value = "variation"
    assert rows["strength"].box.enabled
    assert "as far as the strength says" in rows["strategy"].told.text()
    assert all(row.told.text().endswith(".") for row in rows.values())
    assert panel.form is not None
    panel.form["generator"].value = "lora"
    assert "base" in panel.more.rows
    panel.form["generator"].value = "embedding"
    assert panel.more.isHidden()
    panel.form["generator"].value = "latent"
    panel.more.rows["steps"].box.value = 6
    with qtbot.waitSignal(panel.fillAsked) as told:
        QTest.mouseClick(panel.start, Left)
    assert told.args[3]["steps"] == 6
    assert told.args[3]["strategy"] == "class"


def test_the_fill_form_tells_vectors_from_cells(qtbot: QtBot) -> None:
    panel = SynthesizeWidget()
    qtbot.addWidget(panel)
    form = FillForm(
        "BA",
        "Basophil",
        4,
        24,
        ("latent", "lora", "embedding"),
        vectors=7,
        notes={"embedding": "never shown as pictures", "lora": "needs a GPU"},
    )
    panel.show_form(form)
    assert "7 synthetic vectors" in panel.title.text()
    assert panel.warning.isHidden()
    assert panel.form is not None
    panel.form["generator"].value = "embedding"
    assert "never shown as pictures" in panel.warning.text()
    assert panel.start.text() == "Make synthetic vectors"
    panel.form["generator"].value = "lora"
    assert "needs a GPU" in panel.warning.text()
    assert panel.start.text() == "Make synthetic cells"
    panel.form["generator"].value = "latent"
    assert panel.warning.isHidden()
    with qtbot.waitSignal(panel.removeAsked) as told:
        QTest.mouseClick(panel.remove, Left)
    assert told.args == ["BA"]
    assert panel.isHidden()


def test_evidence_says_how_far_the_labelling_is(qtbot: QtBot) -> None:
    widget = EvidenceWidget(DARK)
    qtbot.addWidget(widget)
    widget.show()
    widget.show_progress(("Accuracy on audit cells: 0.90.", "More labels help."))
    assert widget.progress.isVisible()
    assert widget.progress.text().splitlines()[1] == "More labels help."
    widget.show_progress(())
    assert not widget.progress.isVisible()


def test_the_verdict_is_what_is_read_first(qtbot: QtBot) -> None:
    widget = EvidenceWidget(DARK)
    qtbot.addWidget(widget)
    widget.resize(1578, 257)  # the dock in a window of 1600 x 1000
    widget.show()
    widget.show_progress(("Accuracy on audit cells: 0.90.", "Long words. " * 40))
    widget.show_verdict("no benefit found: " + "+0.02 recall of MMZ; " * 6, ("few",))
    area = widget.verdict.window()

    def top_left(part: QWidget) -> QPoint:
        return part.mapTo(area, QPoint(0, 0))

    qtbot.waitUntil(lambda: widget.verdict.height() > 30)
    first = top_left(widget.verdict)
    for part in (widget.progress, widget.caveats, widget.learning, widget.plot):
        assert first.x() < top_left(part).x() or first.y() < top_left(part).y()
    assert first.x() < 40
    assert first.y() < 20
    # It is seen whole, without scrolling.
    assert widget.verdict.visibleRegion().boundingRect() == widget.verdict.rect()


def test_the_filter_lists_doubted_labels_and_wrong_boxes(qtbot: QtBot) -> None:
    tools = ToolRow()
    qtbot.addWidget(tools)
    tools.show_choices((("BA", "Basophil"),), ("balanced",))
    chosen: list[str] = []
    tools.filterChosen.connect(chosen.append)
    for named in (DOUBTED, FAULTY):
        tools.filter.setCurrentIndex(tools.filter.findData(named))
        tools.filter.activated.emit(tools.filter.currentIndex())
    assert chosen == [DOUBTED, FAULTY]


def test_evidence_leaves_no_word_cut(qtbot: QtBot) -> None:
    widget = EvidenceWidget(DARK)
    qtbot.addWidget(widget)
    widget.resize(1580, 260)
    widget.show()
    cases = ("real cells alone", "real and accepted synthetic cells" * 2)
    figures = (Figure(0.5, 0.2, 0.8, 10), Figure())
    title = "Macro-F1 on audit cells, over 17 of 21 classes: " + "ABC, " * 60
    widget.show_curves((Curve(title, cases, figures),))
    widget.show_verdict("no benefit found", ("a caveat of many words " * 9,) * 9)
    plot, words = widget.plot, widget.fontMetrics()
    assert plot._names > words.horizontalAdvance(cases[1])
    assert plot._numbers > words.horizontalAdvance("cannot be estimated yet")
    # A title of several lines takes their height, and what is below is scrolled to.
    assert plot.minimumHeight() > 2 * words.height() + 2 * 24 + 26
    label = widget.caveats
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()))
    with qtbot.assertNotEmitted(widget.reportAsked):
        QTest.mouseClick(widget.save, Left)
    widget.show_report(True)
    QTest.mouseClick(widget.save, Left)
    dialog = widget.findChild(QFileDialog)
    with qtbot.waitSignal(widget.reportAsked) as told:
        dialog.fileSelected.emit("/somewhere/report.html")
    assert told.args == ["/somewhere/report.html"]
    dialog.close()


def test_a_heartbeat_sees_a_block(qtbot: QtBot) -> None:
    heart = Heartbeat()
    heart.start()
    qtbot.wait(50)
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass
    qtbot.wait(50)
    heart.stop()
    assert heart.longest >= 0.15


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_symbol_leaves_a_mark(qtbot: QtBot, name: str) -> None:
    from qtpy.QtCore import QRectF
    from qtpy.QtGui import QImage, QPainter

    def drawn(symbol: str) -> Any:
        image = QImage(20, 20, QImage.Format.Format_RGB32)
        image.fill(0)
        painter = QPainter(image)
        draw_symbol(painter, symbol, "#ffffff", QRectF(3, 3, 14, 14))
        painter.end()
        return image

    blank = QImage(20, 20, QImage.Format.Format_RGB32)
    blank.fill(0)
    for cell_class in built_in(name):
        assert drawn(cell_class.symbol) != blank, cell_class.symbol


def test_ink_reads_on_every_class_colour() -> None:
    for name in BUILT_IN:
        for cell_class in built_in(name):
            assert ink_on(cell_class.colour) in ("#000000", "#ffffff")
    assert ink_on("#ffffff") == "#000000"
    assert ink_on("#000000") == "#ffffff"


def test_turns_are_short_only_while_asked() -> None:
    before = sys.getswitchinterval()
    turns = QuickTurns()
    turns.begin()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    turns.begin()
    turns.end()
    turns.end()
    assert sys.getswitchinterval() == pytest.approx(before)


def test_the_closest_real_cell_is_a_picture_beside_the_critics(qtbot: QtBot) -> None:
    page = ReviewWidget(DARK)
    qtbot.addWidget(page)
    page.show()
    assert page.nearest.isHidden()
    page.show_nearest(np.full((96, 96, 3), (200, 10, 10), np.uint8), "Closest: 7")
    assert page.nearest.isVisible()
    middle = page.nearest.pixmap().toImage().pixelColor(40, 40)
    assert (middle.red(), middle.green()) == (200, 10)
    assert page.nearest_words.text() == "Closest: 7"
    page.show_nearest(None, "")
    assert page.nearest.isHidden()


def test_what_is_shown_of_the_synthetic_cells_is_chosen_in_a_box(
    qtbot: QtBot,
) -> None:
    page = ReviewWidget(DARK)
    qtbot.addWidget(page)
    told: list[str] = []
    page.sieveChosen.connect(told.append)
    page.show_sieves((("", "all (2)"), ("refused:copy", "refused by copy (1)")), "")
    page.show_sieves(
        (("", "all (2)"), ("refused:copy", "refused by copy (1)")), "refused:copy"
    )
    assert page.sieve.currentText() == "refused by copy (1)"
    assert page.sieve.count() == 2
    assert told == []
    page.sieve.setCurrentIndex(0)
    page.sieve.activated.emit(0)
    assert told == [""]


def test_the_detail_line_stays_once_it_was_shown(qtbot: QtBot) -> None:
    line = DetailLine()
    qtbot.addWidget(line)
    line.show_lines(())
    assert line.isHidden()
    line.show_lines(("N/C 0.40.", "Round nucleus."))
    assert line.text() == "N/C 0.40.  Round nucleus."
    line.show_lines(())
    assert not line.isHidden()
    assert line.text() == ""


def test_a_choice_with_little_room_is_shortened_and_told_on_hovering(
    qtbot: QtBot,
) -> None:
    row = ToolRow()
    qtbot.addWidget(row)
    row.show_choices((("EOS", "Eosinophil of a very long name indeed"),), ("margin",))
    row.resize(1400, 40)
    row.show()
    qtbot.waitExposed(row)
    row.show_filter("EOS")
    assert row.filter.shown_text().endswith("\u2026")
    assert row.sort.shown_text() == row.sort.currentText()
    QApplication.sendEvent(
        row.filter, QHelpEvent(QEvent.Type.ToolTip, QPoint(3, 3), QPoint(3, 3))
    )
    assert row.filter.toolTip().endswith("a very long name indeed")
    QToolTip.hideText()


def test_a_long_name_of_a_project_leaves_the_counts_in_sight(qtbot: QtBot) -> None:
    strip = StatusStrip()
    qtbot.addWidget(strip)
    strip.resize(1100, 60)
    strip.show()
    qtbot.waitExposed(strip)
    strip.show_status(StatusLine("reader", "a patient " * 20, 30, 120, "abc"))
    assert strip.line.text().startswith("30 of 120 cells")
    assert strip.line.toolTip().rstrip().endswith("a patient")
