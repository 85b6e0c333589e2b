"""Jobs of a worker: each in its own thread, one of a kind at a time, stoppable."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from napari_cytosynth.core.errors import Cancelled, CytoSynthError
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.worker.wire import ALIVE, Frame, error_frame

logger = logging.getLogger(__name__)

QUEUE_FRAMES = 4
"""Frames made ahead of a slow reader; then the job waits for it."""

POLL_SECONDS = 0.2
"""How often a waiting job looks whether it was cancelled."""

ABANDONED_SECONDS = 120.0
"""A job whose frames nobody takes for this long ends, and gives its turn to others."""

_DONE = Frame({"type": "done"})


class WorkerJob:
    """Makes frames in a thread and hands them over, until it ends or is cancelled.

    Parameters
    ----------
    source : callable
        Called in the thread; gives the frames.
    turn : Lock
        Held while the job runs, so that jobs of a kind take turns.
    abandoned : float
        Seconds after which a job ends whose frames nobody takes.
    """

    def __init__(
        self,
        source: Callable[[], Iterator[Frame]],
        turn: threading.Lock,
        *,
        abandoned: float = ABANDONED_SECONDS,
    ) -> None:
        self._source, self._turn, self._abandoned = source, turn, abandoned
        self._frames: queue.Queue[bytes | None] = queue.Queue(QUEUE_FRAMES)
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin, or wait for the turn."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop before the next frame."""
        self._cancelled.set()

    def next_frame(self, timeout: float) -> bytes | None:
        """Return the next frame, or a sign of life after a while; None at the end."""
        try:
            return self._frames.get(timeout=timeout)
        except queue.Empty:
            return None if self._cancelled.is_set() else ALIVE.encode()

    def _run(self) -> None:
        try:
            self._wait_for_turn()
        except Cancelled:
            return
        try:
            self._work()
        finally:
            self._turn.release()

    def _work(self) -> None:
        """Run the source; what goes wrong travels to the caller as an error frame."""
        try:
            for frame in self._source():
                self._put(frame.encode())
            self._put(_DONE.encode())
            self._put(None)
        except Cancelled:
            logger.info("A job was cancelled.")
        except CytoSynthError as error:
            self._tell(error)
        except Exception as error:
            logger.exception("A job failed.")
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        try:
            self._put(error_frame(error).encode())
            self._put(None)
        except Cancelled:
            logger.info("A cancelled job failed: %s", error)

    def _wait_for_turn(self) -> None:
        while not self._turn.acquire(timeout=POLL_SECONDS):
            self._check()
        if self._cancelled.is_set():
            self._turn.release()
            self._check()

    def _put(self, frame: bytes | None) -> None:
        until = time.monotonic() + self._abandoned
        while True:
            if time.monotonic() > until:
                self.cancel()
            self._check()
            try:
                self._frames.put(frame, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("The client stopped the job.")


class JobDesk:
    """Starts jobs and finds them again by the id that the client gave."""

    def __init__(self) -> None:
        self._turns = {"embed": threading.Lock(), "generate": threading.Lock()}
        self._jobs: dict[str, WorkerJob] = {}

    def start(
        self, number: str, kind: str, source: Callable[[], Iterator[Frame]]
    ) -> WorkerJob:
        """Start a job, which takes turns with others of its kind: embed, generate."""
        job = self._jobs[number] = WorkerJob(source, self._turns[kind])
        job.start()
        return job

    def cancel(self, number: str) -> bool:
        """Stop a job; False if there is none of this id."""
        job = self._jobs.get(number)
        if job is not None:
            job.cancel()
        return job is not None

    def drop(self, number: str) -> None:
        """Forget a job, and stop it if it still runs."""
        job = self._jobs.pop(number, None)
        if job is not None:
            job.cancel()


class WeightsShelf:
    """Weights by SHA-256, the latest used kept, so that they are sent only once.

    Parameters
    ----------
    room : int
        Bytes kept; the newest weights stay even where they alone are larger.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[str, Weights] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, sha256: str) -> Weights | None:
        """Return the weights of this SHA-256 if they are here."""
        with self._lock:
            if sha256 in self._kept:
                self._kept.move_to_end(sha256)
            return self._kept.get(sha256)

    def put(self, weights: Weights) -> None:
        """Keep weights, in place of those not used for longest."""
        with self._lock:
            self._kept[weights.sha256] = weights
            self._kept.move_to_end(weights.sha256)
            while len(self._kept) > 1 and self._size() > self._room:
                self._kept.popitem(last=False)

    def _size(self) -> int:
        return sum(a.nbytes for w in self._kept.values() for a in w.tensors.values())
