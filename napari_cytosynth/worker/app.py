"""The worker's service: ``hello embed fit generate cancel`` over HTTP.

A request is one frame of :mod:`napari_cytosynth.worker.wire`; an answer streams frames
as results are made, with a sign of life at least once a second. When the client hangs
up, its job is cancelled.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import napari_cytosynth
from napari_cytosynth.core.errors import (
    CytoSynthError,
    InputError,
    WorkerRefusedError,
)
from napari_cytosynth.core.protocols import Hello, Vectors, Weights
from napari_cytosynth.core.tasks import Task
from napari_cytosynth.worker import wire
from napari_cytosynth.worker.inline import InlineCompute
from napari_cytosynth.worker.jobs import JobDesk, WeightsShelf, WorkerJob
from napari_cytosynth.worker.wire import JOB_HEADER, STRAY_HEADER, Frame

T = TypeVar("T")
logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.5
"""A sign of life is sent when nothing else was for this long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a worker takes in.

    Parameters
    ----------
    request_bytes : int
        Largest request; larger ones get 413.
    weights_bytes : int
        Weights kept between requests.
    """

    request_bytes: int = wire.MAX_FRAME
    weights_bytes: int = 2 * 2**30


class TooLargeError(InputError):
    """A request is larger than the worker allows."""


def create_app(
    compute: InlineCompute, token: str, limits: Limits | None = None
) -> Starlette:
    """Build the ASGI application.

    Parameters
    ----------
    compute : InlineCompute
        Does the work; its tables say what is served.
    token : str
        Every request must bear it.
    limits : Limits, optional
        How much is taken in.
    """
    service = _Service(compute, limits or Limits())
    routes = [
        Route("/hello", service.hello, methods=["GET"]),
        Route("/embed", service.embed, methods=["POST"]),
        Route("/fit", service.fit, methods=["POST"]),
        Route("/generate", service.generate, methods=["POST"]),
        Route("/cancel", service.cancel, methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_BearerGuard, token=token)],
        exception_handlers={
            CytoSynthError: _refuse,
            KeyError: _refuse_gap,
            **dict.fromkeys((TypeError, ValueError, AttributeError), _refuse_odd),
        },
    )


class _BearerGuard:
    """Lets only requests with the right token through."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._wanted = app, f"Bearer {token.strip()}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] == "http" and not hmac.compare_digest(given, self._wanted):
            error = WorkerRefusedError(
                "The worker refused the token. Each worker has its own; copy the token "
                "that it was started with (CYTOSYNTH_TOKEN or --token-file) into the "
                "settings."
            )
            answer = JSONResponse(wire.error_frame(error).data, 401)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _Service:
    """The five verbs."""

    def __init__(self, compute: InlineCompute, limits: Limits) -> None:
        self._compute, self._limits = compute, limits
        self._desk = JobDesk()
        self._shelf = WeightsShelf(limits.weights_bytes)

    async def hello(self, request: HttpRequest) -> Response:
        """Say what there is; ``?brief=1`` leaves the device out and is quick."""
        if request.query_params.get("brief"):
            said = Hello(napari_cytosynth.__version__, "", (), ())
        else:
            said = await to_thread.run_sync(self._compute.hello)
        limit = {"request_bytes": self._limits.request_bytes}
        return JSONResponse({**wire.hello_to_json(said), **limit})

    async def embed(self, request: HttpRequest) -> Response:
        """Stream progress, then ``vectors``."""
        frame = await self._frame(request)
        task = self._compute.embed(frame.data["embedder"], frame.arrays["crops"])
        return self._stream(request, "embed", lambda: _report(task, _vectors_frame))

    async def fit(self, request: HttpRequest) -> Response:
        """Stream progress, then ``weights``, which stay on the shelf."""
        frame = await self._frame(request)
        task = self._compute.fit(
            frame.data["generator"], wire.cells_of(frame), frame.data["config"]
        )

        def keep(weights: Weights) -> Frame:
            self._shelf.put(weights)
            return wire.weights_to_frame(weights, {"type": "result"})

        return self._stream(request, "generate", lambda: _report(task, keep))

    async def generate(self, request: HttpRequest) -> Response:
        """Stream batches; 409 asks for the weights where they are not on the shelf."""
        frame = await self._frame(request)
        weights = await to_thread.run_sync(self._weights, frame)
        if weights is None:
            return JSONResponse({"type": "weights wanted"}, 409)
        ask = wire.request_from_json(frame.data["request"])
        batches = self._compute.generate(frame.data["generator"], ask, weights)

        def frames() -> Iterator[Frame]:
            with closing(batches):
                for batch in batches:
                    yield wire.batch_frame(batch) if len(batch) else wire.ALIVE

        return self._stream(request, "generate", frames)

    async def cancel(self, request: HttpRequest) -> Response:
        """Stop a job of this client."""
        found = self._desk.cancel(request.headers.get(JOB_HEADER, ""))
        return JSONResponse({"found": found})

    def _weights(self, frame: Frame) -> Weights | None:
        if frame.data["weights"].get("sent"):
            weights = wire.weights_of(frame)
            self._shelf.put(weights)
            return weights
        return self._shelf.get(str(frame.data["weights"]["sha256"]))

    async def _frame(self, request: HttpRequest) -> Frame:
        body = await _body(request, self._limits.request_bytes)
        return await to_thread.run_sync(wire.read_frame, body)

    def _stream(
        self,
        request: HttpRequest,
        kind: str,
        source: Callable[[], Iterator[Frame]],
    ) -> Response:
        number = request.headers.get(JOB_HEADER, "")
        for stray in filter(None, request.headers.get(STRAY_HEADER, "").split(",")):
            self._desk.cancel(stray)
        return StreamingResponse(
            self._frames(number, kind, source), media_type=wire.MEDIA_TYPE
        )

    async def _frames(
        self, number: str, kind: str, source: Callable[[], Iterator[Frame]]
    ) -> AsyncIterator[bytes]:
        job = self._desk.start(number, kind, source)
        try:
            while (frame := await self._next(job)) is not None:
                yield frame
        finally:
            self._desk.drop(number)

    async def _next(self, job: WorkerJob) -> bytes | None:
        return await to_thread.run_sync(job.next_frame, HEARTBEAT_SECONDS)


async def _body(request: HttpRequest, limit: int) -> bytes:
    """Read a body up to a limit.

    What is beyond it is read and dropped, since a client that is still sending would
    see a broken pipe in place of the answer.
    """
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            parts.append(chunk)
        else:
            parts.clear()
    if size > limit:
        raise TooLargeError(
            f"A request of {size:,} bytes was sent; this worker takes at most "
            f"{limit:,}. Send fewer cells at once, or start the worker with a larger "
            "--max-mb."
        )
    return b"".join(parts)


async def _refuse(request: HttpRequest, error: Exception) -> Response:
    """Answer what was wrong with a request, before a stream has begun."""
    large = isinstance(error, TooLargeError)
    told = InputError(str(error)) if large else error
    return JSONResponse(wire.error_frame(told).data, 413 if large else 400)


async def _refuse_gap(request: HttpRequest, error: Exception) -> Response:
    """Answer a request that lacks a field."""
    told = InputError(
        f"A request to {request.url.path} lacks its field {error}. Install the same "
        "version of napari-cytosynth on both sides."
    )
    return JSONResponse(wire.error_frame(told).data, 400)


async def _refuse_odd(request: HttpRequest, error: Exception) -> Response:
    """Answer a request of which a field is not what it should be."""
    logger.error("A request could not be read.", exc_info=error)
    told = InputError(
        f"A request to {request.url.path} could not be read ({error}). Install the "
        "same version of napari-cytosynth on both sides."
    )
    return JSONResponse(wire.error_frame(told).data, 400)


def _vectors_frame(vectors: Vectors) -> Frame:
    return Frame({"type": "result"}, {"vectors": vectors})


def _report(task: Task[T], pack: Callable[[T], Frame]) -> Generator[Frame, None, None]:
    """Turn a task into frames: its progress, then its result."""
    with closing(task):
        try:
            while True:
                yield wire.progress_frame(next(task))
        except StopIteration as stop:
            yield pack(stop.value)
