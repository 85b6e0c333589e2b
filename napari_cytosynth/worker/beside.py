"""Finds cells in a process beside the viewer, so that its window never waits.

scikit-image and SciPy hold the interpreter's lock for whole calls: in a thread of the
viewer they would stop the window as surely as in its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.errors import WorkerDiedError, WorkerError
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.worker.side import detections_of, frames_of
from napari_cytosynth.worker.wire import Frame, error_of

logger = logging.getLogger(__name__)

TRIES = 3
"""Processes that one question may cost before it is given up."""

COMMAND = (sys.executable, "-m", "napari_cytosynth.worker.side")


class SideProcess:
    """A process of our own that answers questions; another one where it died.

    Parameters
    ----------
    command : sequence of str
        What starts one.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = tuple(command)
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: Iterator[Frame] = iter(())

    @property
    def pid(self) -> int | None:
        """Its process id; None while there is none."""
        process = self._process
        return process.pid if process is not None else None

    def wake(self) -> None:
        """Start it ahead of the first question, which then need not wait."""
        self._awake()

    def ask(self, question: Frame) -> Frame:
        """Return the answer; questions of several threads take turns.

        Raises
        ------
        CytoSynthError
            As the work itself raises it.
        WorkerDiedError
            If process after process died over this question.
        WorkerError
            If :meth:`close` was called, or the work failed unexpectedly.
        """
        with self._turn:
            answer = self._insist(question)
        if answer.data.get("type") == "error":
            raise error_of(answer.data, f"the side process ({question.data['verb']})")
        return answer

    def close(self) -> None:
        """End it, in the middle of its work if need be. Idempotent."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _insist(self, question: Frame) -> Frame:
        code = None
        for _ in range(TRIES):
            process = self._awake()
            with contextlib.suppress(OSError, StopIteration):
                assert process.stdin is not None
                process.stdin.write(question.encode())
                process.stdin.flush()
                return next(self._answers)
            code = self._bury(process)
        raise WorkerDiedError(
            f"A process beside the viewer ended {TRIES} times over the same step (exit "
            f"status {code}). What it did before is kept. The machine may be out of "
            "memory: close other programs and try again."
        )

    def _awake(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise WorkerError(
                    "The process beside the viewer was closed with its window. Open "
                    "the project again to go on."
                )
            if self._process is None:
                self._process = _begin(self._command)
                assert self._process.stdout is not None
                self._answers = frames_of(self._process.stdout)  # type: ignore[arg-type]
            return self._process

    def _bury(self, process: subprocess.Popen[bytes]) -> int | None:
        with self._lock:
            if self._process is process:
                self._process = None
        _end(process)
        if not self._closed:
            logger.warning(
                "Side process %d ended: %s.", process.pid, process.returncode
            )
        return process.returncode


class BesideFinder:
    """Implements :class:`napari_cytosynth.core.protocols.Finder` in a side process.

    Parameters
    ----------
    side : SideProcess
        Closed by :meth:`close`.
    """

    def __init__(self, side: SideProcess) -> None:
        self.side = side

    def calibrate(self, image: SmearImage, mpp: float | None = None) -> Calibration:
        """Measure a smear once; ``mpp`` where the user knows it."""
        question = {"verb": "calibrate", "uri": image.smear.uri, "mpp": mpp}
        answer = self.side.ask(Frame(question))
        return Calibration.from_json(answer.data["calibration"])

    def scan(
        self, image: SmearImage, detector: str, calibration: Calibration, start: int
    ) -> Iterator[tuple[int, int, Detections]]:
        """Yield tiles done, tiles in all, each tile's cells, from tile ``start``."""
        question = {
            "verb": "tile",
            "uri": image.smear.uri,
            "detector": detector,
            "calibration": calibration.to_json(),
        }
        total = start + 1
        while start < total:
            answer = self.side.ask(Frame({**question, "tile": start}))
            total, start = int(answer.data["total"]), start + 1
            if start <= total:
                yield start, total, detections_of(answer.arrays)

    def crops(self, image: SmearImage, boxes: npt.ArrayLike, mpp: float) -> Crops:
        """Return uint8[n, 96, 96, 3] around boxes float32[n, 4] in level-0 pixels."""
        crops: Crops = self._of_boxes("crops", image, boxes, mpp)
        return crops

    def measure(self, image: SmearImage, boxes: npt.ArrayLike, mpp: float) -> Vectors:
        """Return float32[n, 2]: how sharp each cell is, and how torn around it."""
        measures: Vectors = self._of_boxes("measure", image, boxes, mpp)
        return measures

    def _of_boxes(
        self, verb: str, image: SmearImage, boxes: npt.ArrayLike, mpp: float
    ) -> npt.NDArray[Any]:
        """Ask about boxes of a picture; return the one array of the answer."""
        question = {"verb": verb, "uri": image.smear.uri, "mpp": mpp}
        wanted = np.asarray(boxes, np.float32).reshape(-1, 4)
        (answer,) = self.side.ask(Frame(question, {"boxes": wanted})).arrays.values()
        return np.asarray(answer)

    def close(self) -> None:
        """End the process."""
        self.side.close()


def _begin(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Its own group: Ctrl-C in the terminal is for the viewer alone.
        start_new_session=os.name == "posix",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it: it only reads pictures, and leaves nothing half-done."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
