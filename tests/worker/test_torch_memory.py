"""Out of memory on the GPU halves the batch of an embedder, and the work goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_cytosynth.core.errors import MemoryShortError
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.worker import InlineCompute


class NarrowEmbedder:
    """Mean colour by a torch module that has memory for a few crops only."""

    key, dim = "narrow:1", 3

    def __init__(self, room: int) -> None:
        self.pool, self.room = nn.AdaptiveAvgPool2d(1), room
        self.sizes: list[int] = []

    def embed(self, crops: Crops) -> Vectors:
        self.sizes.append(len(crops))
        if len(crops) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        pictures = torch.from_numpy(crops).movedim(-1, 1).float()
        vectors: Vectors = self.pool(pictures).flatten(1).numpy()
        return vectors


def test_every_crop_is_embedded_once_in_smaller_batches() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (150, 96, 96, 3), np.uint8)
    narrow = NarrowEmbedder(20)
    compute = InlineCompute(embedders={"narrow": lambda: narrow})
    vectors = run_to_end(compute.embed("narrow", crops))
    np.testing.assert_allclose(vectors, crops.mean((1, 2)), rtol=1e-4)
    assert narrow.sizes[:3] == [64, 32, 16]
    assert sum(narrow.sizes[2:]) == 150
    narrow.sizes.clear()
    run_to_end(compute.embed("narrow", crops[:32]))
    assert narrow.sizes == [16, 16], "the worker remembers what fits"


def test_a_model_too_large_for_one_crop_is_said() -> None:
    compute = InlineCompute(embedders={"narrow": lambda: NarrowEmbedder(0)})
    with pytest.raises(MemoryShortError, match="narrow, even one item at a time"):
        run_to_end(compute.embed("narrow", np.zeros((4, 96, 96, 3), np.uint8)))
