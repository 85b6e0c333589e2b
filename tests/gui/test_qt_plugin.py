"""What napari sees of us: manifest, reader, sample, settings, widget."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManifest
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_cytosynth._gui.canvas import CanvasAdapter
from napari_cytosynth._gui.reader import SMEAR_KEY, get_reader, layer_data
from napari_cytosynth._gui.settings import read_settings

MANIFEST = Path(__file__).parents[2] / "napari_cytosynth" / "napari.yaml"


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_manifest_names_commands_that_exist() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    given = manifest.contributions
    found = {}
    for command in given.commands:
        module, name = command.python_name.split(":")
        found[command.id] = getattr(import_module(module), name)
    assert all(callable(made) for made in found.values())
    used = [c.command for c in (*given.readers, *given.widgets, *given.sample_data)]
    used += [item.command for items in given.menus.values() for item in items]
    assert set(used) == set(found), "each command is offered, and each offer is one"


def test_reading_the_manifest_loads_neither_torch_nor_qt() -> None:
    run(
        "import sys\n"
        "from npe2 import PluginManager\n"
        "m = PluginManager(); m.discover()\n"
        "assert 'napari-cytosynth' in {p.name for p in m.iter_manifests()}\n"
        "heavy = {'torch', 'PyQt6', 'qtpy', 'napari_cytosynth._gui'}\n"
        "assert not heavy & set(sys.modules)"
    )


@pytest.fixture
def field(tmp_path: Path) -> Path:
    path = tmp_path / "field.png"
    Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(path)
    return path


def test_the_reader_gives_a_smear_in_micrometres(field: Path) -> None:
    read = get_reader(str(field))
    assert read is not None
    levels, options, kind = read(str(field))[0]
    assert kind == "image"
    assert levels[0].shape == (40, 60, 3)
    assert options["rgb"]
    assert tuple(options["units"]) == ("um", "um")
    assert options["metadata"][SMEAR_KEY]


def test_the_reader_leaves_other_files_alone(tmp_path: Path, field: Path) -> None:
    notes = tmp_path / "notes.png"
    notes.write_text("no picture")
    assert get_reader(str(notes)) is None
    assert get_reader([str(field), str(notes)]) is None


def test_settings_have_a_page_and_defaults() -> None:
    settings = read_settings()
    assert settings.strategy == "balanced"
    assert settings.taxonomy == "marrow21"
    assert not settings.blind
    assert settings.address == ""
    assert settings.folder.name == "cytosynth"


def test_a_smear_layer_is_taken_over(
    qtbot: QtBot, viewer: Any, window: Any, field: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[list[str]] = []
    monkeypatch.setattr(window.session, "open_smears", taken.append)
    data, options, _ = layer_data(str(field))
    window.canvas.flush()
    window.docks.right.setFocus()
    viewer.add_image(data, **options)
    qtbot.waitUntil(lambda: bool(taken))
    assert Path(taken[0][0]) == field
    assert "field.png" not in viewer.layers
    active = viewer.layers.selection.active
    assert window.canvas._layers.owns(active), "keys on the canvas are still ours"
    grid = window.docks.panels.annotate.grid
    assert grid.window().focusWidget() is grid


def test_the_first_smear_layer_becomes_ours(viewer: Any, field: Path) -> None:
    data, options, _ = layer_data(str(field))
    layer = viewer.add_image(data, **options)
    adapter = CanvasAdapter(viewer)
    assert adapter.adopt(layer)
    assert adapter._layers.owns(layer)
    assert not layer.editable
    assert not adapter.adopt(layer)
    adapter.close()
    assert list(viewer.layers) == []


def test_the_widget_opens_a_project_and_gives_it_back(
    qtbot: QtBot, viewer: Any, tmp_path: Path, field: Path
) -> None:
    _, widget = viewer.window.add_plugin_dock_widget("napari-cytosynth", "CytoSynth")
    widget.start.folder.setText(str(tmp_path / "a.cytosynth"))
    widget.start.annotator.setText("reader")
    QTest.mouseClick(widget.start.open, Qt.MouseButton.LeftButton)
    opened = widget.opened
    assert opened is not None
    assert widget.start is None
    assert "CytoSynth queue" in viewer.window.dock_widgets
    opened.session.open_smears([str(field)])
    qtbot.waitUntil(lambda: "field.png" in viewer.layers, timeout=20_000)
    qtbot.waitUntil(lambda: not opened.session.state.tasks, timeout=20_000)
    assert viewer.layers.selection.active is viewer.layers["field.png"]
    QTest.keyClick(opened.docks.panels.annotate.grid, "1")
    with pytest.raises(AssertionError):
        run(
            "from napari_cytosynth.store import open_project\n"
            f"open_project({str(tmp_path / 'a.cytosynth')!r})"
        )
    opened.close()
    assert list(viewer.layers) == []
    run(
        "from napari_cytosynth.store import open_project\n"
        f"open_project({str(tmp_path / 'a.cytosynth')!r}).close()"
    )


def test_a_project_that_cannot_be_opened_is_told_on_the_first_page(
    qtbot: QtBot, viewer: Any, tmp_path: Path
) -> None:
    (tmp_path / "b.cytosynth").mkdir()
    _, widget = viewer.window.add_plugin_dock_widget("napari-cytosynth", "CytoSynth")
    widget.start.folder.setText(str(tmp_path / "b.cytosynth"))
    QTest.mouseClick(widget.start.open, Qt.MouseButton.LeftButton)
    assert widget.opened is None
    assert widget.start.failure.text()


def test_the_command_in_the_layers_menu_opens_the_docks(viewer: Any) -> None:
    from napari_cytosynth._gui.commands import fill_class, find_cells, label_cells

    for command in (label_cells, find_cells, fill_class):
        command(viewer)
    docks = [name for name in viewer.window.dock_widgets if "CytoSynth" in name]
    assert len(docks) == 1


def test_in_an_open_project_they_add_no_dock_and_bring_ours_forward(
    qtbot: QtBot, viewer: Any, window: Any
) -> None:
    from napari_cytosynth._gui.commands import fill_class, find_cells, label_cells

    before = set(viewer.window.dock_widgets)
    queue = window.docks.below.parentWidget()
    queue.hide()
    label_cells(viewer)
    assert not queue.isHidden()
    fill_class(viewer)
    assert window.session.state.fill_class
    window.session.ask_fill("")
    find_cells(viewer)
    assert window.dialogs.shown is not None
    window.dialogs.close()
    viewer.window.add_plugin_dock_widget("napari-cytosynth", "CytoSynth")
    qtbot.waitUntil(lambda: set(viewer.window.dock_widgets) == before, timeout=5000)
    assert "already" in window.session.state.message
