"""How long a person waits for sixteen cells that the gate passed, worker warm.

The whole road of *Fill*: thirty real cells of each class in a project, a worker and the
critics in processes of their own, draws until sixteen passed or the budget is spent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.bench.pack import Pack, figure_cells
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.synthesis.gate import GateMaker
from napari_cytosynth.testing.tiny import (
    tiny_calibration,
    tiny_detections,
    tiny_smear,
)
from napari_cytosynth.worker.beside import SideProcess
from napari_cytosynth.worker.critics import COMMAND, BesideGates
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.synthesize import FillReport, fill

WANTED, REAL = 16, 30
"""Cells asked for, and real cells of each class."""

FILLED = ("BA", "MO", "MY")
"""A class that the gate passes readily, one in between, and one that is hard."""

ROUNDS, SMEARS = 3, 10

Row = dict[str, Any]


def fill_rows(data: Path, compute: Compute, *, quick: bool = False) -> list[Row]:
    """Measure fills of some classes, three each.

    Parameters
    ----------
    data : Path
        Folder of the developer data; without the PBC pack nothing is run.
    compute : Compute
        A warm worker.
    quick : bool
        One round of the first class.

    Returns
    -------
    list of dict
        The least seconds of the rounds, with the least and the most; the share of draws
        that passed; and the load of the machine meanwhile, without which seconds say
        little.
    """
    classes = FILLED[:1] if quick else FILLED
    try:
        pack = figure_cells(data, each=REAL)
    except InputError:
        return [_row(code, "time", "not run", []) for code in classes]
    gates = BesideGates(SideProcess(COMMAND))
    desk = _Desk(project_of(pack), compute, gates)
    try:
        # The first fill starts the critics' process.
        desk.fill(classes[0], 1, ROUNDS)
        rounds = 1 if quick else ROUNDS
        return [row for code in classes for row in _of_class(desk, code, rounds)]
    finally:
        gates.close()


def project_of(pack: Pack) -> Project:
    """Return a project in memory that holds these cells, labelled."""
    project = MemoryProject(built_in("pbc11"))
    author = Author("bench")
    order = np.random.default_rng(0).permutation(len(pack.codes))
    for number, rows in enumerate(np.array_split(order, SMEARS), 1):
        smear = project.add_smear(tiny_smear(number))
        project.set_calibration(smear.id, tiny_calibration())
        boxes = tiny_detections(len(rows), np.random.default_rng(number))
        ids = project.add_cells(smear.id, boxes, pack.crops[rows])
        cells = zip(map(CellId, ids.tolist()), pack.codes[rows].tolist(), strict=True)
        project.record(*(author.label(cell, code) for cell, code in cells))
    return project


@dataclass(frozen=True)
class _Desk:
    project: Project
    compute: Compute
    gates: GateMaker

    def fill(self, code: str, count: int, seed: int) -> FillReport:
        ask = fill(
            self.project, self.compute, Ask(code, count, seed=seed), gates=self.gates
        )
        return run_to_end(ask)


def _of_class(desk: _Desk, code: str, rounds: int) -> Iterator[Row]:
    reports, times, loads = [], [], []
    for seed in range(rounds):
        began = time.perf_counter()
        reports.append(desk.fill(code, WANTED, seed))
        times.append(time.perf_counter() - began)
        loads.append(os.getloadavg()[0])
    yield _row(code, "time", "s", times)
    yield _row(code, "accepted", "cells", [float(r.accepted) for r in reports])
    yield _row(code, "acceptance", "1", [r.acceptance for r in reports])
    yield _row(code, "load", "processes", loads)


def _row(code: str, metric: str, unit: str, values: Sequence[float]) -> Row:
    """Return the least of some values, with the least and the most."""
    least = min(values, default=None)
    return {
        "case": "cells accepted, worker warm",
        "peer": "latent",
        "dataset": "pack_pbc128",
        "class": code,
        "size": f"{WANTED} wanted, {REAL} real of each class",
        "metric": metric,
        "unit": unit,
        "value": least,
        "low": least,
        "high": max(values, default=None),
        "n": len(values) or None,
    }
