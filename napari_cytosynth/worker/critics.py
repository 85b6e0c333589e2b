"""Critics in a process beside the viewer, which then never loads their libraries.

They describe cells with scikit-image and train a validator with scikit-learn, which
hold the interpreter's lock. ``python -m napari_cytosynth.worker.critics`` answers each
frame on standard input with one on standard output.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import count
from typing import Any

import numpy as np

from napari_cytosynth.core.errors import WorkerDiedError
from napari_cytosynth.core.protocols import (
    Batch,
    Crops,
    LabelledCells,
    Reference,
    Vectors,
)
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import Progress, Task, run_to_end
from napari_cytosynth.synthesis.gate import (
    DESCRIBED,
    DESCRIBING,
    Gate,
    GatePlan,
    Item,
    Judge,
    rehearsed,
)
from napari_cytosynth.worker.beside import TRIES, SideProcess
from napari_cytosynth.worker.side import VerbDesk, serve
from napari_cytosynth.worker.wire import (
    Frame,
    batch_frame,
    batch_of,
    cells_of,
    cells_to_frame,
)

COMMAND = (sys.executable, "-m", "napari_cytosynth.worker.critics")

_LOST = "lost"
_ALIVE = 0.5  # seconds between signs of life


class BesideGates:
    """Implements :class:`napari_cytosynth.synthesis.gate.GateMaker` in a side process.

    Parameters
    ----------
    side : SideProcess
        Runs :data:`COMMAND`; closed by :meth:`close`. It starts with the first gate.
    """

    def __init__(self, side: SideProcess) -> None:
        self.side = side
        self._numbers = count()

    def __call__(self, cells: LabelledCells, plan: GatePlan) -> Task[Judge]:
        """Describe real cells, which have crops, and let the critics learn them."""
        gate = _BesideGate(self.side, next(self._numbers), cells, plan)
        yield from gate.introduce()
        return gate

    def close(self) -> None:
        """End the process."""
        self.side.close()


def _waited(side: SideProcess, question: Frame) -> Task[Frame]:
    """Ask, with signs of life: the process may have to start, or critics to learn."""
    asking = ThreadPoolExecutor(1, thread_name_prefix="critics")
    answer = asking.submit(side.ask, question)
    asking.shutdown(wait=False)
    while True:
        try:
            return answer.result(timeout=_ALIVE)
        except TimeoutError:
            yield Progress(0, 0, DESCRIBING)


class _BesideGate:
    """One gate in the side process; told anew to the next one where that died."""

    def __init__(
        self, side: SideProcess, number: int, cells: LabelledCells, plan: GatePlan
    ) -> None:
        self._side, self._number = side, number
        self._cells, self._plan = cells, plan
        self._kept: list[Item] = []

    def introduce(self) -> Task[None]:
        """Make this gate there, from the beginning where the process died meanwhile.

        A gate that knew a part of the real cells would let copies of the others pass.

        Raises
        ------
        WorkerDiedError
            If process after process died.
        """
        for _ in range(TRIES):
            if (yield from self._introduced()):
                return
        raise _given_up()

    def _introduced(self) -> Task[bool]:
        """Ask all that makes it; tell whether one process heard the whole."""
        total = len(self._cells)
        for done, question in enumerate(self._introduction()):
            yield Progress(min(done * DESCRIBED, total), total, DESCRIBING)
            answer = yield from _waited(self._side, question)
            if answer.data.get(_LOST):
                return False
        return True

    def _introduction(self) -> list[Frame]:
        """Return the questions that make this gate there."""
        starts = range(0, max(len(self._cells), 1), DESCRIBED)
        plan = asdict(self._plan)
        parts = [self._cells.take(slice_of(at, len(self._cells))) for at in starts]
        said = [
            cells_to_frame(part, self._about("cells", plan=plan, part=i))
            for i, part in enumerate(parts)
        ]
        return [*said, Frame(self._about("gate", plan=plan))]

    def judge(self, batch: Batch) -> list[Item]:
        """Return the items with their assessments, status and verification."""
        if not len(batch):
            return []
        packed = batch_frame(batch)
        question = Frame({**packed.data, **self._about("judge")}, packed.arrays)
        return list(batch_of(self._insist(question)).items)

    def remember(self, items: Sequence[Item]) -> None:
        """Take in items that passed and were kept, in order of making."""
        if items:
            self._insist(self._reminder(items))
            self._kept += items

    def close(self) -> None:
        """Let the process forget it."""
        if self._side.pid is not None:
            self._side.ask(Frame(self._about("drop")))

    def _insist(self, question: Frame) -> Frame:
        for _ in range(TRIES):
            answer = self._side.ask(question)
            if not answer.data.get(_LOST):
                return answer
            run_to_end(self.introduce())
            if self._kept:
                self._side.ask(self._reminder(self._kept))
        raise _given_up()

    def _reminder(self, items: Sequence[Item]) -> Frame:
        packed = batch_frame(Batch(tuple(items), 0))  # type: ignore[arg-type]
        return Frame({**packed.data, **self._about("remember")}, packed.arrays)

    def _about(self, verb: str, **data: Any) -> dict[str, Any]:
        return {"verb": verb, "gate": self._number, **data}


def _given_up() -> WorkerDiedError:
    return WorkerDiedError(
        f"The process of the critics ended {TRIES} times while it was told the real "
        "cells. What was made before is kept. The machine may be out of memory: close "
        "other programs and fill again."
    )


def slice_of(at: int, total: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return the rows of the part that begins at ``at``."""
    return np.arange(at, min(at + DESCRIBED, total))


class CriticsDesk(VerbDesk):
    """Answers questions for a gate: several at a time may stand here, by number."""

    def __init__(self) -> None:
        self._gates: dict[int, Gate] = {}
        self._parts: dict[int, list[tuple[LabelledCells, Vectors]]] = {}
        self._known: dict[bytes, Vectors] = {}
        super().__init__(
            {
                "cells": self._cells,
                "gate": self._gate,
                "remember": self._remember,
                "judge": self._judge,
                "drop": self._drop,
            }
        )

    def close(self) -> None:
        """Keep nothing, release nothing."""

    def _cells(self, question: Frame) -> Frame:
        number, cells = question.data["gate"], cells_of(question)
        if question.data["part"] == 0:
            self._parts[number] = []
        if len(self._parts.get(number, ())) != question.data["part"]:
            return Frame({_LOST: True})  # an earlier part was told to one that died
        vectors = self._described(str(question.data["plan"]["embedder"]), cells.crops)
        self._parts[number].append((cells, vectors))
        return Frame({})

    def _described(self, embedder: str, crops: Crops) -> Vectors:
        """Describe crops, and those of an earlier gate no second time."""
        keys = [hashlib.sha256(embedder.encode() + c.tobytes()).digest() for c in crops]
        new = [i for i, key in enumerate(keys) if key not in self._known]
        embed = load("embedders", embedder)().embed
        found = embed(crops[new])
        self._known |= {keys[i]: v for i, v in zip(new, found, strict=True)}
        rows = [self._known[key][None] for key in keys]
        return np.concatenate([found[:0], *rows])

    def _gate(self, question: Frame) -> Frame:
        number, said = question.data["gate"], question.data["plan"]
        plan = GatePlan(said["embedder"], tuple(said["also"]), said["seed"])
        parts = self._parts.pop(number, [])
        if not parts:
            return Frame({_LOST: True})
        cells = joined([part for part, _ in parts])
        vectors = np.concatenate([v for _, v in parts])
        embed = load("embedders", plan.embedder)().embed
        reference = Reference(cells, vectors, embed, plan.seed)
        self._gates[number] = rehearsed(reference, plan)
        return Frame({})

    def _remember(self, question: Frame) -> Frame:
        gate = self._gates.get(question.data["gate"])
        if gate is None:
            return Frame({_LOST: True})
        gate.remember(batch_of(question).items)
        return Frame({})

    def _judge(self, question: Frame) -> Frame:
        gate = self._gates.get(question.data["gate"])
        if gate is None:
            return Frame({_LOST: True})
        batch = batch_of(question)
        judged: Any = tuple(gate.judge(batch))
        return batch_frame(Batch(judged, batch.start))

    def _drop(self, question: Frame) -> Frame:
        self._gates.pop(question.data["gate"], None)
        return Frame({})


def joined(parts: Sequence[LabelledCells]) -> LabelledCells:
    """Return the cells of several parts, one at least, as one."""
    return LabelledCells(
        np.concatenate([p.ids for p in parts]),
        tuple(code for p in parts for code in p.codes),
        np.concatenate([p.crops for p in parts]),
        np.concatenate([p.vectors for p in parts]),
        parts[0].embedder,
        np.concatenate([p.groups for p in parts]),
    )


if __name__ == "__main__":
    serve(CriticsDesk())
