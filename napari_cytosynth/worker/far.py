"""A compute backend on another machine, over a line that may break and come back."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Generator

from napari_cytosynth.core.errors import WorkerDiedError, WorkerError
from napari_cytosynth.worker.address import trusting
from napari_cytosynth.worker.client import SILENCE_SECONDS, WorkerClient
from napari_cytosynth.worker.insisting import POLL_SECONDS, Insisting

logger = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
"""Seconds before each new try. A job that gets further begins with the first again."""


class FarWorker(Insisting):
    """Computes in a worker that someone started elsewhere.

    Where the line to it breaks off in the middle of a job, it is tried again for a
    minute, and the job goes on where it stopped. A worker that never answered is not
    waited for: the address is wrong, or it was not started.

    Parameters
    ----------
    url : str
        ``"http://127.0.0.1:8765"`` through an SSH tunnel, or ``"https://host:8765"``.
    token : str
        The worker's bearer token.
    certificate : str
        PEM file of the worker's own certificate, or of who signed it; empty where a
        public authority did, or without TLS.
    silence : float
        Seconds without a sign of life after which the line counts as lost.
    pauses : tuple of float
        Seconds before each new try.
    """

    def __init__(
        self,
        url: str,
        token: str,
        certificate: str = "",
        *,
        silence: float = SILENCE_SECONDS,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        super().__init__()
        self._url, self._token, self._certificate = url, token, certificate
        self._silence, self._pauses = silence, pauses
        self._client: WorkerClient | None = None
        self._ended = threading.Event()

    def close(self) -> None:
        """Close the connection, and refuse further work; the worker goes on."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        self._ended.set()
        if client is not None:
            client.close()

    def _awake(self, lost: int) -> Generator[str, None, WorkerClient]:
        """Return the connection, after a pause where it was lost."""
        until = time.monotonic() + (self._pauses[lost - 1] if lost else 0.0)
        while (left := until - time.monotonic()) > 0:
            due = f"try {lost + 1} in {math.ceil(left)} s"
            yield f"line lost; {due}"
            self._ended.wait(min(left, POLL_SECONDS))
            self._refuse_closed()
        with self._lock:
            self._refuse_closed()
            if self._client is None:
                # Not before: an address that cannot be used is told by the first job.
                self._client = WorkerClient(
                    self._url,
                    self._token,
                    verify=trusting(self._certificate),
                    silence=self._silence,
                )
            return self._client

    def _bury(self, client: WorkerClient | None, error: WorkerError, lost: int) -> None:
        """Wait for another try, or raise where there is no hope in one."""
        self._refuse_closed()
        if client is None or not client.reached:
            raise error
        if lost > len(self._pauses):
            raise WorkerDiedError(
                f"The line to the worker at {self._url} broke off, and {lost - 1} more "
                f"tries did not bring it back ({error.__cause__ or error}). What was "
                "made is kept. Check the tunnel and the worker, then ask for the same "
                "again: it goes on."
            ) from error
        logger.warning("Lost the worker at %s (%s); trying again.", self._url, error)
