"""A Stable Diffusion with random weights, of any size: for tests and for timing.

The classes are the true ones of diffusers and transformers; only their numbers mean
nothing. A folder made here is laid out like a published base.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from napari_cytosynth.synthesis._torch.lora_adapters import TARGETS, quiet
from napari_cytosynth.synthesis._torch.stable_base import StableBase
from napari_cytosynth.synthesis._torch.stable_pipeline import StableDiffusionPipeline
from napari_cytosynth.synthesis.lora_prompts import MAX_TOKENS, built_in_prompts

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.-:()'"


@dataclass(frozen=True, slots=True)
class StableSize:
    """Widths of a Stable Diffusion.

    Parameters
    ----------
    pixels : int
        Side of its pictures.
    unet, vae : tuple of int
        Channels of each level; the autoencoder halves a picture between levels.
    groups : int
        Groups of the norms, a divisor of all channels.
    depth : int
        Residual blocks a level of the U-Net.
    heads : int
        Attention heads of the U-Net.
    text : tuple of int
        Width, layers and heads of the text encoder.
    """

    pixels: int = 32
    unet: tuple[int, ...] = (8, 16)
    vae: tuple[int, ...] = (8, 8, 8)
    groups: int = 4
    depth: int = 1
    heads: int = 2
    text: tuple[int, int, int] = (16, 2, 2)


SD15 = StableSize(
    512, (320, 640, 1280, 1280), (128, 256, 512, 512), 32, 2, 8, (768, 12, 12)
)
"""The widths of Stable Diffusion 1.5."""


def random_base(folder: Path, size: StableSize | None = None, seed: int = 0) -> Path:
    """Write a base with random weights into a folder and return the folder.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    size : StableSize, optional
        Tiny by default.
    seed : int
        Makes the same weights again.
    """
    size = size or StableSize()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = words_tokenizer()
        pipeline = StableDiffusionPipeline(
            vae=_autoencoder(size),
            text_encoder=_text_encoder(size, len(tokenizer)),
            tokenizer=tokenizer,
            unet=_unet(size),
            scheduler=_scheduler(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    with quiet():
        pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def words_tokenizer() -> CLIPTokenizer:
    """Return CLIP's tokenizer over letters, and most words of the built-in prompts."""
    text = " ".join(sorted(built_in_prompts())).lower()
    merges: dict[tuple[str, str], None] = {}
    for word in sorted(set(re.findall("[a-z]+", text)), key=len):
        letters = [*word[:-1], f"{word[-1]}</w>"]
        for i in range(1, len(letters)):
            merges[word[:i], letters[i]] = None
    ends = [f"{letter}</w>" for letter in _LETTERS]
    joined = ["".join(pair) for pair in merges]
    words = [*_LETTERS, *ends, *joined, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    return CLIPTokenizer(
        vocab=vocabulary, merges=list(merges), model_max_length=MAX_TOKENS
    )


def _unet(size: StableSize) -> UNet2DConditionModel:
    levels = len(size.unet)
    attends = ["CrossAttnDownBlock2D"] * (levels - 1)
    return UNet2DConditionModel(
        sample_size=size.pixels // 2 ** (len(size.vae) - 1),
        block_out_channels=size.unet,
        layers_per_block=size.depth,
        down_block_types=(*attends, "DownBlock2D"),
        up_block_types=("UpBlock2D", *(b.replace("Down", "Up") for b in attends)),
        attention_head_dim=size.heads,
        cross_attention_dim=size.text[0],
        norm_num_groups=size.groups,
    )


def _autoencoder(size: StableSize) -> AutoencoderKL:
    levels = len(size.vae)
    return AutoencoderKL(
        block_out_channels=size.vae,
        layers_per_block=size.depth,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=4,
        norm_num_groups=size.groups,
        sample_size=size.pixels,
    )


def _text_encoder(size: StableSize, words: int) -> CLIPTextModel:
    width, layers, heads = size.text
    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
    )
    return CLIPTextModel(config)


def _scheduler() -> PNDMScheduler:
    return PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def random_lcm(base: Path, folder: Path, seed: int = 0) -> Path:
    """Write a random LCM-LoRA for a base, as diffusers writes one; return the file."""
    unet = StableBase.load(base, torch.device("cpu")).unet
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet.add_adapter(LoraConfig(r=2, target_modules=TARGETS["unet"]))
        for name, parameter in unet.named_parameters():
            if ".lora_B." in name:
                torch.nn.init.normal_(parameter, std=0.3)
    StableDiffusionPipeline.save_lora_weights(
        folder, unet_lora_layers=get_peft_model_state_dict(unet)
    )
    return folder / "pytorch_lora_weights.safetensors"
