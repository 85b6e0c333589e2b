"""Teaching cells to a Stable Diffusion: LoRA adapters on its U-Net and text encoder.

The recipe is that of DataDream and CytoDiff (arXiv 2407.10910, 2507.05063), with
min-SNR weights (arXiv 2303.09556), offset noise and all eight flips and rotations.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cytosynth.synthesis._torch.halving import Halving
from napari_cytosynth.synthesis._torch.lora_resume import Checkpoint
from napari_cytosynth.synthesis._torch.stable_base import StableBase
from napari_cytosynth.synthesis._torch.stable_draw import Plan, Start, draw
from napari_cytosynth.synthesis.thumbnails import copied_share

_DECAY, _CLIP = 1e-2, 1.0
_ENCODED = 4
"""Pictures encoded at once."""

_LOOKS, _LOOK_STEPS = 8, 8
"""Cells drawn to look for copies among them, and steps of each."""

MAX_COPIES = 0.05
"""Share of copies among them at which training ends."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be learned.

    Parameters
    ----------
    crops : uint8[n, 96, 96, 3]
        Real cells.
    prompts : sequence of str
        Prompt of each, at most 77 tokens.
    turns : bool
        Learn from all eight flips and rotations of a crop.
    """

    crops: npt.NDArray[np.uint8]
    prompts: Sequence[str]
    turns: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """How it is learned.

    Parameters
    ----------
    steps, batch, warmup : int
        Steps, pictures a step, steps until the full learning rate.
    rates : (float, float)
        Learning rates of U-Net and text encoder.
    rank, alpha : int
        Of the adapters.
    snr_gamma, noise_offset : float
        0 for none.
    save_every, seed : int
        Steps between checkpoints, and looks for copies; seed.
    watch : bool
        End where draws become copies of the cells.
    """

    steps: int
    batch: int = 8
    warmup: int = 100
    rates: tuple[float, float] = (1e-4, 5e-5)
    rank: int = 16
    alpha: int = 16
    snr_gamma: float = 5.0
    noise_offset: float = 0.05
    save_every: int = 50
    seed: int = 0
    watch: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a training is.

    Parameters
    ----------
    step : int
        Steps done; 0 while pictures are being encoded.
    loss : float
        Of the last step.
    at_once : int
        Pictures held in memory together by now.
    skipped : int
        Steps whose gradients were not finite and changed nothing.
    resumed : int
        Step from which an interrupted training went on.
    copies : float
        Share of copies among the cells drawn at the last look, 0..1; NaN before.
    looking : bool
        True while such cells are drawn.
    """

    step: int
    loss: float = float("nan")
    at_once: int = 0
    skipped: int = 0
    resumed: int = 0
    copies: float = float("nan")
    looking: bool = False


class LoraTrainer:
    """Trains the adapters of a base; they stay in place in it.

    Parameters
    ----------
    base : StableBase
        Is given fresh adapters.
    lesson : Lesson
        What is learned.
    recipe : Recipe
        How.
    checkpoint : Checkpoint or None
        Where to go on from, and to leave what was learned so far.
    """

    def __init__(
        self,
        base: StableBase,
        lesson: Lesson,
        recipe: Recipe,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.base, self.lesson, self.recipe = base, lesson, recipe
        self._checkpoint = checkpoint
        self._halving = Halving(recipe.batch, "learning cells with lora")
        self._drawing = Halving(_LOOKS, "drawing with lora")
        self._skipped = 0
        self._now = Stage(0)

    def run(self) -> Iterator[Stage]:
        """Yield a stage after each step, and while pictures are encoded or drawn.

        The last one tells the steps behind the adapters that are in place then: where
        cells drawn at a look are copies, those of the look before are put back; at the
        first look these are fresh ones, of step 0.
        """
        base, recipe = self.base, self.recipe
        groups = base.adapters.start(recipe.rank, recipe.alpha, recipe.seed)
        optimiser = torch.optim.AdamW(
            [
                {"params": group, "lr": rate, "base": rate}
                for group, rate in zip(groups, recipe.rates, strict=True)
            ],
            weight_decay=_DECAY,
        )
        first = self._checkpoint.restore(optimiser) if self._checkpoint else 0
        self._now = Stage(0, resumed=first)
        latents = yield from self._encode()
        try:
            yield from self._steps(optimiser, latents, first)
        finally:
            self._set_training(training=False)
            for part in (base.unet, base.text_encoder):
                part.requires_grad_(requires_grad=False)

    def _steps(
        self, optimiser: torch.optim.AdamW, latents: Tensor, first: int
    ) -> Iterator[Stage]:
        recipe = self.recipe
        # Before the first step these are fresh ones, which change nothing.
        kept = (first, self.base.adapters.arrays())
        self._set_training(training=True)
        for step in range(first, recipe.steps):
            task = self._task(latents, step)
            loss = self._halving.attempt(partial(self._learn, optimiser, task))
            yield self._stage(step + 1, loss)
            if (step + 1) % recipe.save_every and step + 1 < recipe.steps:
                continue
            if recipe.watch:
                yield from self._look()
                if self._now.copies > MAX_COPIES:
                    self.base.adapters.put(kept[1], recipe.rank, recipe.alpha)
                    yield self._stage(kept[0], loss)
                    return
                kept = (step + 1, self.base.adapters.arrays())
            if self._checkpoint is not None and step + 1 < recipe.steps:
                self._checkpoint.save(optimiser, step + 1)

    def _stage(self, step: int, loss: float) -> Stage:
        """Return where the training stands now."""
        held, skipped = self._halving.size, self._skipped
        now = replace(self._now, step=step, loss=loss, at_once=held, skipped=skipped)
        self._now = now
        return now

    def _look(self) -> Iterator[Stage]:
        """Draw cells of the rarest class, and tell how many are copies."""
        prompts = list(self.lesson.prompts)
        rarest = min(sorted(set(prompts)), key=prompts.count)
        real = self.lesson.crops[[p == rarest for p in prompts]]
        plan = Plan(rarest, _LOOK_STEPS, side=real.shape[1])
        rng = np.random.default_rng([self.recipe.seed, self._now.step])
        shape = (_LOOKS, *self.base.latent_shape)
        start = Start(rng.standard_normal(shape).astype(np.float32), (0,) * _LOOKS)
        made = []
        self._set_training(training=False)
        for drawn in self._drawing.parts(
            0, _LOOKS, lambda a, b: draw(self.base, plan, start.rows(range(a, b)))
        ):
            if drawn is None:
                yield replace(self._now, looking=True)
            else:
                made.append(drawn.crops)
        self._set_training(training=True)
        copies = copied_share(np.concatenate(made), real)
        self._now = replace(self._now, copies=copies)
        yield replace(self._now, looking=True)

    def _encode(self) -> Generator[Stage, None, Tensor]:
        """Return the latents of all pictures: float32[turns, n, channels, y, x]."""
        crops = self.lesson.crops
        turned = [crops]
        if self.lesson.turns:
            rotated = [np.rot90(crops, k, (1, 2)) for k in range(4)]
            turned = [*rotated, *(r[:, :, ::-1] for r in rotated)]
        every, encode = np.concatenate(turned), Halving(_ENCODED, "encoding pictures")
        parts = []
        for part in encode.parts(
            0, len(every), lambda a, b: [self._latents(every[a:b])]
        ):
            parts.append(part)
            yield self._now
        flat = torch.cat(parts)
        return flat.reshape(len(turned), len(crops), *flat.shape[1:])

    def _latents(self, crops: npt.NDArray[np.uint8]) -> Tensor:
        with self.base.threads(), torch.no_grad():
            return self.base.encode(crops).cpu()

    def _learn(self, optimiser: torch.optim.AdamW, task: _Task, size: int) -> float:
        """Take one step, the batch in parts of ``size``; return its loss."""
        optimiser.zero_grad()
        total = 0.0
        with self.base.threads():
            for first in range(0, self.recipe.batch, size):
                loss = self._loss(task, slice(first, first + size))
                loss.backward()  # type: ignore[no-untyped-call]
                total += float(loss.detach())
            parameters = [p for g in optimiser.param_groups for p in g["params"]]
            norm = torch.nn.utils.clip_grad_norm_(parameters, _CLIP)
            if not torch.isfinite(norm):
                self._skipped += 1
                return total
            for group in optimiser.param_groups:
                group["lr"] = group["base"] * self._warmth(task.step)
            optimiser.step()
        return total

    def _task(self, latents: Tensor, step: int) -> _Task:
        """Draw the pictures, times and noise of a step, by its number only."""
        recipe, base = self.recipe, self.base
        rng = torch.Generator().manual_seed(_seed_of(recipe.seed, step))
        rows = torch.randint(latents.shape[1], (recipe.batch,), generator=rng)
        turns = torch.randint(latents.shape[0], (recipe.batch,), generator=rng)
        clean = latents[turns, rows]
        times = torch.randint(
            self.base.training_scheduler.config.num_train_timesteps,
            (recipe.batch,),
            generator=rng,
        )
        noise = torch.randn(clean.shape, generator=rng)
        offset = torch.randn((*clean.shape[:2], 1, 1), generator=rng)
        noise = noise + recipe.noise_offset * offset
        prompts = [self.lesson.prompts[row] for row in rows.tolist()]
        return _Task(
            step,
            clean.to(base.device),
            noise.to(base.device),
            times.to(base.device),
            base.tokens(prompts),
        )

    def _loss(self, task: _Task, part: slice) -> Tensor:
        """Return the weighted loss of a part, divided by the whole batch."""
        clean, noise, times = task.clean[part], task.noise[part], task.times[part]
        noised = self.base.training_scheduler.add_noise(clean, noise, times)
        is_velocity = (
            self.base.training_scheduler.config.prediction_type == "v_prediction"
        )
        target = (
            self.base.training_scheduler.get_velocity(clean, noise, times)
            if is_velocity
            else noise
        )
        found = self.base.unet(
            noised.to(self.base.precision),
            times,
            encoder_hidden_states=self.base.read(task.tokens[part]),
            return_dict=False,
        )[0].float()
        errors = ((found - target) ** 2).mean(dim=(1, 2, 3))
        weights = self._weights(times, is_velocity=is_velocity)
        loss: Tensor = (weights * errors).sum() / self.recipe.batch
        return loss

    def _weights(self, times: Tensor, *, is_velocity: bool) -> Tensor:
        """Return the min-SNR weights of times."""
        if not self.recipe.snr_gamma:
            return torch.ones(len(times), device=times.device)
        kept = self.base.training_scheduler.alphas_cumprod.to(times.device)[times]
        snr = kept / (1 - kept)
        most = self.recipe.snr_gamma
        weights: Tensor = snr.clamp(max=most) / (snr + float(is_velocity))
        return weights

    def _warmth(self, step: int) -> float:
        """Return the share of the learning rate at a step: warm-up, then a cosine."""
        recipe = self.recipe
        warm = min(1.0, (step + 1) / max(1, min(recipe.warmup, recipe.steps // 2)))
        return warm * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))

    def _set_training(self, *, training: bool) -> None:
        """Trade time for memory in the U-Net, which holds nearly all of it."""
        unet, text = self.base.unet, self.base.text_encoder
        for part in (unet, text):
            part.train(training)
        if training:
            unet.enable_gradient_checkpointing()
        else:
            unet.disable_gradient_checkpointing()


@dataclass(frozen=True, slots=True)
class _Task:
    """Pictures, noise, times and tokens of one step."""

    step: int
    clean: Tensor
    noise: Tensor
    times: Tensor
    tokens: Tensor


def _seed_of(seed: int, step: int) -> int:
    """Return a seed of its own for each step, so that a resumed run draws the same."""
    return int(
        np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1
    )
