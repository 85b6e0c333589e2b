"""One worker process of our own: start it, learn its address, end it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence

from napari_cytosynth.core.errors import WorkerDiedError, WorkerUnreachableError
from napari_cytosynth.worker.client import WorkerClient

logger = logging.getLogger(__name__)

LAST_WORDS = 20
"""Lines of a worker's log kept for the message about its death."""

END_SECONDS = 3.0
"""Time to end by itself before it is killed."""


class Child:
    """A worker process, started by the constructor.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._token = secrets.token_urlsafe(32)
        self._url = ""
        self._announced = threading.Event()
        self._log: deque[str] = deque(maxlen=LAST_WORDS)
        self._started = time.monotonic()
        self._process = _start(command, self._token)
        self._end = weakref.finalize(self, _stop, self._process)
        for read in (self._read_address, self._read_log):
            threading.Thread(target=read, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    def wait_ready(self, timeout: float) -> bool:
        """Wait until it takes connections; False if it does not yet.

        Raises
        ------
        WorkerDiedError
            If it ended before.
        """
        if not self._announced.wait(timeout):
            return False
        if not self._url:
            raise WorkerDiedError(
                f"The worker could not start ({self.epitaph()}). 'cytosynth doctor' "
                "checks the installation."
            )
        return True

    def client(self) -> WorkerClient:
        """Return a new connection to it."""
        return WorkerClient(self._url, self._token)

    def epitaph(self) -> str:
        """Tell how it ended, and its last line."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        words = self._log[-1] if self._log else "it said nothing"
        return f"{_how(self._process.returncode)}; {words}"

    def stop(self) -> None:
        """End it, by force where it does not listen. Idempotent."""
        self._end()

    def too_slow(self, limit: float) -> WorkerUnreachableError:
        """Build the error for a start that takes longer than ``limit`` seconds."""
        return WorkerUnreachableError(
            f"The worker did not start within {limit:.0f} s. The machine may be out of "
            "memory or very busy; try again, or use a worker elsewhere by its address."
        )

    def _read_address(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            line = pipe.readline()
        # Anything else is no address: wait_ready tells that it could not start.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            self._url = str(json.loads(line)["url"])
        self._announced.set()

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            for line in pipe:
                self._log.append(line.rstrip())
                logger.debug("worker %d: %s", self.pid, line.rstrip())


def default_command() -> tuple[str, ...]:
    """Return the command that starts a worker with all installed plug-ins."""
    return (sys.executable, "-m", "napari_cytosynth.worker")


def _start(command: Sequence[str], token: str) -> subprocess.Popen[str]:
    """Start a process, and hand it the token through its standard input."""
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Its own group: Ctrl-C in the terminal is for the viewer alone.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        raise WorkerUnreachableError(
            f"The worker could not be started: {command[0]} ({error.strerror}). Check "
            "the Python that runs this program."
        ) from error
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it ended at once: wait_ready tells
        process.stdin.write(json.dumps({"token": token}) + "\n")
        process.stdin.flush()
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    """Close its standard input, which ends it; kill it where that takes too long."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _how(code: int | None) -> str:
    if code is None:
        return "it still runs"
    if code >= 0:
        return f"exit status {code}"
    name = signal.Signals(-code).name
    return f"{name}, as when memory runs out" if name == "SIGKILL" else name
