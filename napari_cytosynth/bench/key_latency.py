"""How long a key press takes in a project of many cells, from key to next cell shown.

The project is a real one on the disk, so the commit is in the figure. Learning is held
back: it runs in threads and answers later. Views draw nothing; painting is not in it.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_cytosynth.core.cells import CROP_PIXELS, Detections
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Query
from napari_cytosynth.core.taxonomies import built_in

_BATCH = 2000
_SIDE = 40_000


@dataclass(frozen=True, slots=True)
class KeyLatency:
    """Times of one action, milliseconds.

    Parameters
    ----------
    action : str
        ``"label"``, ``"undo"``, ...
    cells : int
        Cells of the project.
    median, p95, worst : float
        Over all presses.
    """

    action: str
    cells: int
    median: float
    p95: float
    worst: float


def key_latency(cells: int, presses: int, *, seed: int = 0) -> list[KeyLatency]:
    """Label, undo, redo and skip by key; time each press.

    Parameters
    ----------
    cells : int
        Cells of the project, >= ``presses`` + 2.
    presses : int
        Presses of each action, >= 1.
    seed : int
        Places the cells.
    """
    from napari_cytosynth.store import create_project

    with tempfile.TemporaryDirectory() as folder:
        project = create_project(Path(folder) / "many.cytosynth", built_in("blood5"))
        fill_cells(project, cells, np.random.default_rng(seed))
        return _press(project, cells, presses)


def fill_cells(project: Project, cells: int, rng: np.random.Generator) -> None:
    """Add a smear with so many cells, all of one picture, at random places."""
    from napari_cytosynth.testing.tiny import tiny_calibration, tiny_smear

    smear = project.add_smear(tiny_smear(1))
    project.set_calibration(smear.id, tiny_calibration())
    for start in range(0, cells, _BATCH):
        n = min(_BATCH, cells - start)
        boxes = np.column_stack([rng.uniform(0, _SIDE, (n, 2)), np.full((n, 2), 48.0)])
        found = Detections(
            boxes.astype(np.float32),
            np.ones(n, np.float32),
            np.zeros(n, bool),
            [np.zeros((3, 2), np.float32)] * n,
            np.ones(n, np.uint8),
        )
        crops = np.full((n, CROP_PIXELS, CROP_PIXELS, 3), 200, np.uint8)
        project.add_cells(smear.id, found, crops)


def _press(project: Project, cells: int, presses: int) -> list[KeyLatency]:
    from napari_cytosynth.testing.desk import Desk, HeldRunner
    from napari_cytosynth.testing.fakes import FakeCompute
    from napari_cytosynth.workflows.suggest import Suggestion

    desk = Desk.over(project, FakeCompute(), runner=HeldRunner(), annotator="bench")
    desk.session.start()
    ids = project.cells().ids[: presses + 2]
    reasons = ("first come",) * len(ids)
    query = Query(ids, np.ones(len(ids), np.float32), reasons)
    desk.session.rank(Suggestion(query, np.zeros(len(ids), bool), "random", ""))
    desk.views.canvas.viewMoved.emit(0.0, 0.0, 4000.0, 3000.0)
    press = desk.views.annotate.keyPressed.emit
    keys = {"label": "1", "undo": "Ctrl+Z", "redo": "Ctrl+Y", "skip": "Space"}
    rows = []
    for action, key in keys.items():
        desk.session.focus_cell(desk.session.upcoming() or desk.session.state.focus)
        times = [_timed(press, key) for _ in range(presses)]
        low, high = np.percentile(times, [50, 95])
        rows.append(KeyLatency(action, cells, float(low), float(high), max(times)))
    desk.session.close()
    return rows


def _timed(press: object, key: str) -> float:
    start = time.perf_counter()
    press(key)  # type: ignore[operator]
    return (time.perf_counter() - start) * 1000
