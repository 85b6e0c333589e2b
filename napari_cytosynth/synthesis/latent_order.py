"""A request to the ``latent`` generator, with all that its draws have in common."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from napari_cytosynth import __version__
from napari_cytosynth.core.protocols import Request, Weights
from napari_cytosynth.core.provenance import Provenance, SyntheticCell
from napari_cytosynth.synthesis.appearance import StainShift
from napari_cytosynth.synthesis.latent_options import LatentConfig
from napari_cytosynth.synthesis.parents import Parents
from napari_cytosynth.synthesis.starter import Starter

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Order:
    """What is drawn, and how. A draw depends on it and on its own number only.

    Parameters
    ----------
    request : Request
        Class, count and seed.
    options : LatentConfig
        How cells are painted.
    row : float32[d]
        Vector of the class.
    index : int or None
        Number of the class among those of the starter weights; None: learned since.
    shift : StainShift
        From the stain of the training to that of the real cells.
    parents : Parents
        Real cells to begin with.
    origin : Provenance
        What the draws have in common of theirs.
    starter : Starter
        The weights.
    """

    request: Request
    options: LatentConfig
    row: Floats
    index: int | None
    shift: StainShift
    parents: Parents
    origin: Provenance
    starter: Starter

    def rng(self, number: int, *purpose: int) -> np.random.Generator:
        """Return what draw ``number`` is left to, for its noise or another purpose."""
        key = [self.request.seed, *self.request.code.encode()]
        return np.random.default_rng([*key, number, *purpose])

    def cell(self, number: int, painted: npt.NDArray[np.uint8]) -> SyntheticCell:
        """Return draw ``number``, from ``uint8[y, x, 3]``, in the real cells' stain."""
        made, options = self.origin, self.options
        config = {**made.config, "look": self._look_kind}
        parent = self.parents.id_of(number)
        if parent is not None:
            made = replace(made, parents=tuple(dict.fromkeys((parent, *made.parents))))
            config["parent"] = parent
        if options.strategy == "variation":
            config["strength"] = options.strength
        pixels = self.shift.apply(painted[None])[0]
        return SyntheticCell(pixels, self.request.code, replace(made, config=config))

    def looks(self, numbers: range) -> Floats | None:
        """Return the look of each draw ``float32[n, k]``: given, drawn, or none."""
        options, space = self.options, self.starter.space
        if options.vector is not None:
            given = self.starter.looks_of(options.vector, options.embedder)
            chosen: Floats = given[np.array(numbers) % len(given)]
            return chosen
        if space is None or self.index is None or self._look_kind == "none":
            return None
        rngs = [self.rng(i, 1) for i in numbers]
        return np.stack([space.draw(self.index, r, options.looks) for r in rngs])

    @property
    def _look_kind(self) -> str:
        """Where the looks come from."""
        options = self.options
        if options.vector is not None:
            return "given"
        # A cell that is kept or varied has its own look, which another would fight.
        free = options.strategy in ("class", "in-then-out") and options.looks > 0
        known = self.index is not None and self.starter.space is not None
        return "drawn" if free and known else "none"


def origin_of(
    request: Request,
    weights: Weights,
    options: LatentConfig,
    shift: StainShift,
    starter: Starter,
) -> Provenance:
    """Return the provenance of all draws of a request, as of now.

    Parameters
    ----------
    request : Request
        Class and seed.
    weights : Weights
        What a fit learned.
    options : LatentConfig
        How cells are painted.
    shift : StainShift
        How the stain is moved.
    starter : Starter
        The shipped weights.
    """
    tuned = request.code in weights.meta.get("tuned", [])
    parents = weights.tensors.get("cells.id", ()) if tuned else ()
    both = f"{starter.sha256}:{weights.sha256}".encode()
    lesson = {}
    if tuned and "lessons" in weights.meta:
        lesson = weights.meta["lessons"][weights.meta["tuned"].index(request.code)]
    return Provenance(
        generator="latent",
        weights=hashlib.sha256(both).hexdigest(),
        config={
            "class": request.code,
            "real cells": weights.meta.get("counts", {}).get(request.code, 0),
            "starter": starter.sha256,
            "tuned": tuned,
            **{f"tuned {name}": value for name, value in lesson.items()},
            "steps": options.steps,
            "solver": options.solver,
            "guidance": options.guidance,
            "strategy": options.strategy,
            "stain": shift.to_json(),
        },
        seed=request.seed,
        parents=tuple(int(i) for i in parents),
        version=__version__,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
