"""Calls a worker by its address: near, through an SSH tunnel, or over TLS."""

from __future__ import annotations

import logging
import ssl
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import httpx
import numpy as np

from napari_cytosynth.core.errors import (
    InputError,
    WorkerDiedError,
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
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.worker import wire
from napari_cytosynth.worker.wire import Frame, FrameReader

T = TypeVar("T")
logger = logging.getLogger(__name__)

EMBED_CHUNK = 1024
"""Crops sent in one request: 27 MiB, so that neither side holds them all."""

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 30.0
"""A worker that sends no sign of life for this long counts as dead."""

CANCEL_SECONDS = 1.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
        try:
            self._http = httpx.Client(
                base_url=self._url,
                headers={b"authorization": f"Bearer {token.strip()}".strip().encode()},
                timeout=httpx.Timeout(silence, connect=CONNECT_SECONDS, pool=None),
                # Reading the system's certificates takes time that plain HTTP saves.
                verify=verify if self._url.startswith("https") else False,
                # No proxy of the environment may come between us and this machine.
                trust_env=httpx.URL(self._url).host not in _LOOPBACK,
            )
        except httpx.InvalidURL as error:
            raise self._unreachable(error) from error

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
                    yield Batch((), start)

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
                yield progress
        if result is None:
            raise self._died(verb, "it sent no result")
        return result

    def _frames(self, verb: str, ask: Frame) -> Generator[Frame, None, None]:
        """Send a request and yield the answer's frames until it is complete."""
        body = self._encoded(ask)
        job = {"x-cytosynth-job": uuid.uuid4().hex}
        with (
            self._translated(verb),
            self._http.stream("POST", f"/{verb}", content=body, headers=job) as answer,
        ):
            self._check(answer)
            reader = FrameReader(wire.MAX_FRAME)
            try:
                for chunk in answer.iter_raw():
                    for frame in reader.feed(chunk):
                        if frame.data["type"] == "error":
                            raise wire.error_of(frame.data, verb)
                        if frame.data["type"] == "done":
                            return
                        yield frame
            except GeneratorExit:
                self._cancel(job)
                raise
        raise self._died(verb, "the answer broke off")

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
        with self._translated("hello"):
            answer = self._http.get("/hello", params=query)
            self._check(answer)
            said = self._json(answer)
        wire.hello_from_json(said)
        return said

    def _cancel(self, job: Mapping[str, str]) -> None:
        """Stop the job by name too: a proxy may hide that we hung up."""
        try:
            self._http.post("/cancel", headers=dict(job), timeout=CANCEL_SECONDS)
        except httpx.HTTPError as error:
            logger.info("Could not cancel by name (%s); hung up instead.", error)

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code == httpx.codes.OK:
            return
        answer.read()
        said = self._json(answer)
        if said.get("type") == "weights wanted":
            raise _WeightsWantedError
        raise wire.error_of(said, answer.request.url.path)

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict) or not said.keys() & {"type", "protocol"}:
            raise WorkerUnreachableError(
                f"What answers at {self._url} is no cytosynth worker (HTTP "
                f"{answer.status_code}). Check the address and port in the settings."
            )
        return said

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        """Turn the transport's errors into ours."""
        try:
            yield
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.UnsupportedProtocol,
        ) as error:
            raise self._unreachable(error) from error
        except httpx.TransportError as error:
            raise self._died(verb, str(error) or type(error).__name__) from error

    def _unreachable(self, error: Exception) -> WorkerUnreachableError:
        return WorkerUnreachableError(
            f"No worker answers at {self._url} ({error}). Start one there with "
            "'cytosynth worker', check address and SSH tunnel, or clear the address in "
            "the settings to compute on this machine."
        )

    def _died(self, verb: str, why: str) -> WorkerDiedError:
        return WorkerDiedError(
            f"The worker at {self._url} ended in the middle of {verb} ({why}). What it "
            "had sent is kept; start the worker again and repeat, and the job goes on."
        )


class _WeightsWantedError(Exception):
    """The worker does not have the weights that a request names."""


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
