"""How long ``lora`` draws, beside diffusers' own pipeline, in one run.

Speed does not depend on what the weights say, so all of them are random: a small Stable
Diffusion on the CPU, one of the size of 1.5 on a GPU. Without a GPU its rows are listed
as not run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cytosynth.core.errors import MissingExtraError
from napari_cytosynth.core.protocols import LabelledCells, Request, Weights
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.synthesis.lora import LoraGenerator
from napari_cytosynth.synthesis.lora_base import demand_extra
from napari_cytosynth.synthesis.lora_options import LoraConfig

if TYPE_CHECKING:
    from napari_cytosynth.synthesis._torch.stable_random import StableSize

Row = dict[str, Any]
Best = Callable[[Callable[[], object], int], float]

PICTURES = 8
FEW, USUAL, CYTODIFF = 4, 20, 50
"""Steps: with an LCM-LoRA, by default, and CytoDiff's."""

_CODE = "BA"


def lora_rows(rounds: int, *, best: Best) -> list[Row]:
    """Measure on the CPU, and on a GPU where there is one.

    Parameters
    ----------
    rounds : int
        Rounds of each.
    best : callable
        Tells the least seconds of a work in so many rounds.
    """
    try:
        demand_extra()
    except MissingExtraError:
        return [_row(case, "") for case in ("draw", "few steps", "draw, GPU")]
    rows = (*_cpu(rounds, best), *_gpu(rounds, best))
    return [row if row["value"] is None else row | {"n": rounds} for row in rows]


def _cpu(rounds: int, best: Best) -> Iterator[Row]:
    from napari_cytosynth.synthesis._torch.stable_random import StableSize

    size = StableSize(64, (32, 64), (16, 32, 32), groups=8)
    with tempfile.TemporaryDirectory() as folder:
        rig = _rig(Path(folder), size)
        bare = rig.bare()
        # Each is drawn once before, as the first draw loads and warms things.
        for work in (rig.ours(1), partial(bare, 1)):
            work()
        yield from _pair(rig, bare, best, rounds)


def _pair(
    rig: _Rig, bare: Callable[[int], None], best: Best, rounds: int
) -> Iterator[Row]:
    told = f"{PICTURES} of {rig.pixels} px"
    floor = best(partial(bare, USUAL), rounds)
    took = best(rig.ours(USUAL), rounds)
    yield _row(f"draw, {USUAL} steps", told, took, floor)
    slow = best(partial(bare, CYTODIFF), rounds)
    fast = best(rig.ours(FEW, lcm=True), rounds)
    yield _row(f"draw, {FEW} steps beside {CYTODIFF}", told, fast, slow)


def _gpu(rounds: int, best: Best) -> Iterator[Row]:
    import torch

    from napari_cytosynth.synthesis._torch.stable_random import SD15

    cases = (", GPU", ", GPU, compiled")
    if not torch.cuda.is_available():
        for case in cases:
            for steps in (CYTODIFF, USUAL, FEW):
                told = f"{PICTURES} of {SD15.pixels} px"
                yield _row(f"draw{case}, {steps} steps", told)
        yield _row("peak memory, GPU", "") | {"metric": "memory"}
        return
    with tempfile.TemporaryDirectory() as folder:
        rig = _rig(Path(folder), SD15)
        for case in cases:
            if case.endswith("compiled"):
                rig.compile()
            yield from _speeds(rig, best, rounds, case)
        peak = torch.cuda.max_memory_allocated() / 2**30
        yield _row("peak memory, GPU", "", peak) | {"metric": "memory", "unit": "GiB"}


def _speeds(rig: _Rig, best: Best, rounds: int, case: str) -> Iterator[Row]:
    bare = rig.bare()
    told = f"{PICTURES} of {rig.pixels} px"
    for work in (rig.ours(1), partial(bare, 1)):
        work()
    for steps in (CYTODIFF, USUAL):
        floor = best(partial(bare, steps), rounds)
        took = best(rig.ours(steps), rounds)
        yield _row(f"draw{case}, {steps} steps", told, took, floor)
    rig.ours(1, lcm=True)()
    took = best(rig.ours(FEW, lcm=True), rounds)
    yield _row(f"draw{case}, {FEW} steps", told, took)


@dataclass(frozen=True, slots=True)
class _Rig:
    """A base with random weights, adapters for it, and both ways to draw with them."""

    lcm: Path
    generator: LoraGenerator
    weights: Weights
    pixels: int

    def ours(self, steps: int, *, lcm: bool = False) -> Callable[[], None]:
        """Return the drawing by our generator."""
        options: dict[str, Any] = {"steps": steps}
        if lcm:
            options |= {"lcm": str(self.lcm), "guidance": 1.0}
        ask = Request(_CODE, PICTURES, 0, built_in("pbc11"), 0, options)

        def draw() -> None:
            rng = np.random.default_rng(0)
            batches = self.generator.generate(ask, self.weights, rng)
            assert sum(map(len, batches)) == PICTURES

        return draw

    def bare(self) -> Callable[[int], None]:
        """Return the drawing by diffusers' pipeline, as many pictures at a time."""
        from napari_cytosynth.bench._torch.bare_stable import stable_pipeline

        base = self.generator.loaded
        assert base is not None
        draw = stable_pipeline(base, self.weights.meta["prompts"][_CODE])
        options = LoraConfig()
        return lambda steps: draw(PICTURES, options.batch, steps, options.guidance)

    def compile(self) -> None:
        """Compile the U-Net, for both ways."""
        base = self.generator.loaded
        assert base is not None
        base.unet.compile()


def _rig(folder: Path, size: StableSize) -> _Rig:
    from napari_cytosynth.synthesis._torch.stable_random import random_base, random_lcm

    base = random_base(folder / "base", size)
    lcm = random_lcm(base, folder / "lcm")
    generator = LoraGenerator(str(base), folder / "scratch")
    weights = run_to_end(generator.fit(_made_up(), {"train_steps": 1}))
    return _Rig(lcm, generator, weights, size.pixels)


def _made_up() -> LabelledCells:
    crops = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), np.uint8)
    return LabelledCells(
        np.arange(3),
        (_CODE,) * 3,
        crops,
        np.zeros((3, 0), np.float32),
        "",
        np.array(["made up"] * 3),
    )


def _row(
    case: str, size: str, value: float | None = None, floor: float | None = None
) -> Row:
    return {
        "case": case,
        "peer": "lora",
        "dataset": "made up",
        "class": _CODE,
        "size": size,
        "metric": "time",
        "unit": "not run" if value is None else "s",
        "value": value,
        "floor": floor,
        "ratio": None if value is None or floor is None else value / floor,
    }
