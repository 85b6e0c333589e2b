"""Stand-ins for the compute backend and its plug-ins: quick, honest, deterministic."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

import napari_cytosynth
from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.journal import now
from napari_cytosynth.core.protocols import (
    Batch,
    Crops,
    LabelledCells,
    Request,
    Vectors,
    Weights,
)
from napari_cytosynth.core.provenance import (
    Provenance,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.worker.inline import InlineCompute, Table

FAKE_DIM = 12
"""Length of the vectors of :class:`FakeEmbedder`."""


class FakeEmbedder:
    """Mean colour of the four quarters of a crop."""

    key = "fake:1"
    dim = FAKE_DIM

    def embed(self, crops: Crops) -> Vectors:
        """Return float32[n, 12], values 0..1."""
        n, side = len(crops), crops.shape[1] // 2
        quarters = crops.reshape(n, 2, side, 2, side, 3).mean(axis=(2, 4))
        vectors: Vectors = (quarters.reshape(n, FAKE_DIM) / 255).astype(np.float32)
        return vectors


class FakeCellGenerator:
    """Paints one ellipse a crop, in a colour of its class.

    ``config["batch"]`` is the draws a batch (default 4), and ``config["pause"]`` the
    seconds that each batch takes (default 0).
    """

    key = "fake"
    makes = "cells"

    def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
        """Take the mean colour of each class; three steps."""
        for step in range(3):
            yield Progress(step, 3, "fitting")
            time.sleep(float(config.get("pause", 0)))
        codes = sorted(set(cells.codes))
        means = [_mean_colour(cells, code) for code in codes]
        colours = np.array(means, np.float32).reshape(-1, 3)
        return Weights({"colours": colours}, {"generator": self.key, "classes": codes})

    def generate(
        self, request: Request, weights: Weights, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield draws; number ``i`` depends on the seed, ``i``, class and weights."""
        batch = int(request.config.get("batch", 4))
        end = request.start + request.count
        origin = self._origin(request, weights)
        for start in range(request.start, end, batch):
            time.sleep(float(request.config.get("pause", 0)))
            numbers = range(start, min(start + batch, end))
            yield Batch(
                tuple(self._draw(request, weights, i, origin) for i in numbers), start
            )

    def _origin(self, request: Request, weights: Weights) -> Provenance:
        if "colours" not in weights.tensors:
            raise WeightsError(
                "These weights hold no 'colours', so they are not the fake "
                "generator's. Fit it first."
            )
        return Provenance(
            generator=self.key,
            weights=weights.sha256,
            config=dict(request.config),
            seed=request.seed,
            parents=(),
            version=napari_cytosynth.__version__,
            time=now(),
        )

    def _draw(
        self, request: Request, weights: Weights, number: int, origin: Provenance
    ) -> SyntheticCell:
        rng = np.random.default_rng([request.seed, number])
        colour = _colour_of(request.code, weights)
        config = {**origin.config, "draw": number}
        provenance = Provenance.from_json({**origin.to_json(), "config": config})
        return SyntheticCell(paint_ellipse(colour, rng), request.code, provenance)


class FakeVectorGenerator(FakeCellGenerator):
    """The same draws, as vectors of :class:`FakeEmbedder`."""

    key = "fake-vectors"
    makes = "vectors"

    def generate(
        self, request: Request, weights: Weights, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield synthetic vectors."""
        embedder = FakeEmbedder()
        for batch in super().generate(request, weights, rng):
            cells = [c for c in batch.items if isinstance(c, SyntheticCell)]
            vectors = embedder.embed(np.stack([c.pixels for c in cells]))
            yield Batch(
                tuple(
                    SyntheticVector(embedder.key, v, c.code, c.provenance)
                    for c, v in zip(cells, vectors, strict=True)
                ),
                batch.start,
            )


FAKE_GENERATORS: Table = {
    "fake": FakeCellGenerator,
    "fake-vectors": FakeVectorGenerator,
    "latent": FakeCellGenerator,
    "embedding": FakeVectorGenerator,
}
"""The fakes under their own names and under those of the built-in generators."""

FAKE_EMBEDDERS: Table = {"fake": FakeEmbedder, "morphology": FakeEmbedder}
"""The fake embedder under its own name and under the default's."""


class FakeCompute(InlineCompute):
    """A backend of fakes only: no torch, no process, no waiting."""

    def __init__(self) -> None:
        super().__init__(generators=FAKE_GENERATORS, embedders=FAKE_EMBEDDERS)


def paint_ellipse(
    colour: npt.ArrayLike, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Paint uint8[96, 96, 3]: one ellipse of ``colour`` (0..255) on a pale ground."""
    axis = np.arange(CROP_PIXELS) - CROP_PIXELS / 2
    angle, long, short = rng.uniform(0, np.pi), rng.uniform(22, 32), rng.uniform(16, 22)
    x, y = axis[None, :] + rng.uniform(-3, 3), axis[:, None] + rng.uniform(-3, 3)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = (u / long) ** 2 + (v / short) ** 2 < 1
    ground = np.array([235.0, 225.0, 225.0])
    picture = np.where(inside[..., None], np.asarray(colour, float), ground)
    noisy = picture + rng.normal(0, 4, picture.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def class_colour(code: str) -> npt.NDArray[np.float32]:
    """Return the colour float32[3], 40..200, in which fakes paint a class."""
    rng = np.random.default_rng(zlib.crc32(code.encode()))
    return rng.uniform(40, 200, 3).astype(np.float32)


def _mean_colour(cells: LabelledCells, code: str) -> npt.NDArray[np.floating]:
    if not len(cells.crops):
        return class_colour(code)
    which = np.array([c == code for c in cells.codes])
    middle = slice(CROP_PIXELS // 3, 2 * CROP_PIXELS // 3)
    inner = cells.crops[which][:, middle, middle]
    mean: npt.NDArray[np.floating] = inner.mean((0, 1, 2))
    return mean


def _colour_of(code: str, weights: Weights) -> npt.NDArray[np.floating]:
    classes = list(weights.meta.get("classes", ()))
    if code in classes:
        colour: npt.NDArray[np.floating] = weights.tensors["colours"][
            classes.index(code)
        ]
        return colour
    return class_colour(code)
