"""The ``embedding`` generator: class-conditional diffusion over embedding vectors.

A plain conditional flow copies its few rare cells. This one learns a single flow of the
whitened residuals around the class means, jittered, and lets a class leave the flow of
all classes only as far as its number of cells warrants: guidance ``n / (n + 20)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from napari_cytosynth import __version__
from napari_cytosynth.core.errors import InputError, UnknownClassError
from napari_cytosynth.core.protocols import Batch, LabelledCells, Request, Weights
from napari_cytosynth.core.provenance import Provenance, SyntheticVector
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.training import Vectors
from napari_cytosynth.synthesis.gaussian import GaussianModel
from napari_cytosynth.synthesis.options import read_options
from napari_cytosynth.synthesis.residuals import ResidualSpace

if TYPE_CHECKING:
    from napari_cytosynth.synthesis._torch.residual_flow import FlowSize

UNLABELLED = ""
"""Class of a cell that has no label."""

SURE = 0.9
"""Probability from which an unlabelled cell is taken for one of a class."""

BLOCK = 128
"""Draws computed together, always whole blocks: a draw depends on its number only."""


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """Options of the ``embedding`` generator.

    Parameters
    ----------
    steps, batch, rate : int, int, float
        Training steps, cells a step, learning rate.
    width, blocks : int
        Size of the network.
    dims : int
        Principal axes kept at most.
    jitter : float
        Noise added to the residuals, in units of their spread; keeps copies away.
    kappa : float
        Cells at which a class follows its own flow by one half.
    draw_steps : int
        Heun steps of a draw.
    unlabelled : bool
        Let unlabelled cells tell of axes and spread, as far as a Gaussian of the
        labelled ones is sure of their class. Off, as it raised coverage with one
        embedder and lowered it with another.
    seed : int
        Seed of the training.
    """

    steps: int = 400
    batch: int = 128
    rate: float = 1e-3
    width: int = 128
    blocks: int = 2
    dims: int = 64
    jitter: float = 0.5
    kappa: float = 20.0
    draw_steps: int = 10
    unlabelled: bool = False
    seed: int = 0

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> EmbeddingConfig:
        """Build from a mapping; a name or value that is no option is refused."""
        return read_options(cls, "embedding", options)


class EmbeddingGenerator:
    """Draws embedding vectors of a class."""

    key = "embedding"
    makes = "vectors"

    def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
        """Learn from the vectors of real cells.

        Parameters
        ----------
        cells : LabelledCells
            With vectors; at least two cells of one class. Those of the class ``""``
            are unlabelled: they are used with the option ``unlabelled``, else ignored.
        config : mapping
            See :class:`EmbeddingConfig`.

        Raises
        ------
        InputError
            If there are too few cells to learn a spread from.
        """
        from napari_cytosynth.synthesis._torch.residual_flow import (
            FlowRecipe,
            FlowSize,
            train,
        )

        options = EmbeddingConfig.read(config)
        named = np.array(cells.codes, dtype=np.str_) != UNLABELLED
        others = cells.take(~named & options.unlabelled).vectors
        cells = cells.take(named)
        codes = tuple(sorted(set(cells.codes)))
        classes = np.array([codes.index(c) for c in cells.codes], np.int64)
        _demand_cells(cells, classes)
        space, residuals, kept = _space_of(cells, classes, others, options.dims)
        size = FlowSize(residuals.shape[1], len(codes), options.width, options.blocks)
        recipe = FlowRecipe(
            options.steps,
            options.batch,
            options.rate,
            jitter=options.jitter,
            seed=options.seed,
        )
        net: dict[str, npt.NDArray[np.float32]] = {}
        for step, loss, arrays in train(residuals, kept, size, recipe):
            if arrays is not None:
                net = {f"net.{k}": v for k, v in arrays.items()}
            else:
                yield Progress(
                    step, options.steps, f"learning vectors, loss {loss:.3f}"
                )
        return _pack(cells, codes, space, net, options)

    def generate(
        self, request: Request, weights: Weights, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield draws of a class, 128 at a time at most.

        ``rng`` is not used: a draw depends on the request's seed and its own number.

        Raises
        ------
        UnknownClassError
            If no real cell of the class was there to learn from.
        """
        label = _label_of(request, weights)
        stop = request.start + request.count
        provenance = _provenance(request, weights, label)
        for block in range(request.start // BLOCK, -(-stop // BLOCK)):
            vectors = _draw_block(weights, label, block, request)
            low = max(request.start, block * BLOCK)
            high = min(stop, (block + 1) * BLOCK)
            yield Batch(
                tuple(
                    SyntheticVector(
                        weights.meta["embedder"], vector, request.code, provenance
                    )
                    for vector in vectors[low - block * BLOCK : high - block * BLOCK]
                ),
                low,
            )


def _space_of(
    cells: LabelledCells,
    classes: npt.NDArray[np.int64],
    others: Vectors,
    dims: int,
) -> tuple[ResidualSpace, Vectors, npt.NDArray[np.int64]]:
    """Return the space, the residuals to learn from, and the class of each."""
    guesses = np.zeros(0, np.int64)
    if len(others):
        model = GaussianModel.fit(cells.vectors, cells.codes)
        chances = softmax(model.log_density(others), axis=1)
        others = others[sure := chances.max(axis=1) >= SURE]
        guesses = chances[sure].argmax(axis=1)
    everyone = np.concatenate([cells.vectors, others])
    taken = np.concatenate([classes, guesses])
    own = np.arange(len(everyone)) < len(cells)
    space = ResidualSpace.fit(everyone, taken, dims, own)
    counts = np.bincount(classes).astype(np.float32)
    parts = (
        space.residuals(cells.vectors, classes),
        space.residuals_of_others(others, guesses, counts),
    )
    kept = classes[space.kept(classes)]
    return space, np.concatenate(parts), np.concatenate([kept, guesses])


def guidance_of(count: int, kappa: float) -> float:
    """Return how far a class of ``count`` real cells follows its own flow, 0..1."""
    return count / (count + kappa)


def spread_of(count: int, jitter: float) -> float:
    """Return the factor on a drawn residual of a class of ``count`` real cells, 0..1.

    The jitter keeps copies away, and the spread that it adds is taken back. So is the
    share by which the mean of a few cells misses that of the class: draws around it
    shall lie about as far from the true mean as real cells do.
    """
    return float(np.sqrt(count / (count + 1) / (1 + jitter**2)))


def net_of(weights: Weights) -> tuple[dict[str, npt.NDArray[Any]], FlowSize]:
    """Return the arrays of the network of a fit, and its size."""
    from napari_cytosynth.synthesis._torch.residual_flow import FlowSize

    meta = weights.meta
    options = EmbeddingConfig.read(meta["config"])
    dims = len(weights.tensors["space.axes"])
    size = FlowSize(dims, len(meta["codes"]), options.width, options.blocks)
    return net_arrays(weights), size


def net_arrays(weights: Weights) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of the network of a fit, by its own names."""
    return {
        name.removeprefix("net."): array
        for name, array in weights.tensors.items()
        if name.startswith("net.")
    }


def _demand_cells(cells: LabelledCells, classes: npt.NDArray[np.int64]) -> None:
    if len(cells) and cells.vectors.shape[1] == 0:
        raise InputError(
            "The embedding generator got cells without vectors. Embed them first."
        )
    if len(cells) < 4 or not ResidualSpace.kept(classes).any():
        raise InputError(
            f"The embedding generator was given {len(cells)} labelled cells. It needs "
            "four, two of them of one class, to learn how cells of a class differ; "
            "label some more."
        )


def _pack(
    cells: LabelledCells,
    codes: tuple[str, ...],
    space: ResidualSpace,
    net: dict[str, npt.NDArray[np.float32]],
    options: EmbeddingConfig,
) -> Weights:
    tensors: dict[str, npt.NDArray[Any]] = {**space.to_arrays(), **net}
    tensors["cells.id"] = cells.ids.astype(np.int64)
    tensors["cells.class"] = np.array([codes.index(c) for c in cells.codes], np.int64)
    meta = {
        "generator": EmbeddingGenerator.key,
        "embedder": cells.embedder,
        "codes": list(codes),
        "counts": {c: cells.count(c) for c in codes},
        "personal": True,
        "config": asdict(options),
    }
    return Weights(tensors, meta)


def _label_of(request: Request, weights: Weights) -> int:
    codes: list[str] = weights.meta["codes"]
    if request.code not in codes:
        raise UnknownClassError(
            f"The embedding generator knows no real cell of class '{request.code}', so "
            f"it cannot draw one; it was fitted on {', '.join(codes)}. Label a cell of "
            "the class and fit again, or use the 'latent' generator."
        )
    return codes.index(request.code)


def _draw_block(
    weights: Weights, label: int, block: int, request: Request
) -> npt.NDArray[np.float32]:
    from napari_cytosynth.synthesis._torch.residual_flow import sample

    meta = weights.meta
    options = EmbeddingConfig.read({**meta["config"], **request.config})
    net, size = net_of(weights)
    rng = np.random.default_rng([request.seed, label, block])
    count = meta["counts"][request.code]
    residuals = sample(
        net,
        size,
        rng.standard_normal((BLOCK, size.dims)).astype(np.float32),
        label,
        guidance=guidance_of(count, options.kappa),
        steps=options.draw_steps,
    )
    space = ResidualSpace.from_arrays(weights.tensors)
    settled = residuals * np.float32(spread_of(count, options.jitter))
    return space.vectors(settled, label, rng)


def _provenance(request: Request, weights: Weights, label: int) -> Provenance:
    options = EmbeddingConfig.read({**weights.meta["config"], **request.config})
    own = weights.tensors["cells.class"] == label
    count = weights.meta["counts"][request.code]
    return Provenance(
        generator=EmbeddingGenerator.key,
        weights=weights.sha256,
        config={
            "class": request.code,
            "real cells": count,
            "guidance": round(guidance_of(count, options.kappa), 4),
            "jitter": options.jitter,
            "steps": options.draw_steps,
        },
        seed=request.seed,
        parents=tuple(int(i) for i in weights.tensors["cells.id"][own]),
        version=__version__,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
