"""A compute backend that starts its own worker, and another one where that dies."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence

from napari_cytosynth.core.errors import (
    WorkerDiedError,
    WorkerError,
    WorkerUnreachableError,
)
from napari_cytosynth.worker.child import Child, default_command
from napari_cytosynth.worker.client import WorkerClient
from napari_cytosynth.worker.insisting import POLL_SECONDS, Insisting

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
RESTARTS = 3
"""A job may lose this many workers in a row without getting any further."""


class WorkerProcess(Insisting):
    """Computes in a worker process of its own, started when it is first needed.

    A worker that dies is started again and the job goes on where it stopped. The worker
    ends with :meth:`close`, with this process, or when this process is killed.

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
        super().__init__()
        self._command = tuple(command) if command is not None else default_command()
        self._start_timeout, self._restarts = start_timeout, restarts
        self._child: Child | None = None
        self._client: WorkerClient | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the worker, or None before the first was started."""
        child = self._child
        return child.pid if child is not None else None

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

    def _awake(self, lost: int) -> Generator[str, None, WorkerClient]:
        """Return a connection to a worker that runs, or is started."""
        while True:
            child = self._begun()
            try:
                while not child.wait_ready(POLL_SECONDS):
                    if child.age > self._start_timeout:
                        raise child.too_slow(self._start_timeout)
                    yield "starting the worker" + (" again" if lost else "")
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
