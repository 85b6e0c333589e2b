"""Drawing with a Stable Diffusion, step by step, so that it can be stopped between.

As many calls of the networks as diffusers' own pipelines make, with what those lack
here: a stop after each step, noise of each draw's own, and a look at every number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import DPMSolverMultistepScheduler, LCMScheduler
from torch import Tensor
from torch.nn import functional

from napari_cytosynth.synthesis._torch.stable_base import StableBase

Pixels = npt.NDArray[np.uint8]

BLACK = 8
"""Brightest value, 0..255, of a picture that counts as all black."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How cells are drawn.

    Parameters
    ----------
    prompt : str
        At most 77 tokens.
    steps, guidance : int, float
        1 follows the prompt, more exaggerates it.
    sampler : str
        ``"dpm"``, ``"base"`` or ``"lcm"``.
    strength : float
        Share of the steps that are taken where a draw starts from a picture.
    side : int
        Side of the crops made.
    """

    prompt: str
    steps: int = 20
    guidance: float = 2.0
    sampler: str = "dpm"
    strength: float = 1.0
    side: int = 96


@dataclass(frozen=True, slots=True)
class Start:
    """What draws start from; arrays run over the draws.

    Parameters
    ----------
    noise : float32[n, channels, y, x]
        Standard normal.
    seeds : tuple of int
        For samplers that add noise on the way.
    sources : uint8[n, 96, 96, 3] or None
        Pictures to start from.
    fresh : float32[n, 96, 96] or None
        1 where a picture is painted anew, 0 where it stays; None: 1 everywhere.
    """

    noise: npt.NDArray[np.float32]
    seeds: tuple[int, ...]
    sources: Pixels | None = None
    fresh: npt.NDArray[np.float32] | None = None

    def rows(self, numbers: Sequence[int]) -> Start:
        """Return some of the draws."""
        rows = list(numbers)
        return Start(
            self.noise[rows],
            tuple(self.seeds[row] for row in rows),
            None if self.sources is None else self.sources[rows],
            None if self.fresh is None else self.fresh[rows],
        )


@dataclass(frozen=True, slots=True)
class Drawn:
    """Crops, and what is wrong with them.

    Parameters
    ----------
    crops : uint8[n, side, side, 3]
        Black where the numbers were not finite.
    flaws : tuple of str
        ``""``, ``"not finite"`` or ``"black"``, one a crop.
    exact : tuple of bool
        Which were drawn again in float32; empty: none.
    """

    crops: Pixels
    flaws: tuple[str, ...]
    exact: tuple[bool, ...] = ()


def draw(base: StableBase, plan: Plan, start: Start) -> Iterator[Drawn | None]:
    """Yield None after each step, and the crops at last.

    Where numbers were not finite in lower precision, that draw is made once more in
    float32; those beside it stay as they are, so that none depends on its neighbours.
    """
    made: Drawn | None = None
    for made in _draw(base, plan, start):
        if made is None:
            yield None
    if made is None:
        return
    rows = [i for i, flaw in enumerate(made.flaws) if flaw == "not finite"]
    if rows and base.precision != torch.float32:
        with base.in_float32():
            for again in _draw(base, plan, start.rows(rows)):
                if again is None:
                    yield None
                else:
                    made = _replaced(made, again, rows)
    yield made


def _replaced(made: Drawn, again: Drawn, rows: Sequence[int]) -> Drawn:
    """Put some draws in the place of those that were not finite."""
    crops, flaws = made.crops.copy(), list(made.flaws)
    crops[rows] = again.crops
    for row, flaw in zip(rows, again.flaws, strict=True):
        flaws[row] = flaw
    exact = tuple(row in rows for row in range(len(flaws)))
    return Drawn(crops, tuple(flaws), exact)


def _draw(base: StableBase, plan: Plan, start: Start) -> Iterator[Drawn | None]:
    scheduler, times = _schedule(base, plan, has_source=start.sources is not None)
    # The mode is left before each yield: it would leak into the caller's thread.
    with base.threads(), torch.inference_mode():
        denoise = _Denoiser(base, plan, len(start.noise))
        canvas = _Canvas(base, scheduler, start)
        latents = canvas.begin(times[0])
    extra = _extra(scheduler, start.seeds)
    for time, following in zip(times, [*times[1:], None], strict=True):
        with base.threads(), torch.inference_mode():
            noise = denoise(scheduler.scale_model_input(latents, time), time)
            latents = scheduler.step(noise, time, latents, **extra).prev_sample
            latents = canvas.keep(latents, following)
        yield None
    with base.threads(), torch.inference_mode():
        sound = torch.isfinite(latents).flatten(1).all(1)
        drawn = _look(base.decode(latents, plan.side), sound)
    yield drawn


class _Denoiser:
    """Tells the noise in latents, guided by the prompt."""

    def __init__(self, base: StableBase, plan: Plan, count: int) -> None:
        self._base, self._guidance = base, plan.guidance
        wanted = [plan.prompt] if plan.guidance == 1 else ["", plan.prompt]
        self._states = base.read(base.tokens(wanted)).repeat_interleave(count, dim=0)

    def __call__(self, latents: Tensor, time: Tensor) -> Tensor:
        is_guided = self._guidance != 1
        x = torch.cat([latents, latents]) if is_guided else latents
        found: Tensor = self._base.unet(
            x.to(self._base.precision),
            time,
            encoder_hidden_states=self._states,
            return_dict=False,
        )[0].float()
        if not is_guided:
            return found
        anything, wanted = found.chunk(2)
        guided: Tensor = anything + self._guidance * (wanted - anything)
        return guided


class _Canvas:
    """Latents to start from, and those that are to stay."""

    def __init__(self, base: StableBase, scheduler: Any, start: Start) -> None:
        self._scheduler = scheduler
        self._noise = torch.from_numpy(start.noise).to(base.device)
        self._source = None if start.sources is None else base.encode(start.sources)
        self._fresh = None
        if start.fresh is not None:
            mask = torch.from_numpy(start.fresh).to(base.device)[:, None]
            size = self._noise.shape[-2:]
            self._fresh = functional.interpolate(mask, size, mode="area")

    def begin(self, time: Tensor) -> Tensor:
        """Return the latents of the first step."""
        if self._source is None:
            noise: Tensor = self._noise * self._scheduler.init_noise_sigma
            return noise
        return self._noised(time)

    def keep(self, latents: Tensor, time: Tensor | None) -> Tensor:
        """Put back what is to stay, with the noise of the next step."""
        if self._fresh is None or self._source is None:
            return latents
        kept = self._source if time is None else self._noised(time)
        return self._fresh * latents + (1 - self._fresh) * kept

    def _noised(self, time: Tensor) -> Tensor:
        times = time.repeat(len(self._noise))
        noised: Tensor = self._scheduler.add_noise(self._source, self._noise, times)
        return noised


def _schedule(base: StableBase, plan: Plan, *, has_source: bool) -> tuple[Any, Tensor]:
    """Return a scheduler set to the steps, and the times that are left of them."""
    own = base.pipeline.scheduler
    kinds: dict[str, Any] = {"dpm": DPMSolverMultistepScheduler, "lcm": LCMScheduler}
    extra = {"algorithm_type": "dpmsolver++"} if plan.sampler == "dpm" else {}
    scheduler = kinds.get(plan.sampler, type(own)).from_config(own.config, **extra)
    scheduler.set_timesteps(plan.steps, device=base.device)
    times: Tensor = scheduler.timesteps
    if has_source:
        taken = max(1, round(len(times) * plan.strength))
        first = len(times) - taken
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        times = times[first:]
    return scheduler, times


def _extra(scheduler: Any, seeds: tuple[int, ...]) -> dict[str, Any]:
    if not isinstance(scheduler, LCMScheduler):
        return {}
    return {"generator": [torch.Generator().manual_seed(seed) for seed in seeds]}


def _look(pictures: Tensor, sound: Tensor) -> Drawn:
    """Turn pictures into crops, and say what is wrong with each."""
    finite = sound & torch.isfinite(pictures).flatten(1).all(1)
    whole = torch.nan_to_num(pictures, nan=-1.0, posinf=-1.0, neginf=-1.0)
    whole[~finite] = -1.0
    levels = ((whole.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    crops = levels.permute(0, 2, 3, 1).cpu().numpy()
    flaws = tuple(
        "not finite" if not fine else "black" if crop.max() <= BLACK else ""
        for fine, crop in zip(finite.tolist(), crops, strict=True)
    )
    return Drawn(np.ascontiguousarray(crops), flaws)
