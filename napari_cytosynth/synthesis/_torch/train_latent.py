r"""Train the starter weights of the ``latent`` generator.

    cytosynth embed DIR --embedder starter --mpp 0.2727 --out cells.npz
    python -m napari_cytosynth.synthesis._torch.train_latent --data DIR \
        --vectors cells.npz --out RUN --start latent.safetensors --minutes 75

``DIR`` holds a ``labels.csv`` (``file,class8,class11``) beside folders of 128 px
pictures of single cells, such as the PBC Barcelona set of Acevedo et al. 2020 (CC BY).
Only pictures whose base name has a SHA-1 of 0..5 modulo 10 train: the others are for
figures. ``--start`` names weights to begin with: what fits in them by name and shape is
taken over, and a conditioning that they lack begins at zero. A run that was stopped
goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import csv
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from napari_cytosynth._torch.course import Course, weights_of
from napari_cytosynth.core.shipped import (
    LAST_TRAINING_SHARE,
    TRAINED_CONCEPTS,
    share_of,
)
from napari_cytosynth.synthesis._torch.painter import Painter, PainterSize
from napari_cytosynth.synthesis._torch.turns import turned
from napari_cytosynth.synthesis.lookspace import LookSpace

log = logging.getLogger(__name__)

CONCEPTS = TRAINED_CONCEPTS
"""Codes of the training data, in the order of the class indices, and their concepts."""

HARD = ("SNE", "BNE", "MMY", "MY", "PMY", "EO")
"""Granulocytes, which differ by lobes, chromatin and granules: the hardest to draw."""

HARDER = 1.5
"""How much more often they are shown."""

SOURCE_CROP = 88
"""Centre of a 128 px picture that spans 24 um: red cells of 7.5 um are 28 px wide."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a training run.

    Parameters
    ----------
    steps, minutes : int, float
        Length of the run: whichever ends first. The rate falls with the cosine of the
        share that is gone, to ``last_rate`` of its height.
    batch : int
        Pictures a step.
    rate, look_rate : float
        Learning rate of AdamW; that of the looks' projection is a multiple of it.
    warm_up : int
        Steps over which the rate rises.
    ema : float
        Decay of the averaged weights.
    late : float
        Mean of the logit of the times: fine structure is drawn late (0 noise, 1 data).
    fineness : float
        Exponent of each component's share in the picture; 1 weighs errors as pixels do,
        less gives fine structure more weight.
    drop_both, drop_look, drop_class : float
        Shares of pictures shown without class and look, without look, without class.
    jitter : float
        Noise added to looks, in units of their spread, so that none names one cell.
    seed, save_every : int, float
        Seed; seconds between checkpoints.
    size : PainterSize
        Of the network.
    """

    steps: int = 6000
    minutes: float = math.inf
    batch: int = 48
    rate: float = 4e-4
    look_rate: float = 3.0
    warm_up: int = 100
    last_rate: float = 0.02
    ema: float = 0.999
    late: float = -0.2
    fineness: float = 0.7
    drop_both: float = 0.1
    drop_look: float = 0.2
    drop_class: float = 0.15
    jitter: float = 0.2
    seed: int = 0
    save_every: float = 300.0
    size: PainterSize = field(default_factory=PainterSize)


@dataclass(frozen=True, slots=True)
class Pool:
    """Training cells in memory.

    Parameters
    ----------
    crops : uint8[n, 96, 96, 3]
        Pictures at 0.25 um a pixel.
    classes : int64[n]
        Class index, ``len(CONCEPTS)`` where unknown.
    vectors : float32[n, dim]
        Embeddings.
    """

    crops: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]


def read_pool(folder: Path, vectors: Path) -> Pool:
    """Read the training share of a labelled folder.

    ``vectors`` is what ``cytosynth embed`` wrote for that folder: an NPZ file with
    ``files`` and ``embeddings``.
    """
    codes = list(CONCEPTS)
    with (folder / "labels.csv").open(newline="") as lines:
        rows = [
            row
            for row in csv.DictReader(lines)
            if share_of(Path(row["file"]).name) <= LAST_TRAINING_SHARE
        ]
    crops = np.stack([read_crop(folder / r["file"]) for r in rows])
    fine = [r["class11"] for r in rows]
    known = [codes.index(c) if c in codes else len(codes) for c in fine]
    with np.load(vectors) as embedded:
        number = {str(name): i for i, name in enumerate(embedded["files"])}
        chosen = embedded["embeddings"][[number[r["file"]] for r in rows]]
    return Pool(crops, np.array(known), chosen)


def read_crop(path: Path) -> npt.NDArray[np.uint8]:
    """Return the middle of a picture of the training data: uint8[96, 96, 3], 24 um."""
    with Image.open(path) as picture:
        left, top = (
            (picture.width - SOURCE_CROP) // 2,
            (picture.height - SOURCE_CROP) // 2,
        )
        box = (left, top, left + SOURCE_CROP, top + SOURCE_CROP)
        crop = picture.convert("RGB").crop(box)
        return np.asarray(crop.resize((96, 96), Image.Resampling.BICUBIC))


class Trainer(Course):
    """One run, from a pool of cells."""

    net: Painter

    def __init__(self, pool: Pool, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        net = Painter(recipe.size)
        net.unet.to(memory_format=torch.channels_last)
        self.classes = torch.from_numpy(pool.classes)
        self.space = LookSpace.fit(
            pool.vectors, pool.classes, recipe.size.descriptor, recipe.size.classes
        )
        self.looks = torch.from_numpy(self.space.looks(pool.vectors))
        codec = net.codec
        crops = torch.from_numpy(pool.crops)
        self.pictures = torch.cat(
            [_to_bytes(codec.resize(part)) for part in torch.split(crops, 256)]
        )
        codec.fit(_to_floats(self.pictures[:: max(1, len(crops) // 2000)]))
        super().__init__(net, _optimiser(net, recipe), decay=recipe.ema, loss=1.0)
        self.odds = _odds(pool.classes)
        self.focus = _focus(recipe.size.side // 4)
        self.weight = codec.importance() ** recipe.fineness

    def advance(self) -> None:
        """Take one optimiser step. Its randomness depends on seed and step only."""
        recipe = self.recipe
        rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        x, condition = self._draw(rng)
        t = torch.sigmoid(torch.randn(len(x), generator=rng) * 1.4 + recipe.late)
        noise = torch.randn(x.shape, generator=rng)
        at = t[:, None, None, None]
        z = at * x + (1 - at) * noise
        with torch.autocast("cpu", torch.bfloat16):
            clean = self.net(z, t, condition())
        _, out, _ = self.net.preconditioning(t)
        error = ((clean - x) / out) ** 2 * self.weight * self.focus
        for group in self.optimiser.param_groups:
            group["lr"] = group["top"] * self._schedule()
        self.take(error.mean(), clip=1.0)

    def _draw(self, rng: torch.Generator) -> tuple[Tensor, Any]:
        recipe, n = self.recipe, self.recipe.batch
        rows = torch.multinomial(self.odds, n, replacement=True, generator=rng)
        pictures = turned(_to_floats(self.pictures[rows]), rng)
        lot = torch.rand(n, generator=rng)
        no_look = lot < recipe.drop_both + recipe.drop_look
        no_class = (lot < recipe.drop_both) | (lot > 1 - recipe.drop_class)
        classes = self.classes[rows].masked_fill(no_class, recipe.size.classes)
        looks = self.looks[rows]
        looks = looks + recipe.jitter * torch.randn(looks.shape, generator=rng)
        shown = (~no_look).float()
        x = self.net.codec.encode(pictures).contiguous(
            memory_format=torch.channels_last
        )
        return x, lambda: self.net.condition(classes, looks, shown)

    def _schedule(self) -> float:
        recipe = self.recipe
        warm = min(1.0, (self.step + 1) / recipe.warm_up)
        gone = max(self.step / recipe.steps, self.seconds / (60 * recipe.minutes))
        left = (1 + math.cos(math.pi * min(gone, 1.0))) / 2
        return warm * (recipe.last_rate + (1 - recipe.last_rate) * left)

    def begin_with(self, arrays: Mapping[str, Tensor]) -> None:
        """Take over what fits by name and shape; another length of look begins anew."""
        own = self.net.state_dict()
        same_look = arrays["look.0.weight"].shape == own["look.0.weight"].shape
        fitting = {
            name: value.float()
            for name, value in arrays.items()
            if name in own
            and value.shape == own[name].shape
            and (same_look or not name.startswith("look"))
        }
        self.net.load_state_dict({**own, **fitting})
        self.average = weights_of(self.net)
        self.weight = self.net.codec.importance() ** self.recipe.fineness

    def save(self, folder: Path, more: Mapping[str, Tensor] | None = None) -> None:
        """Write a checkpoint, the space of the looks with it."""
        parts = self.space.to_arrays().items()
        looks = {name: torch.from_numpy(part) for name, part in parts}
        super().save(folder, {**looks, **(more or {})})


def _optimiser(net: Painter, recipe: Recipe) -> torch.optim.Optimizer:
    look = list(net.look.parameters())
    rest = [p for name, p in net.named_parameters() if not name.startswith("look.")]
    groups = [
        {"params": rest, "top": recipe.rate},
        {"params": look, "top": recipe.rate * recipe.look_rate},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=0.01, fused=True)


def _odds(classes: npt.NDArray[np.int64]) -> Tensor:
    """Return how often each cell is shown: rare and hard classes more often."""
    counts = np.bincount(classes, minlength=len(CONCEPTS) + 1).clip(1)
    by_class = 1 / np.sqrt(counts)
    by_class[[list(CONCEPTS).index(code) for code in HARD]] *= HARDER
    return torch.from_numpy(by_class[classes])


def _to_bytes(pictures: Tensor) -> Tensor:
    return ((pictures + 1) * 127.5).round().to(torch.uint8)


def _to_floats(pictures: Tensor) -> Tensor:
    return pictures.float() / 127.5 - 1


def _focus(side: int) -> Tensor:
    """Weight of each place: the middle cell counts more than its neighbours."""
    axis = (torch.arange(side) + 0.5) / side - 0.5
    weight = 0.3 + 0.7 * torch.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 0.28**2))
    return weight / weight.mean()


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(options.steps, options.minutes, seed=options.seed)
    trainer = Trainer(read_pool(options.data, options.vectors), recipe)
    if options.start:
        trainer.begin_with(load_file(options.start))
    trainer.resume(options.out)
    run(trainer, options.out)


def run(trainer: Trainer, out: Path) -> None:
    """Train to the recipe's last step or minute, saving as it goes."""
    recipe = trainer.recipe
    while trainer.step < recipe.steps and trainer.seconds < 60 * recipe.minutes:
        trainer.sit(trainer.advance, out, recipe.save_every)
        if trainer.step % 50 == 0:
            log.info("step %d loss %.4f", trainer.step, trainer.loss)
    trainer.save(out)


if __name__ == "__main__":
    main()
