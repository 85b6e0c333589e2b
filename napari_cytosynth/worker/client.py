"""Calls a worker by its address: near, through an SSH tunnel, or over TLS."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import httpx
import numpy as np

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import (
    Batch,
    Crops,
    Hello,
    LabelledCells,
    Request,
    Vectors,
    Weights,
)
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.worker import wire
from napari_cytosynth.worker.address import is_loopback, refuse_readable
from napari_cytosynth.worker.listening import listened
from napari_cytosynth.worker.mishaps import Mishaps
from napari_cytosynth.worker.wire import JOB_HEADER, STRAY_HEADER, Frame, FrameReader

T = TypeVar("T")
logger = logging.getLogger(__name__)

EMBED_CHUNK = 256
"""Crops sent in one request: 7 MiB, so that little is lost with a connection."""

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 30.0
"""A worker that sends no sign of life for this long counts as dead."""

QUIET_SECONDS = 3.0
"""From then on a job tells that it hears nothing."""

CANCEL_SECONDS = 1.0


class WorkerClient:
    """A compute backend behind an address.

    Parameters
    ----------
    url : str
        ``"http://127.0.0.1:8765"`` or ``"https://host:8765"``.
    token : str
        The worker's bearer token.
    verify : bool or ssl.SSLContext
        How to check a TLS certificate; False only for tests.
    silence : float
        Seconds without a sign of life after which the worker counts as dead.

    Raises
    ------
    InputError
        If the address is plain HTTP to another machine.
    WorkerUnreachableError
        If it is no address.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        verify: bool | ssl.SSLContext = True,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self._url = url.rstrip("/")
        self._limit: int | None = None
        self._mishaps = Mishaps(self._url, silence)
        self._stray: list[str] = []
        try:
            refuse_readable(self._url)
            self._http = httpx.Client(
                base_url=self._url,
                headers={b"authorization": f"Bearer {token.strip()}".strip().encode()},
                timeout=httpx.Timeout(silence, connect=CONNECT_SECONDS, pool=None),
                # Reading the system's certificates takes time that plain HTTP saves.
                verify=verify if self._url.startswith("https") else False,
                # No proxy of the environment may come between us and this machine.
                trust_env=not is_loopback(httpx.URL(self._url).host),
            )
        except httpx.InvalidURL as error:
            raise self._mishaps.unreachable(error) from error

    @property
    def reached(self) -> bool:
        """Whether a worker of this version has ever answered."""
        return self._limit is not None

    def hello(self) -> Hello:
        """Say what the worker has.

        Raises
        ------
        WorkerUnreachableError
            If nothing, or something else, answers.
        WorkerRefusedError
            If the token is wrong.
        WorkerError
            If the worker is of another version.
        """
        return wire.hello_from_json(self._hello())

    def embed(self, embedder: str, crops: Crops) -> Task[Vectors]:
        """Embed crops, :data:`EMBED_CHUNK` in a request."""
        parts = []
        for start in range(0, max(len(crops), 1), EMBED_CHUNK):
            chunk = crops[start : start + EMBED_CHUNK]
            task = self._task("embed", Frame({"embedder": embedder}, {"crops": chunk}))
            frame = yield from shifted(task, start, len(crops))
            parts.append(frame.arrays["vectors"])
        return np.concatenate(parts)

    def fit(
        self, generator: str, cells: LabelledCells, config: Mapping[str, Any]
    ) -> Task[Weights]:
        """Fit a generator; its weights also stay with the worker."""
        data = {"generator": generator, "config": dict(config)}
        frame = yield from self._task("fit", wire.cells_to_frame(cells, data))
        return wire.weights_of(frame)

    def generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Generator[Batch, None, None]:
        """Yield draws as they arrive, and empty batches as signs of life."""
        return self._generate(generator, request, weights)

    def close(self) -> None:
        """Close the connection; the worker goes on."""
        self._http.close()

    def _generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Generator[Batch, None, None]:
        said = {"sha256": weights.sha256, "meta": dict(weights.meta)}
        data = {"generator": generator, "request": wire.request_to_json(request)}
        ask = Frame({**data, "weights": said})
        start = request.start
        with closing(self._asked(ask, weights)) as frames:
            for frame in frames:
                if frame.data["type"] == "batch":
                    batch = wire.batch_of(frame)
                    start = batch.start + len(batch)
                    yield batch
                else:
                    yield Batch((), start, str(frame.data.get("note", "")))

    def _asked(self, ask: Frame, weights: Weights) -> Generator[Frame, None, None]:
        """Ask with the weights' name only, and send them where they are wanted."""
        try:
            yield from self._frames("generate", ask)
        except _WeightsWantedError:
            sent = wire.weights_to_frame(weights, ask.data)
            yield from self._frames("generate", sent)

    def _task(self, verb: str, ask: Frame) -> Task[Frame]:
        """Yield the progress of a job, and return the frame that holds its result."""
        progress, result = Progress(0, 0, "waiting for the worker"), None
        with closing(self._frames(verb, ask)) as frames:
            for frame in frames:
                if frame.data["type"] == "result":
                    result = frame
                elif frame.data["type"] == "progress":
                    progress = wire.progress_of(frame.data)
                yield replace(progress, note=frame.data.get("note") or progress.note)
        if result is None:
            raise self._mishaps.died(verb, "it sent no result")
        return result

    def _frames(self, verb: str, ask: Frame) -> Generator[Frame, None, None]:
        """Send a request and yield the answer's frames, and signs of life.

        The connection is served by a thread of its own: neither a line that hangs nor
        a slow one keeps the caller from leaving at once.
        """
        call, heard_at = _Call(), time.monotonic()
        talk = listened(lambda: self._talk(verb, ask, call), call.hang_up)
        with closing(talk) as frames:
            for frame in frames:
                if frame is not None:
                    heard_at = time.monotonic()
                yield frame or _quiet(time.monotonic() - heard_at)

    def _talk(self, verb: str, ask: Frame, call: _Call) -> Generator[Frame, None, None]:
        """Send a request and yield the answer's frames until it is complete."""
        body, stray, complete = self._encoded(ask), tuple(self._stray), False
        named = {JOB_HEADER: call.job, STRAY_HEADER: ",".join(stray)}
        with (
            self._mishaps.translated(verb),
            self._http.stream("POST", f"/{verb}", content=body, headers=named) as got,
        ):
            self._check(got)
            self._stray = [job for job in self._stray if job not in stray]
            try:
                with call.held(got):
                    complete = yield from _read(got, verb)
            finally:
                if not complete:
                    self._cancel(call.job)
        if not complete:
            raise self._mishaps.died(verb, "the answer broke off")

    def _encoded(self, ask: Frame) -> bytes:
        if self._limit is None:
            self._limit = int(self._hello(brief=1)["request_bytes"])
        body = ask.encode()
        if len(body) > self._limit:
            raise InputError(
                f"A request of {len(body):,} bytes is too large: the worker takes at "
                f"most {self._limit:,}. Send fewer cells at once, or start the worker "
                "with a larger --max-mb."
            )
        return body

    def _hello(self, **query: int) -> dict[str, Any]:
        with self._mishaps.translated("hello"):
            answer = self._http.get("/hello", params=query)
            self._check(answer)
            said = self._mishaps.said(answer)
        wire.hello_from_json(said)
        return said

    def _cancel(self, job: str) -> None:
        """Stop a job by name too: a proxy may hide that we hung up."""
        # Closed with its answer: a connection that comes about while another thread
        # closes the client would stay open for ever.
        named = {JOB_HEADER: job, "connection": "close"}
        try:
            self._http.post("/cancel", headers=named, timeout=CANCEL_SECONDS)
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: closed by now
            logger.info("Could not cancel by name (%s); hung up instead.", error)
            self._stray.append(job)

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code == httpx.codes.OK:
            return
        answer.read()
        said = self._mishaps.said(answer)
        if said.get("type") == "weights wanted":
            raise _WeightsWantedError
        raise wire.error_of(said, answer.request.url.path)


class _Call:
    """One request under way, which another thread may end."""

    def __init__(self) -> None:
        self.job = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    @contextmanager
    def held(self, answer: httpx.Response) -> Iterator[None]:
        """Let :meth:`hang_up` reach the connection of an answer while it is read."""
        line = answer.extensions["network_stream"]
        with self._lock:
            self._socket = line.get_extra_info("socket")
        try:
            yield
        finally:
            with self._lock:
                self._socket = None

    def hang_up(self) -> None:
        """Make the thread that waits for the answer give up at once."""
        with self._lock, suppress(OSError):
            if self._socket is not None:
                # That of the class: TLS would first take itself away from the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _WeightsWantedError(Exception):
    """The worker does not have the weights that a request names."""


def _read(answer: httpx.Response, verb: str) -> Generator[Frame, None, bool]:
    """Yield the frames of an answer; return whether it was complete."""
    reader = FrameReader(wire.MAX_FRAME)
    for chunk in answer.iter_raw():
        for frame in reader.feed(chunk):
            if frame.data["type"] == "error":
                raise wire.error_of(frame.data, verb)
            if frame.data["type"] == "done":
                return True
            yield frame
    return False


def _quiet(seconds: float) -> Frame:
    """Return a sign of life of our own, which tells when the line is silent."""
    if seconds < QUIET_SECONDS:
        return wire.ALIVE
    return Frame({"type": "alive", "note": f"no word for {seconds:.0f} s"})


def shifted(task: Task[T], start: int, total: int) -> Task[T]:
    """Count the progress of one chunk as progress of the whole.

    Parameters
    ----------
    task : Task
        Works on the chunk.
    start, total : int
        Number of the chunk's first item, and items in all.
    """
    with closing(task):
        try:
            while True:
                step = next(task)
                yield replace(step, done=start + step.done, total=total)
        except StopIteration as stop:
            result: T = stop.value
            return result
