"""The plugin as somebody meets it in a plain napari: menus, settings, a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManifest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit, QMainWindow, QMenu

from napari_cytosynth._gui.launch import compute_for, window_for
from napari_cytosynth._gui.settings import PLUGIN, read_settings
from napari_cytosynth.core.errors import WorkerUnreachableError
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER, names
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.fakes import FAKE_EMBEDDERS
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import FarWorker, InlineCompute, WorkerProcess
from napari_cytosynth.workflows.embed import fingerprint_of

MANIFEST = Path(__file__).parents[2] / "napari_cytosynth" / "napari.yaml"

Left = Qt.MouseButton.LeftButton


def main_window(viewer: Any) -> QMainWindow:
    tops = QApplication.topLevelWidgets()
    shown = [w for w in tops if isinstance(w, QMainWindow) and w.isVisible()]
    return shown[-1]


def entries(menu: QMenu, front: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Walk a menu: path and action of each entry."""
    for action in menu.actions():
        path = (*front, action.text().replace("&", ""))
        if action.menu() is not None:
            yield from entries(action.menu(), path)
        else:
            yield " > ".join(path), action


def entry(viewer: Any, words: str) -> Any:
    bar = main_window(viewer).menuBar()
    found = {}
    for top in bar.actions():
        if top.menu() is not None:
            found.update(entries(top.menu(), (top.text().replace("&", ""),)))
    return next(a for path, a in found.items() if path.startswith(words))


@pytest.fixture
def kept() -> Iterator[Any]:
    """Our settings, put back as they were."""
    from napari.settings import get_plugin_settings

    ours: Any = get_plugin_settings(PLUGIN)
    yield ours
    ours.compute.address = ours.compute.token = ours.compute.certificate = ""
    ours.labelling.annotator = ""
    ours.compute.embedder = DEFAULT_EMBEDDER


def test_a_project_is_begun_from_the_plugins_menu_and_the_sample_joins_it(
    qtbot: QtBot, viewer: Any, tmp_path: Path, kept: Any
) -> None:
    from napari_cytosynth._gui.widget import CytoSynthWidget

    entry(viewer, "Plugins > CytoSynth").trigger()
    (widget,) = main_window(viewer).findChildren(CytoSynthWidget)
    widget.start.folder.setText(str(tmp_path / "first.cytosynth"))
    # The name given last time stands there, and is typed over.
    widget.start.annotator.selectAll()
    QTest.keyClicks(widget.start.annotator, "Dr Novak")
    QTest.keyClick(widget.start.annotator, Qt.Key.Key_Return)
    session = widget.opened.session
    entry(viewer, "File > Open Sample > Marrow smear").trigger()
    qtbot.waitUntil(lambda: len(session.index) > 300, timeout=60_000)
    qtbot.waitUntil(lambda: session.state.focus is not None, timeout=20_000)
    entry(viewer, "Layers > Segment > Find cells").trigger()
    assert widget.opened.dialogs.shown is not None
    widget.opened.dialogs.close()
    entry(viewer, "Layers > Classify > Fill a rare class").trigger()
    assert widget.opened.docks.panels.synthesize.form is not None
    assert read_settings().annotator == "Dr Novak"
    widget.opened.close()


def test_the_settings_page_shows_and_keeps_what_is_typed(
    qtbot: QtBot, viewer: Any, kept: Any
) -> None:
    from napari._qt.dialogs.preferences_dialog import PreferencesDialog

    dialog = PreferencesDialog(parent=main_window(viewer))
    names = [dialog._list.item(i).text() for i in range(dialog._list.count())]
    dialog._list.setCurrentRow(names.index("CytoSynth"))
    page = dialog._stack.currentWidget()
    lines = page.findChildren(QLineEdit)
    assert len(lines) >= 4, "annotator, address, token, folder"
    kept.labelling.annotator = "Eva"
    kept.compute.address = "http://127.0.0.1:8765"
    kept.compute.token = "secret"
    told = read_settings()
    assert (told.annotator, told.address, told.token) == (
        "Eva",
        "http://127.0.0.1:8765",
        "secret",
    )
    dialog.close()
    dialog.deleteLater()


def test_an_embedder_chosen_in_the_settings_embeds_all_cells_anew(
    qtbot: QtBot, viewer: Any, kept: Any
) -> None:
    offered = PluginManifest.from_file(MANIFEST).contributions.configurations
    setting = offered["compute"].properties["embedder"]
    assert set(setting.enum) <= set(names("embedders"))
    assert setting.default == DEFAULT_EMBEDDER
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, smears=2)
    known = {**FAKE_EMBEDDERS, "morphology": FAKE_EMBEDDERS[DEFAULT_EMBEDDER]}
    compute = InlineCompute(embedders=known)
    window = window_for(viewer, project, annotator="Eva", compute=compute)
    state, ids = window.session.state, project.cells().ids
    window.show()
    qtbot.waitUntil(lambda: len(state.listing) > 0 and not state.tasks, timeout=60_000)
    kept.compute.embedder = "morphology"
    qtbot.waitUntil(lambda: state.embedder == "morphology", timeout=60_000)
    qtbot.waitUntil(lambda: not state.tasks, timeout=60_000)
    vectors = project.embeddings(window.session.learner.key, ids)
    assert window.session.learner.key == fingerprint_of("morphology")
    assert np.isfinite(vectors).all()
    window.close()
    kept.compute.embedder = "starter"
    assert state.embedder == "morphology", "a closed window hears no more"


@pytest.fixture(scope="module")
def elsewhere(start: Callable[..., str]) -> str:
    """Serve as another machine would; gives the address."""
    return start(token="open sesame, open sesame")


def test_a_worker_behind_a_certificate_made_by_hand(
    kept: Any, start: Callable[..., str], certified: Callable[[str], dict[str, str]]
) -> None:
    mine, other = certified("mine"), certified("other")
    kept.compute.address, kept.compute.token = start(token="sesame", **mine), "sesame"
    kept.compute.certificate = f" {mine['certificate']} "
    trusting = compute_for(read_settings())
    assert "fake" in trusting.hello().generators
    trusting.close()
    kept.compute.certificate = other["certificate"]
    doubting = compute_for(read_settings())
    with pytest.raises(WorkerUnreachableError, match="not to be trusted"):
        doubting.hello()
    doubting.close()


@pytest.mark.parametrize("token", ["open sesame, open sesame", "wrong"])
def test_a_worker_elsewhere_is_used_by_its_address_and_token(
    qtbot: QtBot, viewer: Any, tmp_path: Path, kept: Any, elsewhere: str, token: str
) -> None:
    own = compute_for(read_settings())
    assert isinstance(own, WorkerProcess)
    own.close()
    kept.compute.address, kept.compute.token = elsewhere, token
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, smears=2)
    window = window_for(viewer, project, annotator="Eva")
    assert isinstance(window.session._compute, FarWorker)
    state, told = window.session.state, []
    state.events.failed.connect(told.append)
    window.show()
    qtbot.waitUntil(lambda: len(state.listing) > 0 and not state.tasks, timeout=20_000)
    key = window.session.learner.key
    vectors = project.embeddings(key, project.cells().ids)
    if token == "wrong":
        assert vectors.size == 0
        assert any("token" in sentence for sentence in told)
    else:
        assert np.isfinite(vectors).all()
        assert vectors.size > 0
    window.close()
