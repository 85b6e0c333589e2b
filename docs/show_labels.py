"""Shows the window with doubted labels, a wrong box and what more labels would bring.

Fields are laid out of cells of the developers' PBC pack that no shipped weights were
trained on; labels are those of the pack, a few of them spoilt. What is asserted: spoilt
labels are listed as doubted, a class key keeps or changes one, and *Evidence* tells how
far the labelling is.

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/show_labels.py DATA
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window_hands import picture_of, wait, window_on

from napari_cytosynth._gui.launch import open_or_create
from napari_cytosynth.app.panels import DOUBTED, FAULTY, Tab
from napari_cytosynth.bench.pack import figure_files, pack_crop
from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.smear import Calibration, MppSource, Smear
from napari_cytosynth.ingest.identity import fingerprint
from napari_cytosynth.workflows.splitting import held_out_cells

if TYPE_CHECKING:
    from napari_cytosynth._gui.main import Window
    from napari_cytosynth.core.project import Project

ROOT = Path(__file__).parents[1]
READER = "Dr Novak"
_TILE, _ROW, _FIELDS = 128, 6, 12
_MPP = 36 / _TILE
_SPOILT = 6


def lay_out(project: Project, folder: Path, files: list[tuple[Path, str]]) -> list[str]:
    """Make fields of 30 cells each; return the class of every cell, by its number."""
    truth: list[str] = []
    for number in range(_FIELDS):
        own = files[number * 5 * _ROW : (number + 1) * 5 * _ROW]
        path = folder / f"field-{number + 1:02d}.png"
        field = Image.new("RGB", (_ROW * _TILE, 5 * _TILE))
        corners = [(i % _ROW * _TILE, i // _ROW * _TILE) for i in range(len(own))]
        for (file, _), corner in zip(own, corners, strict=True):
            with Image.open(file) as picture:
                field.paste(picture.convert("RGB").resize((_TILE, _TILE)), corner)
        field.save(path)
        smear = project.add_smear(
            Smear(
                uri=str(path),
                width=field.width,
                height=field.height,
                mpp=_MPP,
                group=f"patient {number + 1}",
                fingerprint=fingerprint(path),
                stain="May-Gruenwald-Giemsa",
            )
        )
        project.set_calibration(
            smear.id,
            Calibration(
                mpp=_MPP,
                mpp_source=MppSource.METADATA,
                background=(235.0, 225.0, 230.0),
                stain_vectors=((0.65, 0.70, 0.29), (0.07, 0.99, 0.11)),
                thresholds={"nucleus": 0.4},
                confidence=0.9,
            ),
        )
        boxes = np.array([(x + 34, y + 34, 60, 60) for x, y in corners], np.float32)
        crops = np.stack([pack_crop(file) for file, _ in own])
        n = len(own)
        ones, edges = np.ones(n, np.float32), np.zeros(n, bool)
        outlines = [b[:2] + b[2:] * _CORNERS for b in boxes]
        found = Detections(boxes, ones, edges, outlines, np.ones(n, np.uint8))
        project.add_cells(smear.id, found, crops)
        truth += [code for _, code in own]
    return truth


_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)


def label(project: Project, truth: list[str]) -> list[CellId]:
    """Label 170 training cells; return those whose label is spoilt."""
    held = set(held_out_cells(project).tolist())
    train = [i for i in project.cells().ids.tolist() if i not in held][:170]
    codes = {i: truth[i - 1] for i in train}
    spoilt = train[10 :: len(train) // _SPOILT][:_SPOILT]
    kinds = sorted(set(truth))
    for i in spoilt:
        codes[i] = kinds[(kinds.index(codes[i]) + 4) % len(kinds)]
    author = Author(READER)
    project.record(*(author.label(CellId(i), code) for i, code in codes.items()))
    return [CellId(i) for i in spoilt]


def show_doubts(window: Window, spoilt: list[CellId], out: Path) -> None:
    """List the doubted labels; keep the first, change the second by keys."""
    session, panel = window.session, window.docks.panels.annotate
    box = panel.tools.filter
    box.setCurrentIndex(box.findData(DOUBTED))
    box.activated.emit(box.currentIndex())
    listed = session.state.listing.ids.tolist()
    assert set(spoilt[:3]) & set(listed), f"{spoilt} not among {listed}"
    picture_of(window, out / "labels-doubted.jpg")
    journal, taxonomy = session.project.journal, session.project.taxonomy
    first, doubt = session.state.focus, session.state.doubts[0]
    assert first == doubt.cell
    QTest.keyClick(panel.grid, taxonomy[doubt.given].keys)
    wait("the next doubt", lambda: session.state.focus != first)
    second, doubt = session.state.focus, session.state.doubts[1]
    QTest.keyClick(panel.grid, taxonomy[doubt.likely].keys)
    wait("its label", lambda: journal.label(second).code == doubt.likely)
    assert len(session.lists.doubted()) == len(listed) - 2
    box.setCurrentIndex(0)
    box.activated.emit(0)


def show_fault(window: Window, out: Path) -> None:
    """Flag two boxes by keys and list what waits to be mended."""
    session, panel = window.session, window.docks.panels.annotate
    for key in ("-", "/"):
        before = session.state.focus
        QTest.keyClick(panel.grid, key)
        wait("the next card", lambda before=before: session.state.focus != before)
    box = panel.tools.filter
    box.setCurrentIndex(box.findData(FAULTY))
    box.activated.emit(box.currentIndex())
    assert len(session.state.listing) == 2
    picture_of(window, out / "labels-faults.jpg")
    box.setCurrentIndex(0)
    box.activated.emit(0)


def show_evidence(window: Window, out: Path) -> None:
    """Show what *Evidence* says of the labels."""
    bar = window.docks.panels.annotate.tools.tabs
    place = bar.tabRect(list(Tab).index(Tab.EVIDENCE)).center()
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=place)
    wait("the tab", lambda: window.session.state.tab is Tab.EVIDENCE)
    picture_of(window, out / "labels-evidence.jpg")


def main() -> None:
    """Open the window, take the pictures, and close it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    asked = options.parse_args()
    app = QApplication.instance() or QApplication([])
    files = figure_files(asked.data)
    order = np.random.default_rng(0).permutation(len(files))[: _FIELDS * 5 * _ROW]
    with tempfile.TemporaryDirectory() as folder:
        project = open_or_create(Path(folder) / "labels.cytosynth", "pbc11")
        truth = lay_out(project, Path(folder), [files[i] for i in order])
        spoilt = label(project, truth)
        with window_on(project, READER) as window:
            wait("a measurement", lambda: window.session.state.stopping is not None)
            wait("all tasks", lambda: not window.session.state.tasks)
            show_doubts(window, spoilt, asked.out)
            show_fault(window, asked.out)
            show_evidence(window, asked.out)
    app.processEvents()


if __name__ == "__main__":
    main()
