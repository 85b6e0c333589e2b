from collections.abc import Callable

import numpy as np
import pytest

from napari_cytosynth.core.protocols import LabelledCells


def paint(rng: np.random.Generator, kind: int) -> np.ndarray:
    """Paint a crop with a disc whose size and colour tell its class."""
    axis = np.arange(96) - 47.5
    distance = np.hypot(axis[:, None] + rng.normal(0, 2), axis[None, :])
    crop = np.full((96, 96, 3), (235, 220, 205), np.float64)
    radius = (14, 22, 18)[kind] + rng.normal(0, 1)
    crop[distance < radius + 6] = ((200, 190, 215), (210, 160, 150), (150, 160, 200))[
        kind
    ]
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
        groups=np.array([f"g{i % 6}" for i in range(len(codes))]),
    )


@pytest.fixture(scope="session")
def cells_of() -> Callable[..., LabelledCells]:
    return _cells_of


@pytest.fixture
def cells() -> LabelledCells:
    return _cells_of({"SNE": 40, "LY": 30, "MO": 6})
