from __future__ import annotations

import numpy as np
from safetensors.numpy import load, save

from napari_cytosynth.core.protocols import Weights


def test_a_transposed_array_comes_back_as_it_was() -> None:
    tall = np.arange(6, dtype=np.float32).reshape(2, 3).T
    weights = Weights({"tall": tall})
    back = Weights(load(save(dict(weights.tensors))))
    assert back.sha256 == weights.sha256
    np.testing.assert_array_equal(back.tensors["tall"], tall)
