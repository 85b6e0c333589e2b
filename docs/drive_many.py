"""Drives the real window over a hundred thousand cells, and says how quick it was.

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/drive_many.py --folder FOLDER

A reader labels 200 cells by key, half of them with the map open, a key twice a second;
then encircles some on the map, labels them, and takes that back. Each key is timed from
its press until grid and canvas have painted the next cell. A watch notes what the
window's thread did whenever it stood still. The project is made at the first run
(minutes), and kept in FOLDER as it was before the labels.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
from many_cells import make_many
from qtpy.QtCore import QEvent, QObject, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget
from window_hands import Hands, log, wait

from napari_cytosynth._gui.heartbeat import BEAT_MS, Heartbeat
from napari_cytosynth._gui.pictures import spin
from napari_cytosynth.app.panels import Tab
from napari_cytosynth.app.recording import MANY

LABELS, PAUSE = 200, 0.5
LOOK_SECONDS, STILL = 0.02, 0.06
DRAWN_SECONDS = 3.0
_PLACE = re.compile(r'File "([^"]*)", line (\d+) in (\S+)')


class Painted(QObject):
    """Notes when widgets were last asked to paint."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self.at = dict.fromkeys(widgets, 0.0)
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let everything through."""
        if event.type() in (QEvent.Type.Paint, QEvent.Type.UpdateRequest):
            self.at[watched] = time.perf_counter()
        return False

    def since(self, start: float) -> bool:
        """Tell whether all were painted after ``start``."""
        return all(at > start for at in self.at.values())


class Watch:
    """Looks, from a thread of its own, at what the window's thread does while still.

    Parameters
    ----------
    heartbeat : Heartbeat
        Of the window.
    """

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat, self._main = heartbeat, threading.get_ident()
        self._stop = threading.Event()
        self.seen: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        # Frames are not touched from here: one that is held keeps its painter alive.
        with tempfile.TemporaryFile("w+") as page:
            while not self._stop.wait(LOOK_SECONDS):
                if time.perf_counter() - self._heartbeat.last > STILL:
                    page.seek(0)
                    page.truncate()
                    faulthandler.dump_traceback(page)
                    page.seek(0)
                    self.seen[_told(page.read(), self._main)] += 1


def _told(page: str, thread: int) -> str:
    """Return what a thread does: the innermost place, and the innermost of ours."""
    mark = f"thread 0x{thread:016x}"
    part = next((p for p in page.split("\n\n") if mark in p.lower()), "")
    places = _PLACE.findall(part)
    ours = [p for p in places if "napari_cytosynth" in p[0] and p[2] != "spin"][:6]
    told = [f"{Path(file).stem}.{name}:{line}" for file, line, name in ours]
    inner = [f"{Path(file).stem}.{name}" for file, _, name in places[:1]]
    return f"{' < '.join(told) or 'not ours'} <- {''.join(inner)}"


class Worked(QObject):
    """The longest that the window's thread itself worked between two beats.

    On a machine that does other work too, this is what of a block is the window's own:
    it leaves out the time in which the thread waited for a core, a disk or a lock.

    Attributes
    ----------
    longest : float
        Seconds of the thread's own time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.longest, self._last = 0.0, time.thread_time()
        self._timer = QTimer(self)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now

    def taken(self) -> float:
        """Return the longest since this was asked before."""
        longest, self.longest, self._last = self.longest, 0.0, time.thread_time()
        return longest


class DriveMany(Hands):
    """One sitting over many cells."""

    def __init__(self, project: Path, images: Path, truth: dict[int, str]) -> None:
        self.truth = truth
        self.times: dict[str, list[tuple[float, float]]] = {}
        self.worked: dict[str, float] = {}
        begun = time.perf_counter()
        super().__init__(project, images)
        log.info("opened in %.1f s", time.perf_counter() - begun - 1.0)
        self.watch, self.own = Watch(self.window.heartbeat), Worked()

    def first_round(self) -> None:
        """Wait for the first ranking."""
        self.settle()
        assert len(self.session.index) > 100_000
        self.picture("many-opened")

    def picture(self, name: str) -> None:
        """Keep a picture, and the longest work of the window's thread up to it."""
        self.worked[name] = self.own.taken()
        super().picture(name)
        self.own.taken()

    def label(self, name: str, count: int) -> None:
        """Label by key, a key twice a second, while the model learns."""
        painted = Painted(self.grid.viewport(), self.canvas)
        times = self.times[name] = []
        for _ in range(count):
            cell = self.session.state.focus
            assert cell is not None
            keys = self.session.project.taxonomy[self.truth[int(cell)]].keys
            for key in keys[:-1]:
                QTest.keyClick(self.grid, key)
            begun, own = time.perf_counter(), time.thread_time()
            QTest.keyClick(self.grid, keys[-1])
            assert self.session.state.focus != cell
            assert _paint(painted, begun), "the next cell was not painted"
            times.append((time.perf_counter() - begun, time.thread_time() - own))
            spin(PAUSE)
        self.picture(name)

    def open_map(self) -> None:
        """Open the map by its button, and wait until it is laid out."""
        QTest.mouseClick(self.window.docks.panels.status.map, Qt.MouseButton.LeftButton)
        begun = time.perf_counter()
        wait("the map is laid out", lambda: self.session.atlas.map is not None)
        log.info("map laid out in %.1f s", time.perf_counter() - begun)
        spin(1.0)
        self.picture("many-map")

    def look_round_the_map(self) -> None:
        """Come nearer until single cells show, and rest on one."""
        plot = self.window.map.widget.plot
        place = plot.lens.pixel(*plot.overlay.focus)
        while plot.art.clouds is not None:
            plot.zoom(1.35, place)
            spin(0.1)
        spin(0.5)
        plot.hovered.emit(*plot.overlay.focus, plot.lens.units(12))
        self.picture("many-map-near")

    def encircle(self) -> None:
        """Take cells of the map together, label them, and take that back."""
        plot, before = self.window.map.widget.plot, self._labelled()
        middle = plot.lens.pixel(*plot.overlay.focus)
        ring = [
            middle + QPointF(70 * np.cos(a), 70 * np.sin(a))
            for a in np.linspace(0, 2 * np.pi, 40)
        ]
        _drag(plot, ring)
        self.picture("many-taken")
        code = self.truth[int(self.session.state.focus or 0)]
        for key in self.session.project.taxonomy[code].keys:
            QTest.keyClick(plot, key)
        box = self.window.map.widget.asked
        assert box is not None
        said = box.text()
        yes = next(b for b in box.buttons() if b.text().startswith("Label"))
        QTest.mouseClick(yes, Qt.MouseButton.LeftButton)
        self._written()
        made = self._labelled() - before
        log.info("%s -> %d labels more", said, made)
        assert made > 0
        self.picture("many-labelled-together")
        held = Qt.KeyboardModifier.ControlModifier
        QTest.keyClick(plot, Qt.Key.Key_Z, held)
        self._written()
        assert self._labelled() == before, "one undo takes all of it back"
        self.picture("many-taken-back")

    def _written(self) -> None:
        """Wait until the labels of many cells are on the disk, and shown."""
        jobs = self.session.jobs
        wait("all labels are written", lambda: not jobs.is_running(MANY))
        spin(0.3)

    def _labelled(self) -> int:
        return len(self.session.project.journal.labels())

    def predicted(self) -> None:
        """Look at the predictions of all cells."""
        self.click_tab(Tab.PREDICTED)
        self.picture("many-predicted")
        self.click_tab(Tab.QUEUE)

    def report(self) -> None:
        """Say what was measured."""
        for name, times in self.times.items():
            walls, own = 1000 * np.array(times).T
            log.info(
                "%s: key to next cell painted p50 %.0f ms, p95 %.0f ms, worst %.0f ms; "
                "of it the window's thread worked p50 %.0f ms, p95 %.0f ms",
                *(name, *np.percentile(walls, [50, 95]), walls.max()),
                *np.percentile(own, [50, 95]),
            )
        for name, longest in self.longest.items():
            log.info(
                "longest block before %s: %.0f ms, longest work of its thread %.0f ms",
                *(name, 1000 * longest, 1000 * self.worked[name]),
            )
        log.info("what the window did while still (looks of 20 ms):")
        for place, looks in self.watch.seen.most_common(25):
            log.info("%5d  %s", looks, place)


def _paint(painted: Painted, begun: float) -> bool:
    """Let the window paint; True once grid and canvas did."""
    end = begun + DRAWN_SECONDS
    while not painted.since(begun) and time.perf_counter() < end:
        QApplication.processEvents()
    QApplication.processEvents()
    return painted.since(begun)


def _drag(plot: QWidget, line: list[QPointF]) -> None:
    """Drag with Shift held."""
    kind, left = QEvent.Type, Qt.MouseButton.LeftButton
    steps = [kind.MouseButtonPress, *[kind.MouseMove] * (len(line) - 2)]
    for step, place in zip([*steps, kind.MouseButtonRelease], line, strict=True):
        where = QPointF(plot.mapToGlobal(place.toPoint()))
        held = Qt.KeyboardModifier.ShiftModifier
        QApplication.sendEvent(plot, QMouseEvent(step, place, where, left, left, held))


def main() -> None:
    """Make the project if need be, drive a copy of it, and report."""
    root = Path(__file__).parents[1]
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--out", type=Path, default=root / "docs" / "images")
    options.add_argument("--labels", type=int, default=LABELS)
    chosen = options.parse_args()
    logging.basicConfig(level=logging.WARNING)
    log.setLevel(logging.INFO)
    folder = chosen.folder.absolute()
    if not (folder / "truth.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_many(folder)
    driven = folder / "driven.cytosynth"
    shutil.rmtree(driven, ignore_errors=True)
    shutil.copytree(folder / "many.cytosynth", driven)
    told = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    _ = QApplication.instance() or QApplication([])
    log.info("load average %.2f %.2f %.2f", *os.getloadavg())
    drive = DriveMany(driven, chosen.out, {int(i): code for i, code in told.items()})
    drive.first_round()
    drive.label("many-labelled", chosen.labels // 2)
    drive.open_map()
    drive.label("many-labelled-with-map", chosen.labels - chosen.labels // 2)
    drive.look_round_the_map()
    drive.encircle()
    drive.predicted()
    log.info("load average %.2f %.2f %.2f", *os.getloadavg())
    drive.watch.stop()
    drive.report()
    drive.viewer.close()
    drive.window.close()


if __name__ == "__main__":
    main()
