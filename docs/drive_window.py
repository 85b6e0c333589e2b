"""Drives the real window with real key and mouse events, and checks what came of it.

Run it on a display, or on a virtual one::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/drive_window.py

It opens the sample smear and six developer fields (``CYTOSYNTH_DATA``; without them the
sample alone), labels 40 cells, undoes 5, redoes 2, adds a cell by double click, fills
monocyte and basophil with 24 cells each, accepts 10, kills the worker in the middle of
a fill that then goes on, cancels a running fill, closes, reopens, and asserts that
everything is there. Each step leaves a picture in ``docs/images``. It ends by saying
how long the window stood still at most.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton, QWidget
from window_hands import Hands, bare_napari, log, wait

from napari_cytosynth._gui.pictures import spin
from napari_cytosynth.app.panels import Sort, Tab
from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Label
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.workflows.sample import sample_truth

ROOT = Path(__file__).parents[1]
FIELDS, LABELS, UNDONE, REDONE, FILLED, ACCEPTED = 6, 40, 5, 2, 24, 10
KILLED = 12


class Drive(Hands):
    """One sitting at the window."""

    def __init__(self, project: Path, images: Path) -> None:
        super().__init__(project, images)
        self.truth = sample_truth()
        self.boxes = np.array([o.box for o in self.truth.objects], np.float32)

    def open_smears(self, data: Path | None) -> None:
        """Open the sample by its menu entry, and drop the fields on the canvas."""
        self.viewer.open_sample("napari-cytosynth", "marrow")
        wait("cells on the sample", lambda: len(self.session.index) > 300)
        self.settle()
        self.picture("sample")
        if data is None:
            return
        fields = sorted((data / "detection" / "bccd").rglob("*.jpg"))[:FIELDS]
        self.drop(fields)
        smears = self.session.project.smears
        wait("fields open", lambda: len(smears()) == FIELDS + 1)
        self.settle()
        self.picture("seven-smears")

    def label(self) -> None:
        """Label by key: in the queue, then one cell of each field, then on."""
        for _ in range(LABELS // 2):
            self._label_focused()
        self.settle()
        fields = self._label_each_field()
        while len(self._labels()) < LABELS:
            self._label_focused()
        self.settle()
        table = self.session.index.table
        smears = {table.smear_of(cell) for cell in self._labels()}
        log.info("%d labels in %d smears", len(self._labels()), len(smears))
        assert len(self._labels()) == LABELS
        # Held-out fields are met only as audit cards of the queue.
        assert len(smears) >= 1 + fields > 1
        self.picture("forty-labels")

    def _labels(self) -> dict[CellId, Label]:
        return self.session.project.journal.labels()

    def _label_focused(self) -> None:
        """Press the key of the truth where it is known, else of a plausible class."""
        cell = self.session.state.focus
        assert cell is not None
        table, code = self.session.index.table, "NGS"
        if table.smear_of(cell) == self.session.project.smears()[0].id:
            overlap = box_iou(table.boxes[[table.row(cell)]], self.boxes)[0]
            code = self.truth.objects[int(overlap.argmax())].label
        before = len(self._labels())
        self.key(self.session.project.taxonomy[code].keys)
        assert len(self._labels()) >= before, "a key took labels away"

    def _label_each_field(self) -> int:
        """In the tab *Predicted*, by smear, click a cell of each field and label it."""
        tools = self.window.docks.panels.annotate.tools
        self.click_tab(Tab.PREDICTED)
        QTest.keyClicks(tools.sort, "by")
        wait("sorted by smear", lambda: self.session.state.sort is Sort.SMEAR)
        self.picture("predicted-by-smear")
        table, fields = self.session.index.table, 0
        for smear in self.session.project.smears()[1:]:
            here = table.ids[table.smears == smear.id]
            rows = [self.session.state.listing.row_of(int(cell)) for cell in here]
            rows = [row for row in rows if row is not None]
            if rows:
                self.click_card(rows[0])
                wait(
                    f"smear {smear.id} shown",
                    lambda s=smear: self.session.state.smear == s.id,
                )
                if not fields:
                    self.picture("a-field")
                fields += 1
                self._label_focused()
        QTest.keyClicks(tools.sort, "most")
        self.click_tab(Tab.QUEUE)
        return fields

    def undo_and_redo(self) -> None:
        """Undo and redo by key."""
        for _ in range(UNDONE):
            self.named_key(Qt.Key.Key_Z, ctrl=True)
        for _ in range(REDONE):
            self.named_key(Qt.Key.Key_Y, ctrl=True)
        self.settle()
        expected = LABELS - UNDONE + REDONE
        assert len(self._labels()) == expected
        self.picture("undone-and-redone")

    def digits_on_the_canvas(self) -> None:
        """Press every digit on the focused canvas, on each of our layers."""
        counts = self._counts()
        labels = len(self._labels())
        for layer in list(self.viewer.layers):
            self.viewer.layers.selection.active = layer
            if hasattr(layer, "selected_data"):
                layer.selected_data = set(range(min(5, len(layer.data))))
            self.canvas.setFocus()
            for digit in "1234567890":
                QTest.keyClick(self.canvas, digit)
                spin(0.02)
        self.settle()
        assert self._counts() == counts, "a digit deleted something"
        made = len(self._labels()) - labels
        assert made >= 0
        for _ in range(len(self.viewer.layers) * 10):
            if len(self._labels()) <= labels:
                break
            self.named_key(Qt.Key.Key_Z, ctrl=True)
        self.settle()
        self.picture("digits-delete-nothing")

    def _counts(self) -> tuple[int, int]:
        return len(self.viewer.layers), len(self.session.project.cells())

    def add_a_cell(self) -> None:
        """Double click where no cell is; click it, and the queue has it."""
        cells = len(self.session.index)
        x, y = self._missed_cell()
        self.window.canvas.centre_on(x + 30, y + 20)
        spin(0.5)
        place = self.place_on_canvas(x, y)
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseDClick(self.canvas, Qt.MouseButton.LeftButton, pos=place)
        wait("a cell is added", lambda: len(self.session.index) == cells + 1)
        self.settle()
        self.picture("cell-added")

    def _missed_cell(self) -> tuple[float, float]:
        """Return the centre of a painted cell that the detector did not find."""
        sample = self.session.project.smears()[0].id
        self.session.show_smear(sample)
        spin(0.5)
        for painted in self.truth.objects:
            x, y, width, height = painted.box
            middle = x + width / 2, y + height / 2
            if not painted.edge and self.session.index.at(sample, *middle) is None:
                return middle
        return 40.0, 40.0

    def fill(self) -> None:
        """Fill a class with few real cells and one with none."""
        for code in ("MON", "BAS"):
            self.press_fill(code, FILLED)
            wait(
                f"{code} streams",
                lambda c=code: bool(self.session.project.synthetic(c)),
            )
            self.picture(f"filling-{code}")
            self.settle()
            made = self._waiting(code)
            log.info("%s: %d made; %s", code, made, self.session.state.fill_outcome)
            assert made > 0
        self.click_tab(Tab.SYNTHETIC)
        self.picture("synthetic")

    def _waiting(self, code: str) -> int:
        return len(self.session.project.synthetic(code, Status.PROPOSED))

    def judge(self) -> None:
        """Accept by key."""
        grid = self.window.docks.panels.review.grid
        for _ in range(ACCEPTED):
            QTest.keyClick(grid, "a")
            spin(0.05)
        self.settle()
        accepted = self.session.project.synthetic(status=Status.ACCEPTED)
        assert len(accepted) == ACCEPTED
        self.picture("accepted")

    def kill_the_worker(self) -> None:
        """Kill the worker in the middle of a fill: another one goes on with it."""
        self.press_fill("EOS", KILLED)
        synthetic = self.session.project.synthetic
        wait("EOS streams", lambda: bool(synthetic("EOS")))
        killed = self.worker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        self.picture("worker-killed")
        self.settle()
        assert len(synthetic("EOS", Status.PROPOSED)) == KILLED
        assert self.worker.pid != killed
        log.info("worker %d killed; %d resumed the fill", killed, self.worker.pid)
        self.picture("fill-resumed")

    def cancel_a_fill(self) -> None:
        """Start a long fill, and press Cancel beside it."""
        self.press_fill("MON", 200)
        panel = self.window.docks.panels.synthesize
        wait("Cancel shows", lambda: bool(_cancels(panel)))
        spin(1.0)
        self.picture("fill-to-cancel")
        began = time.monotonic()
        QTest.mouseClick(_cancels(panel)[0], Qt.MouseButton.LeftButton)
        wait("the fill stops", lambda: not self.session.state.tasks)
        log.info("cancelled within %.1f s", time.monotonic() - began)
        self.picture("fill-cancelled")

    def evidence(self) -> None:
        """Look at the evidence tab."""
        self.click_tab(Tab.EVIDENCE)
        self.picture("evidence")

    def close_and_reopen(self) -> None:
        """Close the window; open it again; everything is there."""
        before = self._everything()
        self.viewer.close()
        self.window.close()
        self.open()
        self.settle()
        assert self._everything() == before, "something was lost"
        self.picture("reopened")

    def _everything(self) -> object:
        project = self.session.project
        labels = {c: label.code for c, label in project.journal.labels().items()}
        synthetic = {c.id: (c.code, c.status) for c in project.synthetic()}
        smears = [s.uri for s in project.smears()]
        return labels, synthetic, smears, project.cells().ids.tolist()


def _cancels(panel: QWidget) -> list[QPushButton]:
    buttons = panel.findChildren(QPushButton)
    return [b for b in buttons if b.text() == "Cancel" and b.isVisible()]


def developer_data() -> Path | None:
    """Return the folder of developer data, or None."""
    folder = Path(os.environ.get("CYTOSYNTH_DATA", ROOT / ".." / "shared" / "data"))
    return folder if (folder / "MANIFEST.csv").is_file() else None


def main() -> None:
    """Drive the window from its opening to its reopening."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    options.add_argument("--project", type=Path, default=None)
    options.add_argument("--bare", action="store_true", help="napari alone, to compare")
    chosen = options.parse_args()
    logging.basicConfig(level=logging.WARNING)
    log.setLevel(logging.INFO)
    app = QApplication.instance() or QApplication([])
    if chosen.bare:
        for name, longest in bare_napari().items():
            log.info("bare napari, %s (longest block %.0f ms)", name, longest * 1000)
        return
    with tempfile.TemporaryDirectory() as folder:
        project = chosen.project or Path(folder) / "driven.cytosynth"
        drive = Drive(project, chosen.out)
        drive.open_smears(developer_data())
        drive.label()
        drive.undo_and_redo()
        drive.digits_on_the_canvas()
        drive.add_a_cell()
        drive.fill()
        drive.judge()
        drive.kill_the_worker()
        drive.cancel_a_fill()
        drive.evidence()
        drive.close_and_reopen()
        assert "torch" not in sys.modules, "torch was loaded in the viewer's process"
        drive.viewer.close()
        drive.window.close()
    app.processEvents()
    worst = max(drive.longest, key=lambda name: drive.longest[name])
    log.info("longest block: %.0f ms, before %s", drive.longest[worst] * 1000, worst)
    log.info("no torch in this process; everything was there after reopening")


if __name__ == "__main__":
    main()
