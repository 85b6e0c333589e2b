"""Diffusers' own text-to-image pipeline, and nothing around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

from napari_cytosynth.synthesis._torch.stable_base import StableBase


def stable_pipeline(
    base: StableBase, prompt: str
) -> Callable[[int, int, int, float], None]:
    """Return diffusers' own text-to-image pipeline over the parts of a base.

    The adapters that are in place in the base are used by both.

    Returns
    -------
    callable
        Told pictures in all, pictures at once, steps and guidance; draws.
    """
    own = base.pipeline
    pipeline = StableDiffusionPipeline(
        **{**own.components, "scheduler": _dpm(own.scheduler.config)},
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)

    def draw(pictures: int, batch: int, steps: int, guidance: float) -> None:
        for start in range(0, pictures, batch):
            with base.threads():
                pipeline(
                    [prompt] * min(batch, pictures - start),
                    num_inference_steps=steps,
                    guidance_scale=guidance,
                    output_type="np",
                )

    return draw


def _dpm(config: Any) -> Any:
    return DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++")
