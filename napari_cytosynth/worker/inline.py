"""The compute backend in-process: for the command line, tests and inside a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np

import napari_cytosynth
from napari_cytosynth.core.errors import InputError, RegistryError
from napari_cytosynth.core.protocols import (
    Batch,
    CellGenerator,
    Crops,
    Embedder,
    Hello,
    LabelledCells,
    NeedsWeights,
    Request,
    Vectors,
    Weights,
)
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.synthesis._torch.halving import Halving

EMBED_BATCH = 64
"""Crops embedded between two signs of life."""

Table = Mapping[str, Callable[[], Any]]
"""Names of plug-ins, and what builds each."""


class InlineCompute:
    """Runs embedders and generators in the caller's thread, one job at a time.

    Parameters
    ----------
    generators, embedders : mapping of str to callable, optional
        What can be served, and what builds it; all installed plug-ins by default.
    """

    def __init__(
        self, *, generators: Table | None = None, embedders: Table | None = None
    ) -> None:
        self._tables = {"generators": generators, "embedders": embedders}
        self._built: dict[tuple[str, str], Any] = {}
        self._building = threading.Lock()
        self._halvings: dict[str, Halving] = {}

    def hello(self) -> Hello:
        """Say what there is; finding the device loads torch."""
        from napari_cytosynth.worker._torch.device import describe_device

        return Hello(
            napari_cytosynth.__version__,
            describe_device(),
            self._names("embedders"),
            self._names("generators"),
        )

    def embed(self, embedder: str, crops: Crops) -> Task[Vectors]:
        """Embed crops in batches of :data:`EMBED_BATCH`, or of what the embedder asks.

        Raises
        ------
        RegistryError
            If there is no such embedder.
        WeightsError
            If its weights cannot be had.
        InputError
            If ``crops`` is not uint8[n, y, x, 3].
        MemoryShortError
            If memory does not hold one crop at work; where it does not hold a batch,
            batches are halved.
        """
        yield Progress(0, len(crops), f"loading {embedder}")
        model: Embedder = self._get("embedders", embedder)
        if crops.ndim != 4 or crops.shape[-1] != 3 or crops.dtype != np.uint8:
            raise InputError(
                f"Crops of {crops.dtype}{crops.shape} cannot be embedded. "
                "Give uint8[n, 96, 96, 3]."
            )
        if isinstance(model, NeedsWeights):
            yield from model.prepare()
        parts, done = [np.zeros((0, model.dim), np.float32)], 0
        halving = self._halving(embedder, model)
        for part in halving.parts(
            0, len(crops), lambda first, end: [model.embed(crops[first:end])]
        ):
            parts.append(part)
            done += len(part)
            yield Progress(done, len(crops), "embedding")
        return np.concatenate(parts)

    def fit(
        self, generator: str, cells: LabelledCells, config: Mapping[str, Any]
    ) -> Task[Weights]:
        """Fit a generator.

        Raises
        ------
        RegistryError
            If there is no such generator.
        """
        yield Progress(0, 0, f"loading {generator}")
        maker: CellGenerator = self._get("generators", generator)
        weights = yield from maker.fit(cells, config)
        return weights

    def generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Generator[Batch, None, None]:
        """Yield draws as they are made.

        Raises
        ------
        RegistryError
            If there is no such generator.
        UnknownClassError
            If the taxonomy does not hold ``request.code``.
        InputError
            If ``request`` asks for no draw, or for one before the first.
        """
        return self._generate(generator, request, weights)

    def close(self) -> None:
        """Forget loaded models."""
        self._built.clear()

    def _generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Generator[Batch, None, None]:
        _check(request)
        maker: CellGenerator = self._get("generators", generator)
        # A generator derives draw i from the seed and i; this one serves what is not
        # a draw, and starts the same wherever a job resumes.
        rng = np.random.default_rng(request.seed)
        with closing(_closable(maker.generate(request, weights, rng))) as batches:
            yield from batches

    def _halving(self, embedder: str, model: Embedder) -> Halving:
        """Return the batch size that an embedder has come to."""
        if embedder not in self._halvings:
            size = model.batch if isinstance(model, NeedsWeights) else EMBED_BATCH
            self._halvings[embedder] = Halving(size, f"embedding with {embedder}")
        return self._halvings[embedder]

    def _names(self, kind: str) -> tuple[str, ...]:
        table = self._tables[kind]
        return names(kind) if table is None else tuple(sorted(table))

    def _get(self, kind: str, name: str) -> Any:
        with self._building:
            if (kind, name) not in self._built:
                self._built[kind, name] = self._factory(kind, name)()
            return self._built[kind, name]

    def _factory(self, kind: str, name: str) -> Callable[[], Any]:
        table = self._tables[kind]
        if table is None:
            factory: Callable[[], Any] = load(kind, name)
            return factory
        if name not in table:
            raise RegistryError(
                f"This backend serves no '{name}' among its {kind}. It has "
                f"{', '.join(sorted(table)) or 'none'}."
            )
        return table[name]


def _check(request: Request) -> None:
    """Refuse what no generator could draw, before a model is loaded for it."""
    _ = request.taxonomy[request.code]
    if request.count < 1 or request.start < 0:
        raise InputError(
            f"{request.count} draws from number {request.start} were asked for. Ask "
            "for at least one, from number 0 or later."
        )


def _closable(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Give any iterator a ``close`` that reaches the generator beneath."""
    if isinstance(batches, Generator):
        return batches
    return (batch for batch in batches)
