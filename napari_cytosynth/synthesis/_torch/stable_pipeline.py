"""The Stable Diffusion pipeline of diffusers, imported in silence.

Its module warns that image processors, none of which is used, would like torchvision.
"""

from __future__ import annotations

from napari_cytosynth.synthesis._torch.lora_adapters import quiet

with quiet():
    from diffusers.pipelines.stable_diffusion import (
        StableDiffusionPipeline as StableDiffusionPipeline,
    )
