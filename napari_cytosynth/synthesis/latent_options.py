"""Options of the ``latent`` generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Setting
from napari_cytosynth.synthesis.options import read_options
from napari_cytosynth.synthesis.parents import MANNER, STRATEGIES, strength_of

SOLVERS = ("heun", "multistep")
"""Ways to follow the flow from noise to a picture."""


LEARNS_BY = frozenset({"tune", "tune_steps"})
"""Options by which classes are learned; where one changes, they are learned anew."""


@dataclass(frozen=True, slots=True)
class LatentConfig:
    """Options of the ``latent`` generator.

    Parameters
    ----------
    steps : int
        Steps of a draw.
    solver : str
        ``"heun"`` evaluates the network twice a step, ``"multistep"`` once.
    guidance : float
        1 follows class and look, more exaggerates them.
    guidance_start, guidance_stop : float
        Guidance acts between these times only: 0 is noise, 1 the picture.
    looks : float
        Spread of the looks that are drawn for a class whose looks the weights know, in
        units of that of real cells; 0 gives none, and the class alone is followed.
    strategy : str
        One of :data:`STRATEGIES`.
    strength : float
        How far a ``"variation"`` may leave its real cell, above 0 and up to 1.
    vector : sequence of float, or of sequences, or None
        Embeddings to paint; draw ``i`` takes number ``i``, and begins again at the end.
    embedder : str
        Fingerprint of the embedder of ``vector``.
    match_stain : bool
        Move the colours to those of the real cells.
    tune : str
        Classes to learn from the real cells: ``"new"`` (those that the starter weights
        do not know), ``"all"`` or ``"none"``.
    only : str
        Code of the one class to learn, where it is to be learned at all; empty: each.
    tune_steps : int
        Training steps of that, at most: it ends early where cells become copies.
    seed : int
        Seed of that.
    concepts : mapping of str to str or None
        Code of each class to its concept; where None, built-in taxonomies tell.
    """

    steps: int = 12
    solver: str = "multistep"
    guidance: float = 2.0
    guidance_start: float = 0.1
    guidance_stop: float = 0.8
    looks: float = 0.7
    strategy: str = "class"
    strength: float = 0.6
    vector: Sequence[Any] | None = None
    embedder: str = ""
    match_stain: bool = True
    tune: str = "new"
    only: str = ""
    tune_steps: int = 60
    seed: int = 0
    concepts: Mapping[str, str] | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> LatentConfig:
        """Build from a mapping; a name or value that is no option is refused."""
        config = read_options(cls, "latent", options)
        if config.tune not in ("new", "all", "none") or config.steps < 1:
            raise InputError(
                f"The latent generator got tune '{config.tune}' and {config.steps} "
                "steps. Give tune 'new', 'all' or 'none', and at least one step."
            )
        if config.guidance < 0 or config.looks < 0:
            raise InputError(
                f"The latent generator got guidance {config.guidance} and looks "
                f"{config.looks}. Neither may be below 0."
            )
        if config.solver not in SOLVERS:
            raise InputError(
                f"The latent generator got solver '{config.solver}'. Its solvers are "
                f"{', '.join(SOLVERS)}."
            )
        if config.strategy not in STRATEGIES or not 0 < config.strength <= 1:
            raise InputError(
                f"The latent generator got strategy '{config.strategy}' and strength "
                f"{config.strength}. Give one of {', '.join(STRATEGIES)}, and a "
                "strength above 0 and up to 1."
            )
        return config


_DEFAULTS = LatentConfig()

SETTINGS = (
    MANNER,
    strength_of(_DEFAULTS.strength),
    Setting(
        "steps",
        "Steps",
        "More take longer and paint finer; 6 will do to look around.",
        _DEFAULTS.steps,
        low=1,
        high=100,
    ),
    Setting(
        "looks",
        "Variety",
        "How unlike one another new cells look; 1: as real ones, 0: hardly.",
        _DEFAULTS.looks,
        low=0.0,
        high=2.0,
    ),
    Setting(
        "match_stain",
        "Match the stain",
        "Moves the colours to those of the labelled cells.",
        _DEFAULTS.match_stain,
    ),
    Setting(
        "tune",
        "Learn from mine",
        "Which classes are learned from the labelled cells before painting.",
        _DEFAULTS.tune,
        {
            "new": "those that the shipped weights do not know",
            "all": "this class too, if 3 or more are labelled",
            "none": "none",
        },
    ),
)
"""What the *Fill* form offers of these."""
