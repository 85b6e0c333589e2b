"""A compute backend that starts its own worker, and another one where that dies."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from napari_cytosynth.core.errors import (
    WorkerDiedError,
    WorkerError,
    WorkerUnreachableError,
)
from napari_cytosynth.core.protocols import (
    Batch,
    Crops,
    Hello,
    LabelledCells,
    Request,
    Vectors,
    Weights,
)
from napari_cytosynth.core.tasks import Progress, Task, run_to_end
from napari_cytosynth.worker.child import Child, default_command
from napari_cytosynth.worker.client import EMBED_CHUNK, WorkerClient, shifted

T = TypeVar("T")
logger = logging.getLogger(__name__)

START_SECONDS = 60.0
RESTARTS = 3
"""A job may lose this many workers in a row without getting any further."""

POLL_SECONDS = 0.25


class WorkerProcess:
    """Computes in a worker process of its own, started when it is first needed.

    A worker that dies is started again and the job goes on where it stopped: draws by
    their number, crops by the chunk, a fit from its beginning. The worker ends with
    :meth:`close`, with this process, or when this process is killed.

    Parameters
    ----------
    command : sequence of str, optional
        What starts a worker; by default this Python with all installed plug-ins.
    start_timeout : float
        Seconds that a worker may take to start.
    restarts : int
        Workers that a job may lose in a row without getting any further.
    """

    def __init__(
        self,
        command: Sequence[str] | None = None,
        *,
        start_timeout: float = START_SECONDS,
        restarts: int = RESTARTS,
    ) -> None:
        self._command = tuple(command) if command is not None else default_command()
        self._start_timeout, self._restarts = start_timeout, restarts
        self._lock = threading.Lock()
        self._closed = False
        self._child: Child | None = None
        self._client: WorkerClient | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the worker, or None before the first was started."""
        child = self._child
        return child.pid if child is not None else None

    def hello(self) -> Hello:
        """Say what the worker has; starts it."""
        return run_to_end(self._insist(_said, Progress(0, 0, "starting the worker")))

    def embed(self, embedder: str, crops: Crops) -> Task[Vectors]:
        """Embed crops; a chunk that a worker died over is sent again."""
        parts, begun = [], Progress(0, 0, f"starting the worker for {embedder}")
        for start in range(0, max(len(crops), 1), EMBED_CHUNK):
            chunk = crops[start : start + EMBED_CHUNK]
            task = self._insist(_embedding(embedder, chunk), begun)
            parts.append((yield from shifted(task, start, len(crops))))
        return np.concatenate(parts)

    def fit(
        self, generator: str, cells: LabelledCells, config: Mapping[str, Any]
    ) -> Task[Weights]:
        """Fit a generator; begun anew where a worker died over it."""
        begun = Progress(0, 0, f"starting the worker for {generator}")
        return self._insist(lambda c: c.fit(generator, cells, config), begun)

    def generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Generator[Batch, None, None]:
        """Yield draws; after a worker's death another makes the next ones."""
        return self._generate(generator, request, weights)

    def close(self) -> None:
        """End the worker, and refuse further work. Idempotent."""
        with self._lock:
            self._closed = True
            child, client = self._child, self._client
            self._child = self._client = None
        if client is not None:
            client.close()
        if child is not None:
            child.stop()

    def _generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Generator[Batch, None, None]:
        ask, lost = request, 0
        while True:
            client = None
            try:
                client = yield from self._awake(Batch((), ask.start))
                with closing(client.generate(generator, ask, weights)) as batches:
                    for batch in batches:
                        lost = 0 if len(batch) else lost
                        ask = _after(ask, batch)
                        yield batch
            except (WorkerDiedError, WorkerUnreachableError) as error:
                lost += 1
                self._bury(client, error, lost)
                if ask.count < 1 <= request.count:
                    return  # it died after the last draw
            else:
                return

    def _insist(
        self, job: Callable[[WorkerClient], Task[T]], begun: Progress
    ) -> Task[T]:
        """Run a job, again where the worker died over it."""
        lost = 0
        while True:
            client = None
            try:
                client = yield from self._awake(begun)
                result = yield from job(client)
            except (WorkerDiedError, WorkerUnreachableError) as error:
                lost += 1
                self._bury(client, error, lost)
            else:
                return result

    def _awake(self, sign: T) -> Generator[T, None, WorkerClient]:
        """Return a connection to a worker that runs; yield ``sign`` while it starts."""
        while True:
            child = self._begun()
            try:
                while not child.wait_ready(POLL_SECONDS):
                    if child.age > self._start_timeout:
                        raise child.too_slow(self._start_timeout)
                    yield sign
            except (WorkerDiedError, WorkerUnreachableError):
                self._clear(child)
                raise
            with self._lock:
                self._refuse_closed()
                if self._child is child:
                    if self._client is None:
                        self._client = child.client()
                    return self._client

    def _begun(self) -> Child:
        """Return the worker that runs or starts; start one where there is none."""
        with self._lock:
            self._refuse_closed()
            if self._child is None:
                self._child = Child(self._command)
                logger.info("Started worker %d.", self._child.pid)
            return self._child

    def _clear(self, child: Child) -> str:
        """End a worker that failed, unless another job has done so; tell how it ended.

        Only this one: other jobs may have begun another worker meanwhile.
        """
        with self._lock:
            ours = self._child is child
            if ours:
                self._child = self._client = None
        child.stop()
        how = child.epitaph()
        if ours:
            logger.warning("Worker %d died: %s.", child.pid, how)
        return how

    def _bury(self, client: WorkerClient | None, error: WorkerError, lost: int) -> None:
        """Clear a dead worker away, or raise where too many were lost."""
        with self._lock:
            self._refuse_closed()
            # Else it never ran, or another job noticed first.
            child = self._child if client and client is self._client else None
        how = str(error) if child is None else self._clear(child)
        if lost > self._restarts:
            raise WorkerDiedError(
                f"{lost} workers in a row died over the same job ({how}). What was "
                "made is kept. Ask for less at once, or use a worker with more memory."
            ) from error

    def _refuse_closed(self) -> None:
        if self._closed:
            raise WorkerError(
                "The compute backend was closed, and its worker ended. Open the "
                "project again to go on."
            )


def _said(client: WorkerClient) -> Task[Hello]:
    yield Progress(0, 0, "asking the worker")
    return client.hello()


def _embedding(embedder: str, crops: Crops) -> Callable[[WorkerClient], Task[Vectors]]:
    return lambda client: client.embed(embedder, crops)


def _after(request: Request, batch: Batch) -> Request:
    """Return what is left of a request after a batch."""
    end = request.start + request.count
    start = batch.start + len(batch)
    return replace(request, start=start, count=end - start)
