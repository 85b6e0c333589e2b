"""What one request for draws of the ``lora`` generator comes to, block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth import __version__
from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import UnknownClassError
from napari_cytosynth.core.protocols import Request, Weights
from napari_cytosynth.core.provenance import Assessment, Provenance, SyntheticCell
from napari_cytosynth.synthesis.lora_base import told_name
from napari_cytosynth.synthesis.lora_files import find_lcm
from napari_cytosynth.synthesis.lora_options import LoraConfig
from napari_cytosynth.synthesis.parents import Parents

if TYPE_CHECKING:
    from napari_cytosynth.synthesis._torch.lora_paint import Sheet
    from napari_cytosynth.synthesis._torch.stable_draw import Drawn, Plan

CRITIC = "picture"
"""Key of the assessment that vetoes a picture which came out black or not finite."""

_REASONS = {
    "black": "The picture came out all black.",
    "not finite": "Numbers of the picture were not finite, in float32 too.",
}


class Drawing:
    """One request: its blocks of draws, what each starts from, and its provenance.

    Parameters
    ----------
    request : Request
        What is asked for.
    weights : Weights
        Learned adapters, and the real cells behind them.
    options : LoraConfig
        How.

    Raises
    ------
    UnknownClassError
        If the weights did not learn the class.
    InputError
        If the strategy begins with a real cell and none was kept.
    WeightsError
        If the LCM-LoRA that the options name is not on this machine.
    """

    def __init__(self, request: Request, weights: Weights, options: LoraConfig) -> None:
        codes: list[str] = weights.meta["codes"]
        if request.code not in codes:
            raise UnknownClassError(
                f"The lora generator learned {', '.join(codes)}, not '{request.code}'. "
                "Fit it on real cells of that class, or use the 'latent' generator."
            )
        self.request, self.weights, self.options = request, weights, options
        self.lcm, self._lcm_sha256 = find_lcm(options.lcm)
        own = weights.tensors["cells.class"] == codes.index(request.code)
        self._learned = tuple(weights.tensors["cells.id"][own].tolist())
        self._parents = Parents.of(weights, request, options.strategy)

    @cached_property
    def name(self) -> str:
        """SHA-256 of all weights that make the draws: base, adapters, LCM-LoRA."""
        parts = [self.weights.meta["base sha256"], self.weights.sha256]
        text = ":".join([*parts, self._lcm_sha256])
        return hashlib.sha256(text.encode()).hexdigest()

    def blocks(self) -> Iterator[range]:
        """Yield the numbers of draws made together, always whole blocks."""
        size, stop = self.options.batch, self.request.start + self.request.count
        for block in range(self.request.start // size, -(-stop // size)):
            yield range(block * size, (block + 1) * size)

    def plan(self) -> Plan:
        """Return how cells are drawn."""
        from napari_cytosynth.synthesis._torch.stable_draw import Plan

        options = self.options
        return Plan(
            self.weights.meta["prompts"][self.request.code],
            options.steps,
            options.guidance,
            options.sampler,
            options.strength,
            CROP_PIXELS,
        )

    def sheet(self, block: range, shape: tuple[int, int, int]) -> Sheet:
        """Return what the draws of a block start from; of each by its number only."""
        from napari_cytosynth.synthesis._torch.lora_paint import Sheet

        chances = [self._chance(number) for number in block]
        noise = [chance.standard_normal((2, *shape)) for chance in chances]
        return Sheet(
            self.options.strategy,
            np.stack(noise, axis=1).astype(np.float32),
            tuple(int(chance.integers(2**62)) for chance in chances),
            self._parents.pictures(block),
        )

    def cells(self, block: range, drawn: Drawn) -> tuple[SyntheticCell, ...]:
        """Return the draws of a block that were asked for, flawed ones vetoed."""
        asked = range(self.request.start, self.request.start + self.request.count)
        made = []
        exact = drawn.exact or (False,) * len(drawn.flaws)
        parts = zip(block, drawn.crops, drawn.flaws, exact, strict=True)
        for number, crop, flaw, again in parts:
            if number not in asked:
                continue
            told = self._provenance(number, flaw, exact=again)
            cell = SyntheticCell(_own(crop), self.request.code, told)
            if flaw:
                veto = Assessment(CRITIC, float(crop.max()), False, _REASONS[flaw])
                cell = cell.judged(veto)
            made.append(cell)
        return tuple(made)

    def _chance(self, number: int) -> np.random.Generator:
        seed = [self.request.seed, *self.request.code.encode(), number]
        return np.random.default_rng(seed)

    def _provenance(self, number: int, flaw: str, *, exact: bool) -> Provenance:
        options, meta = self.options, self.weights.meta
        told: dict[str, Any] = {
            "class": self.request.code,
            "real cells": meta["counts"][self.request.code],
            "base": meta["base"],
            "base sha256": meta["base sha256"],
            "adapter sha256": self.weights.sha256,
            "prompt": meta["prompts"][self.request.code],
            "strategy": options.strategy,
            "steps": options.steps,
            "guidance": options.guidance,
            "sampler": options.sampler,
        }
        parent = self._parents.id_of(number)
        first = () if parent is None else (parent,)
        if first:
            told["parent"] = parent
        if options.strategy == "variation":
            told["strength"] = options.strength
        if options.lcm:
            told |= {"lcm": told_name(options.lcm), "lcm sha256": self._lcm_sha256}
        if flaw:
            told["flaw"] = flaw
        if exact:
            told["drawn again in"] = "float32"
        return Provenance(
            generator="lora",
            weights=self.name,
            config=told,
            seed=self.request.seed,
            parents=tuple(dict.fromkeys((*first, *self._learned))),
            version=__version__,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _own(crop: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(crop)
