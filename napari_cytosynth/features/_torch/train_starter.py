"""Train the weights of the ``starter`` embedder.

    python -m napari_cytosynth.features._torch.train_starter \
        --cells DIR --attributes FILE --unlabelled FILE --out DIR --minutes 80

``--cells`` holds a ``labels.csv`` (``file,class11``) beside folders of 128 px pictures
of single cells, such as the PBC Barcelona set of Acevedo et al. 2020 (CC BY). Pictures
whose base name has a SHA-1 of 0..4 modulo 10 train, those of 5 are looked at on the
way, and 6..9 are for figures and never read. ``--unlabelled`` is a ``.npy`` of crops
uint8[n, 96, 96, 3]. The rate falls with the time given; a run that was stopped goes on
from its last checkpoint. ``--without BA PMY`` leaves classes out: what such an encoder
finds of them is no memory of its training.

The losses: cross-entropy on class and attributes, and one contrastive loss (Khosla et
al. 2020, arXiv 2004.11362) in which cells of a class are alike, and of an unlabelled
cell only its own other view is.
"""

from __future__ import annotations

import argparse
import logging
import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_cytosynth._torch.course import Course
from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.features._torch.augment import augmented, plain
from napari_cytosynth.features._torch.encoder import CellEncoder, EncoderSize
from napari_cytosynth.features._torch.training_cells import (
    CONCEPTS,
    SPAN,
    UNKNOWN,
    Cells,
    read_cells,
)

log = logging.getLogger(__name__)

CROP_SPAN = 0.999
"""Share of a picture that the crop covers, where the picture is the crop."""

TRAINING, VALIDATION = (0, 1, 2, 3, 4), (5,)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a training run."""

    batch: int = 64
    unlabelled: int = 8
    rate: float = 2e-3
    decay: float = 0.05
    warm_up: float = 0.02
    ema: float = 0.998
    smoothing: float = 0.1
    attributes: float = 0.3
    contrast: float = 0.3
    temperature: float = 0.1
    attribute_odds: float = 2.0
    seed: int = 0
    save_every: float = 180.0
    size: EncoderSize = field(default_factory=EncoderSize)


class Student(nn.Module):
    """The encoder with the heads that train it."""

    def __init__(self, size: EncoderSize, attributes: list[int]) -> None:
        super().__init__()
        self.encoder = CellEncoder(size)
        dim = self.encoder.dim
        self.classes = nn.Linear(dim, len(CONCEPTS))
        self.attributes = nn.ModuleList(nn.Linear(dim, max(n, 1)) for n in attributes)
        self.project = nn.Sequential(
            nn.Linear(dim, 256), nn.ReLU(), nn.Linear(256, 128)
        )


class Trainer(Course):
    """One run, from labelled and unlabelled cells."""

    net: Student

    def __init__(self, cells: Cells, unlabelled: Tensor, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.cells = cells.of(TRAINING)
        self.looked_at = cells.of(VALIDATION)
        self.unlabelled = torch.cat([unlabelled, _open_cells(self.cells)])
        net = Student(recipe.size, [len(v) for v in cells.values])
        optimiser = torch.optim.AdamW(
            net.parameters(), lr=recipe.rate, weight_decay=recipe.decay, fused=True
        )
        super().__init__(net, optimiser, decay=recipe.ema, loss=3.0)
        self.pictures = torch.from_numpy(self.cells.pictures)
        self.classes = torch.from_numpy(self.cells.classes)
        self.attributes = torch.from_numpy(self.cells.attributes)
        self.odds = _odds(self.cells, recipe.attribute_odds)

    def advance(self, progress: float) -> None:
        """Take one step. Its randomness depends on seed and step only."""
        recipe = self.recipe
        rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        rows = torch.multinomial(self.odds, recipe.batch, generator=rng)
        crops = [augmented(self.pictures[rows], SPAN, rng)]
        n = min(recipe.unlabelled, len(self.unlabelled))
        if n:
            drawn = torch.randperm(len(self.unlabelled), generator=rng)[:n]
            own = self.unlabelled[drawn]
            crops += [augmented(own, CROP_SPAN, rng) for _ in range(2)]
        with torch.autocast("cpu", torch.bfloat16):
            vectors = self.net.encoder(torch.cat(crops))
        loss = self._loss(vectors, rows, n)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate * _schedule(progress, recipe.warm_up)
        self.take(loss, clip=2.0)

    def _loss(self, vectors: Tensor, rows: Tensor, unlabelled: int) -> Tensor:
        recipe, net = self.recipe, self.net
        labelled = vectors[: len(rows)]
        classes = self.classes[rows]
        total = functional.cross_entropy(
            net.classes(labelled), classes, label_smoothing=recipe.smoothing
        )
        targets = self.attributes[rows]
        known = targets[:, 0] != UNKNOWN
        if known.any():
            heads = [
                functional.cross_entropy(head(labelled[known]), targets[known, i])
                for i, head in enumerate(net.attributes)
            ]
            total = total + recipe.attributes * torch.stack(heads).mean()
        own = torch.arange(unlabelled).repeat(2) + len(CONCEPTS)
        kinds = torch.cat([classes, own])
        contrast = _contrast(net.project(vectors), kinds, recipe.temperature)
        return total + recipe.contrast * contrast

    @torch.no_grad()
    def look(self) -> float:
        """Return the averaged network's macro recall over the classes it was taught."""
        student = Student(self.recipe.size, [len(v) for v in self.cells.values])
        student.load_state_dict(self.average)
        student.eval()
        pictures = torch.from_numpy(self.looked_at.pictures)
        parts = [plain(part, SPAN) for part in torch.split(pictures, 256)]
        logits = torch.cat([student.classes(student.encoder(p)) for p in parts])
        guesses, truth = logits.argmax(1).numpy(), self.looked_at.classes
        kinds = np.unique(truth[truth != UNKNOWN])
        recalls = [(guesses[truth == k] == k).mean() for k in kinds]
        return float(np.mean(recalls))


def _open_cells(cells: Cells) -> Tensor:
    """Return crops of the cells whose class the source left open."""
    rows = torch.from_numpy(cells.pictures[cells.classes == UNKNOWN])
    if not len(rows):
        return torch.zeros((0, 3, CROP_PIXELS, CROP_PIXELS), dtype=torch.uint8)
    return (plain(rows, SPAN) * 255).round().to(torch.uint8)


def _odds(cells: Cells, attribute_odds: float) -> Tensor:
    """Draw rare classes, and cells with attributes, more often."""
    counts = np.bincount(cells.classes + 1).clip(1)
    odds = 1 / np.sqrt(counts[cells.classes + 1])
    odds[cells.attributes[:, 0] != UNKNOWN] *= attribute_odds
    odds[cells.classes == UNKNOWN] = 0
    return torch.from_numpy(odds)


def _schedule(progress: float, warm_up: float) -> float:
    warm = min(1.0, 0.05 + progress / warm_up)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def _contrast(vectors: Tensor, kinds: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss; rows whose kind is alone in the batch are left out.

    Parameters
    ----------
    vectors : float[n, dim]
        Projections.
    kinds : int64[n]
        Rows of one kind are to lie together.
    """
    unit = functional.normalize(vectors, dim=1)
    alike = unit @ unit.T / temperature
    itself = torch.eye(len(unit), dtype=torch.bool)
    alike = alike.masked_fill(itself, -1e4)
    same = (kinds[:, None] == kinds) & ~itself
    counts = same.sum(1)
    each = -(alike.log_softmax(1) * same).sum(1) / counts.clamp_min(1)
    return each[counts > 0].mean() if bool((counts > 0).any()) else each.sum() * 0


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=Path, required=True)
    parser.add_argument("--attributes", type=Path)
    parser.add_argument("--unlabelled", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=80, help="of wall time")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--without", nargs="*", choices=tuple(CONCEPTS), default=(), metavar="CODE"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    crops = np.zeros((0, 96, 96, 3), np.uint8)
    if options.unlabelled:
        crops = np.load(options.unlabelled, allow_pickle=False)
    unlabelled = torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous()
    cells = read_cells(options.cells, options.attributes, tuple(options.without))
    trainer = Trainer(cells, unlabelled, Recipe(seed=options.seed))
    trainer.resume(options.out)
    run(trainer, options.out, options.minutes)


def run(trainer: Trainer, out: Path, minutes: float) -> None:
    """Train for so many minutes of wall time in all, saving as it goes."""
    while trainer.seconds < 60 * minutes:
        progress = trainer.seconds / (60 * minutes)
        trainer.sit(partial(trainer.advance, progress), out, trainer.recipe.save_every)
        if trainer.step % 100 == 0:
            log.info("step %d loss %.4f", trainer.step, trainer.loss)
    trainer.save(out)
    log.info("step %d validation recall %.4f", trainer.step, trainer.look())


if __name__ == "__main__":
    main()
