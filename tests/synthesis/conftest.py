from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.protocols import LabelledCells


def paint(rng: np.random.Generator, kind: int) -> np.ndarray:
    """Paint a crop with a disc whose size and colour tell its class."""
    axis = np.arange(96) - 47.5
    x, y = axis[None, :] + rng.normal(0, 3), axis[:, None] + rng.normal(0, 3)
    distance = np.hypot(y, x * rng.uniform(1, 1.4))
    crop = np.full((96, 96, 3), (235, 220, 205), np.float64)
    other = np.hypot(axis[:, None] - rng.uniform(-60, 60), axis[None, :] - 45)
    crop[other < 16] = (225, 180, 175)
    radius = (14, 22, 18)[kind] + rng.normal(0, 1)
    ring = ((200, 190, 215), (210, 160, 150), (150, 160, 200))[kind]
    crop[distance < radius + 6] = ring
    crop[distance < radius] = ((90, 50, 130), (110, 60, 150), (70, 40, 110))[kind]
    return np.clip(crop + rng.normal(0, 6, crop.shape), 0, 255).astype(np.uint8)


def _cells_of(counts: dict[str, int], seed: int = 0) -> LabelledCells:
    """Return painted cells; their vectors are well separated by class."""
    rng = np.random.default_rng(seed)
    codes = tuple(code for code, n in counts.items() for _ in range(n))
    kinds = [list(counts).index(code) for code in codes]
    centres = np.random.default_rng(5).normal(0, 3, (len(counts), 12))
    vectors = centres[kinds] + rng.normal(size=(len(codes), 12))
    crops = [paint(rng, kind % 3) for kind in kinds]
    return LabelledCells(
        ids=np.arange(1, len(codes) + 1),
        codes=codes,
        crops=np.stack(crops) if crops else np.zeros((0, 96, 96, 3), np.uint8),
        vectors=vectors.astype(np.float32).reshape(len(codes), 12),
        embedder="toy:1",
        groups=np.array([f"g{i % 12}" for i in range(len(codes))], dtype=str),
    )


@pytest.fixture(scope="session")
def cells_of() -> Callable[..., LabelledCells]:
    return _cells_of


@pytest.fixture
def cells() -> LabelledCells:
    return _cells_of({"SNE": 40, "LY": 30, "MO": 6})


@pytest.fixture(scope="session")
def starter_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny real painter, trained for two steps and exported."""
    from napari_cytosynth.synthesis._torch.export_latent import export
    from napari_cytosynth.synthesis._torch.painter import PainterSize
    from napari_cytosynth.synthesis._torch.threads import one_thread
    from napari_cytosynth.synthesis._torch.train_latent import (
        Pool,
        Recipe,
        Trainer,
        run,
    )

    folder = tmp_path_factory.mktemp("starter")
    cells = _cells_of({"SNE": 6, "LY": 6, "MO": 4}, seed=9)
    classes = np.array([{"SNE": 0, "LY": 8, "MO": 7}[c] for c in cells.codes])
    pool = Pool(cells.crops, classes, cells.vectors)
    size = PainterSize(descriptor=4, side=32, channels=8, widths=(16, 16))
    with one_thread():
        run(Trainer(pool, Recipe(steps=2, batch=2, size=size)), folder)
    export(folder, pool, folder, embedder=cells.embedder, size=size)
    return folder


@pytest.fixture(scope="session")
def stable_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion of the true classes, with random weights."""
    for package in ("transformers", "peft", "accelerate"):
        pytest.importorskip(package, reason="the extra 'lora' is not installed")
    from napari_cytosynth.synthesis._torch.stable_random import random_base

    return random_base(tmp_path_factory.mktemp("stable") / "tiny-stable")
