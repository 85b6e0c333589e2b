"""Dialogs and the first page, with real Qt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Points
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialogButtonBox, QFileDialog, QMessageBox, QWidget

from napari_cytosynth._gui.adding import AddDialog
from napari_cytosynth._gui.settings import read_settings
from napari_cytosynth._gui.start import StartPage
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project
from napari_cytosynth.testing.tiny import tiny_synthetic
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.model_card import weights_name

Left = Qt.MouseButton.LeftButton
Ok = QDialogButtonBox.StandardButton.Ok


def test_smears_are_gathered_and_told_with_their_group(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = AddDialog(parent)
    told: list[tuple[list[str], str]] = []
    dialog.smearsChosen.connect(lambda paths, group: told.append((paths, group)))
    dialog.open()
    confirm = dialog.buttons.button(Ok)
    assert not confirm.isEnabled()
    dialog.take(["/a/one.png", "/a/two.ome.zarr", "/a/one.png"])
    assert dialog.paths == ["/a/one.png", "/a/two.ome.zarr"]
    QTest.keyClicks(dialog.group, " patient 7 ")
    QTest.mouseClick(confirm, Left)
    assert told == [(["/a/one.png", "/a/two.ome.zarr"], "patient 7")]


def test_a_folder_is_asked_for_where_a_smear_is_one(
    qtbot: QtBot, tmp_path: Path
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = AddDialog(parent)
    dialog.open()
    for button, mode in (
        (dialog.folder, QFileDialog.FileMode.Directory),
        (dialog.files, QFileDialog.FileMode.ExistingFiles),
    ):
        QTest.mouseClick(button, Left)
        asked = dialog.findChildren(QFileDialog)[-1]
        assert asked.fileMode() == mode
        asked.filesSelected.emit([str(tmp_path / mode.name)])
        asked.close()
    assert [Path(p).name for p in dialog.paths] == ["Directory", "ExistingFiles"]
    dialog.list.selectAll()
    QTest.mouseClick(dialog.remove, Left)
    assert dialog.paths == []
    dialog.close()


@pytest.mark.parametrize(("key", "mode"), [("import", "r"), ("export", "w")])
def test_folder_formats_ask_for_a_folder(window: Any, key: str, mode: str) -> None:
    window.dialogs.open(key)
    form = window.dialogs.shown.form
    for name, wanted in (("csv", mode), ("voc", "d"), ("coco", mode), ("yolo", "d")):
        form["format"].value = name
        assert form["path"].mode.value == wanted, name
    window.dialogs.close()


@pytest.mark.parametrize("key", ["import", "export"])
def test_ok_waits_for_a_file(window: Any, tmp_path: Path, key: str) -> None:
    window.dialogs.open(key)
    dialog = window.dialogs.shown
    assert not dialog.confirm.isEnabled()
    dialog.form["path"].value = tmp_path / "labels.json"
    assert dialog.confirm.isEnabled()
    dialog.reject()
    assert window.dialogs.shown is None
    grid = window.docks.panels.annotate.grid
    assert grid.window().focusWidget() is grid


def test_import_maps_classes_and_replaces_labels(
    qtbot: QtBot, window: Any, tmp_path: Path
) -> None:
    session = window.session
    qtbot.waitUntil(lambda: not session.state.tasks, timeout=20_000)
    cell = session.state.focus
    session.label("BA")
    target = tmp_path / "labels.csv"
    session.export_labels(target, "csv")
    qtbot.waitUntil(lambda: target.exists() and not session.state.tasks, timeout=20_000)
    target.write_text(target.read_text().replace("BA", "theirs"))
    window.dialogs.open("import")
    dialog = window.dialogs.shown
    dialog.form["format"].value = "csv"
    dialog.form["path"].value = target
    dialog.form["mapping"].value = "theirs=MO"
    dialog.form["replace_labels"].value = True
    dialog.accept()
    journal = session.project.journal
    qtbot.waitUntil(lambda: journal.label(cell).code == "MO", timeout=20_000)


def test_the_pixel_size_is_corrected_from_the_strip(
    qtbot: QtBot, window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, strip = window.session, window.docks.panels.status
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        session.scaling, "change", lambda s, mpp, anew: asked.append((s, mpp, anew))
    )
    qtbot.waitUntil(lambda: strip.scale.text() == "0.25 um/px", timeout=20_000)
    QTest.mouseClick(strip.scale, Left)
    dialog = window.dialogs.shown
    assert dialog.form["mpp"].value == 0.25
    assert "0.25 um/px" in dialog.windowTitle()
    dialog.form["mpp"].value = 0.312
    dialog.accept()
    assert asked == [(session.state.smear, 0.312, True)]


def test_the_canvas_follows_another_pixel_size(qtbot: QtBot, window: Any) -> None:
    session = window.session
    qtbot.waitUntil(lambda: not session.state.tasks, timeout=20_000)
    smear, project = session.state.smear, session.project
    # The smear lies below all else.
    shown = window.viewer.layers[0]
    assert tuple(shown.scale) == (0.25, 0.25)
    other = project.calibration(smear).to_json() | {"mpp": 0.4}
    (event,) = project.record(Author("reader").scale_changed(smear, other))
    session.on_scale_switched(smear)
    qtbot.waitUntil(lambda: tuple(shown.scale) == (0.4, 0.4), timeout=20_000)
    table = project.cells()
    middles = table.boxes[:, :2] + table.boxes[:, 2:] / 2
    wanted = (middles[table.smears == smear, ::-1] - 0.5) * 0.4

    def drawn() -> bool:
        rings = [la.data for la in window.viewer.layers if isinstance(la, Points)]
        if not rings:
            return False
        away = np.abs(rings[0][:, None] - wanted[None]).max(axis=2)
        return bool(away.min(axis=0).max() < 0.1)

    qtbot.waitUntil(drawn, timeout=20_000)
    session.undo()
    qtbot.waitUntil(lambda: tuple(shown.scale) == (0.25, 0.25), timeout=20_000)
    assert [e.id for e in project.journal.redo_step("reader")] == [event.id]


def test_a_mapping_that_cannot_be_read_says_how_to_write_it(window: Any) -> None:
    window.session.import_labels("a.csv", "csv", mapping="theirs")
    assert "THEIRS=OURS" in window.session.state.failure


def test_classes_of_a_project_that_is_there_are_its_own(
    qtbot: QtBot, tmp_path: Path
) -> None:
    create_project(tmp_path / "old.cytosynth", built_in("blood5")).close()
    page = StartPage(read_settings())
    qtbot.addWidget(page)
    page.folder.setText(str(tmp_path / "new.cytosynth"))
    page.taxonomy.setCurrentIndex(1)
    page.taxonomy.activated.emit(1)
    chosen = page.taxonomy.itemData(1)
    page.folder.setText(str(tmp_path / "old.cytosynth"))
    assert page.taxonomy.currentText() == ""
    page.folder.setText(str(tmp_path / "new.cytosynth"))
    with qtbot.waitSignal(page.openAsked) as asked:
        QTest.mouseClick(page.open, Left)
    assert asked.args[1] == chosen == page.taxonomy.currentData()
    assert page.open.isEnabled()


def test_a_lock_of_another_computer_is_named_and_taken_over(
    qtbot: QtBot, viewer: Any, tmp_path: Path
) -> None:
    folder = tmp_path / ("a-long-name-of-a-folder-" * 4) / "a.cytosynth"
    folder.parent.mkdir()
    create_project(folder, built_in("pbc11")).close()
    holder = {"host": "scanner-room", "pid": 4711, "started": 1.0}
    (folder / "project.lock").write_text(json.dumps(holder))
    _, widget = viewer.window.add_plugin_dock_widget("napari-cytosynth", "CytoSynth")
    start = widget.start
    start.folder.setText(str(folder))
    start.annotator.setText("reader")
    assert start.folder.toolTip() == str(folder)
    assert start.take_over.isHidden()
    QTest.mouseClick(start.open, Left)
    assert widget.opened is None
    assert "scanner-room" in start.failure.text()
    assert not start.take_over.isHidden()
    assert "4711" in start.take_over.text()
    QTest.mouseClick(start.take_over, Left)
    assert widget.opened is not None
    widget.opened.close()


def test_a_living_process_of_this_computer_is_not_taken_over(
    qtbot: QtBot, viewer: Any, tmp_path: Path
) -> None:
    held = create_project(tmp_path / "a.cytosynth", built_in("pbc11"))
    _, widget = viewer.window.add_plugin_dock_widget("napari-cytosynth", "CytoSynth")
    widget.start.folder.setText(str(tmp_path / "a.cytosynth"))
    QTest.mouseClick(widget.start.open, Left)
    assert widget.opened is None
    assert "process" in widget.start.failure.text()
    assert widget.start.take_over.isHidden()
    held.close()


def ready_to_export(window: Any, folder: Path) -> Any:
    """Open the form, and choose the generators with what learned patients' cells."""
    project = window.session.project
    weights = Weights({"w": np.ones(3, np.float32)}, {"personal": True})
    project.put_model(weights_name("latent", "BA"), weights)
    project.put_job(Ask("BA", 1).job(0))
    window.dialogs.open("export")
    form = window.dialogs.shown.form
    assert not form["include_adapter"].enabled
    form["format"].value = "generators"
    assert form["include_adapter"].enabled
    assert not form["include_synthetic"].enabled
    form["path"].value = folder
    return window.dialogs.shown


def test_generators_leave_the_window_without_adapters(
    qtbot: QtBot, window: Any, tmp_path: Path
) -> None:
    ready_to_export(window, tmp_path / "out").accept()
    card = tmp_path / "out" / "model-card-latent.md"
    qtbot.waitUntil(card.is_file, timeout=20_000)
    assert not list(card.parent.glob("*.safetensors"))


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.No, None])
def test_an_adapter_stays_where_the_question_is_not_confirmed(
    qtbot: QtBot, window: Any, tmp_path: Path, answer: Any
) -> None:
    dialog = ready_to_export(window, tmp_path / "out")
    dialog.form["include_adapter"].value = True
    dialog.accept()
    box = window.dialogs.shown
    assert "cells of this project's patients" in box.text()
    assert box.defaultButton() is box.button(QMessageBox.StandardButton.No)
    if answer is None:
        QTest.keyClick(box, Qt.Key.Key_Escape)
    else:
        QTest.mouseClick(box.button(answer), Left)
    assert window.dialogs.shown is None
    assert not window.session.state.tasks
    assert not (tmp_path / "out").exists()


def test_an_adapter_leaves_after_a_yes(
    qtbot: QtBot, window: Any, tmp_path: Path
) -> None:
    dialog = ready_to_export(window, tmp_path / "out")
    dialog.form["include_adapter"].value = True
    dialog.accept()
    box = window.dialogs.shown
    QTest.mouseClick(box.button(QMessageBox.StandardButton.Yes), Left)
    weights = tmp_path / "out" / "latent-BA.safetensors"
    qtbot.waitUntil(weights.is_file, timeout=20_000)


def ready_to_give(window: Any, folder: Path, *, real: bool) -> Any:
    """Open the form, and choose a data set of the synthetic cells."""
    project = window.session.project
    (cell,) = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 1))
    project.record(Author("Ada").verdict(cell.id, accept=True))
    window.dialogs.open("export")
    form = window.dialogs.shown.form
    assert not form["real"].enabled
    form["format"].value = "croissant"
    for name in ("real", "licence", "creator"):
        assert form[name].enabled, name
    assert not form["include_synthetic"].enabled
    form["path"].value = folder
    form["creator"].value = "A hospital"
    form["real"].value = real
    return window.dialogs.shown


def test_a_data_set_leaves_the_window(
    qtbot: QtBot, window: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ready_to_give(window, out, real=False).accept()
    qtbot.waitUntil((out / "croissant.json").is_file, timeout=20_000)
    told = json.loads((out / "croissant.json").read_text(encoding="utf-8"))
    assert told["creator"]["name"] == "A hospital"
    assert not (out / "real").exists()


def test_real_cells_leave_the_window_after_a_yes(
    qtbot: QtBot, window: Any, tmp_path: Path
) -> None:
    session, out = window.session, tmp_path / "out"
    qtbot.waitUntil(lambda: not session.state.tasks, timeout=20_000)
    session.label("BA")
    ready_to_give(window, out, real=True).accept()
    box = window.dialogs.shown
    assert "pictures of cells of patients" in box.text()
    assert box.defaultButton() is box.button(QMessageBox.StandardButton.No)
    assert not out.exists()
    QTest.mouseClick(box.button(QMessageBox.StandardButton.Yes), Left)
    qtbot.waitUntil((out / "croissant.json").is_file, timeout=20_000)
    assert len(list(out.glob("real/*/*.png"))) == 1
