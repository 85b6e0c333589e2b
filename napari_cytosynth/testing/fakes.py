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
from napari_cytosynth.core.errors import InputError, WeightsError
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
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER
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


FAKE = "fake"
"""A generator's name that is installed nowhere: its options are its compute's alone."""


class FakeCellGenerator:
    """Paints ellipses, in the mean colours and sizes of the class's real cells.

    One draw in five slips, so that a gate has something to drop.

    ``config["batch"]`` is the draws a batch (default 4), and ``config["pause"]`` the
    seconds that each batch takes (default 0).
    """

    key = FAKE
    makes = "cells"
    slips = 0.2
    """Share of the draws that look like no class at all."""

    def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
        """Measure the mean look of each class, in ``config["steps"]`` steps."""
        steps = int(config.get("steps", 3))
        for step in range(steps):
            yield Progress(step, steps, "fitting")
            time.sleep(float(config.get("pause", 0)))
        codes = sorted(set(cells.codes))
        looks = [_class_look(cells, code) for code in codes]
        table = np.array(looks, np.float32).reshape(-1, 11)
        meta = {"generator": self.key, "classes": codes, "embedder": cells.embedder}
        return Weights({"looks": table}, meta)

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
        if "looks" not in weights.tensors:
            raise WeightsError(
                "These weights hold no 'looks', so they are not the fake "
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
        slips = rng.random() < self.slips
        code = f"no {request.code}" if slips else request.code
        look = _known_look(code, weights)
        config = {**origin.config, "draw": number}
        provenance = Provenance.from_json({**origin.to_json(), "config": config})
        return SyntheticCell(paint_cell(look, rng), request.code, provenance)


class FakeVectorGenerator(FakeCellGenerator):
    """The same draws, as vectors of :class:`FakeEmbedder`."""

    key = "fake-vectors"
    makes = "vectors"

    def generate(
        self, request: Request, weights: Weights, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield synthetic vectors."""
        embedder = FakeEmbedder()
        # The project may know the fake embedder by the name of a real one.
        key = str(weights.meta.get("embedder") or embedder.key)
        for batch in super().generate(request, weights, rng):
            cells = [c for c in batch.items if isinstance(c, SyntheticCell)]
            vectors = embedder.embed(np.stack([c.pixels for c in cells]))
            yield Batch(
                tuple(
                    SyntheticVector(key, v, c.code, c.provenance)
                    for c, v in zip(cells, vectors, strict=True)
                ),
                batch.start,
            )


class RefusingGenerator(FakeVectorGenerator):
    """Learns nothing from anything, and says so."""

    key = "refusing"

    def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
        """Refuse."""
        yield Progress(0, 1, "fitting")
        raise InputError(
            f"The refusing generator was given {len(cells)} cells. It takes none; ask "
            "another."
        )


FAKE_GENERATORS: Table = {
    "fake": FakeCellGenerator,
    "fake-vectors": FakeVectorGenerator,
    "latent": FakeCellGenerator,
    "embedding": FakeVectorGenerator,
}
"""The fakes under their own names and under those of the built-in generators."""

FAKE_EMBEDDERS: Table = {"fake": FakeEmbedder, DEFAULT_EMBEDDER: FakeEmbedder}
"""The fake embedder under its own name and under the default's."""


class FakeCompute(InlineCompute):
    """A backend of fakes only: no torch, no process, no waiting."""

    def __init__(self) -> None:
        super().__init__(generators=FAKE_GENERATORS, embedders=FAKE_EMBEDDERS)


def paint_cell(
    look: npt.NDArray[np.floating], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Paint uint8[96, 96, 3]: an ellipse for the cell, and one for its nucleus.

    Parameters
    ----------
    look : float[11]
        Colours 0..255 of ground, cytoplasm and nucleus; share of the crop that is cell,
        and that is nucleus.
    """
    picture = np.broadcast_to(look[:3], (CROP_PIXELS, CROP_PIXELS, 3)).astype(float)
    centre = rng.uniform(-2, 2, 2)
    for colour, share in ((look[3:6], look[9]), (look[6:9], look[10])):
        inside = _ellipse(float(share) * rng.uniform(0.92, 1.08), centre, rng)
        picture[inside] = colour
    noisy = picture + rng.normal(0, 4, picture.shape) + rng.normal(0, 3, 3)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _ellipse(
    share: float, centre: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return the mask of an ellipse that covers a share of the crop."""
    axis = np.arange(CROP_PIXELS) + 0.5 - CROP_PIXELS / 2
    x, y = axis[None, :] - centre[0], axis[:, None] - centre[1]
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.15)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    radius = CROP_PIXELS * np.sqrt(share / np.pi)
    inside: npt.NDArray[np.bool_] = np.hypot(u / stretch, v * stretch) < radius
    return inside


def invented_look(code: str) -> npt.NDArray[np.float32]:
    """Return the look float32[11] in which fakes paint a class that they never saw."""
    rng = np.random.default_rng(zlib.crc32(code.encode()))
    cytoplasm, nucleus = rng.uniform(150, 200, 3), rng.uniform(50, 120, 3)
    shares = rng.uniform((0.15, 0.05), (0.3, 0.12))
    ground = (235, 225, 230)
    return np.concatenate([ground, cytoplasm, nucleus, shares]).astype(np.float32)


def _look_of(crops: Crops) -> npt.NDArray[np.float32]:
    """Measure the mean look of crops: light is ground, dark is nucleus."""
    light = crops.mean(axis=-1)
    ground = np.median(light[:, 0])
    nucleus, cell = light < 0.6 * ground, light < 0.93 * ground
    parts = (~cell, cell & ~nucleus, nucleus)
    colours = [crops[p].mean(axis=0) if p.any() else np.zeros(3) for p in parts]
    shares = [cell.mean(), nucleus.mean()]
    return np.concatenate([*colours, shares]).astype(np.float32)


def _class_look(cells: LabelledCells, code: str) -> npt.NDArray[np.float32]:
    if not len(cells.crops):
        return invented_look(code)
    return _look_of(cells.crops[np.array([c == code for c in cells.codes])])


def _known_look(code: str, weights: Weights) -> npt.NDArray[np.floating]:
    classes = list(weights.meta.get("classes", ()))
    if code in classes:
        look: npt.NDArray[np.floating] = weights.tensors["looks"][classes.index(code)]
        return look
    return invented_look(code)
