"""A compute backend that goes on where its worker, or the line to it, is lost."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
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
from napari_cytosynth.worker.client import EMBED_CHUNK, WorkerClient, shifted

S = TypeVar("S")
T = TypeVar("T")

POLL_SECONDS = 0.25
"""How often a job that waits for a worker gives a sign of life."""


class Insisting(ABC):
    """Asks again until a job is done: what was made before a loss is never asked twice.

    Draws go on by their number, crops by the chunk, a fit from its beginning.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False

    def hello(self) -> Hello:
        """Say what the worker has."""
        return run_to_end(self._insist(_said))

    def embed(self, embedder: str, crops: Crops) -> Task[Vectors]:
        """Embed crops; a chunk that was lost is sent again."""
        parts = []
        for start in range(0, max(len(crops), 1), EMBED_CHUNK):
            chunk = crops[start : start + EMBED_CHUNK]
            task = self._insist(_embedding(embedder, chunk))
            parts.append((yield from shifted(task, start, len(crops))))
        return np.concatenate(parts)

    def fit(
        self, generator: str, cells: LabelledCells, config: Mapping[str, Any]
    ) -> Task[Weights]:
        """Fit a generator; begun anew where it was lost."""
        return self._insist(lambda c: c.fit(generator, cells, config))

    def generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Generator[Batch, None, None]:
        """Yield draws; after a loss the next ones."""
        return self._generate(generator, request, weights)

    @abstractmethod
    def close(self) -> None:
        """Let go of the worker, and refuse further work. Idempotent."""

    @abstractmethod
    def _awake(self, lost: int) -> Generator[str, None, WorkerClient]:
        """Return a connection; yield what is being waited for, a few times a second.

        Parameters
        ----------
        lost : int
            Connections that the job has lost in a row.
        """

    @abstractmethod
    def _bury(self, client: WorkerClient | None, error: WorkerError, lost: int) -> None:
        """Clear away what was lost, or raise where too much was."""

    def _generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Generator[Batch, None, None]:
        ask, lost = request, 0
        while True:
            client = None
            try:
                client = yield from _signs(self._awake(lost), _waiting(ask.start))
                with closing(client.generate(generator, ask, weights)) as batches:
                    for batch in batches:
                        lost = 0 if len(batch) else lost
                        ask = _after(ask, batch)
                        yield batch
            except (WorkerDiedError, WorkerUnreachableError) as error:
                lost += 1
                self._bury(client, error, lost)
                if ask.count < 1 <= request.count:
                    return  # it was lost after the last draw
            else:
                return

    def _insist(self, job: Callable[[WorkerClient], Task[T]]) -> Task[T]:
        """Run a job, again where it was lost."""
        lost = 0
        while True:
            client = None
            try:
                client = yield from _signs(self._awake(lost), _begun)
                result = yield from job(client)
            except (WorkerDiedError, WorkerUnreachableError) as error:
                lost += 1
                self._bury(client, error, lost)
            else:
                return result

    def _refuse_closed(self) -> None:
        if self._closed:
            raise WorkerError(
                "The compute backend was closed, and its worker ended. Open the "
                "project again to go on."
            )


def _signs(
    waiting: Generator[str, None, T], sign: Callable[[str], S]
) -> Generator[S, None, T]:
    """Turn words into signs of life of another kind."""
    with closing(waiting):
        try:
            while True:
                yield sign(next(waiting))
        except StopIteration as stop:
            result: T = stop.value
            return result


def _waiting(start: int) -> Callable[[str], Batch]:
    return lambda note: Batch((), start, note)


def _begun(note: str) -> Progress:
    return Progress(0, 0, note)


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
