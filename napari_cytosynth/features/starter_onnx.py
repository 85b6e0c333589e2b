"""Runs the ``starter`` encoder through ONNX Runtime, which is quicker than torch.

The graph that ships holds no weights: they are those of the safetensors file, each
normalisation folded into the convolution before it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Crops, Vectors

WEIGHTS = "starter.safetensors"
"""What the graph names as the place of its weights; never read from there."""

_EPSILON = 1e-5
_CONVOLUTION, _SCALE = ".0.weight", ".1.weight"

Arrays = Mapping[str, npt.NDArray[Any]]


def onnx_is_here() -> bool:
    """Tell whether ONNX Runtime is installed."""
    return find_spec("onnxruntime") is not None


def weights_of(arrays: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights of the graph by their names in it.

    Parameters
    ----------
    arrays : mapping of str to array
        Tensors of the weight file: ``encoder.*``, ``readout.mean``, ``readout.spread``.
    """
    found = {part: arrays[f"readout.{part}"] for part in ("mean", "spread")}
    for name in arrays:
        stem = name.removesuffix(_CONVOLUTION)
        if name == stem or f"{stem}{_SCALE}" not in arrays:
            continue
        scale, shift, mean, spread = (
            arrays[f"{stem}.1.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(spread + _EPSILON)
        found[name] = arrays[name] * factor[:, None, None, None]
        found[f"{name}_bias"] = shift - mean * factor
    return {k: np.ascontiguousarray(v, np.float32) for k, v in found.items()}


class OnnxReadout:
    """The encoder, with its features brought to mean 0 and spread 1.

    Parameters
    ----------
    graph : bytes
        The operations.
    arrays : mapping of str to array
        Tensors of the weight file.
    """

    def __init__(self, graph: bytes, arrays: Arrays) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _threads()
        # Threads that wait in a loop would take the processor from the viewer.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        weights = weights_of(arrays)
        make = onnxruntime.OrtValue.ortvalue_from_numpy
        # The session reads them where they lie: they are kept as long as it is.
        self._kept = [make(values) for values in weights.values()]
        options.add_external_initializers(list(weights), self._kept)
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, crops: Crops) -> Vectors:
        """Map uint8[n, 96, 96, 3] to float32[n, dim]."""
        vectors: Vectors = self._session.run(None, {"crops": np.array(crops)})[0]
        return vectors


def _threads() -> int:
    """Return how many threads OpenMP's setting allows, else one a processor."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) else os.cpu_count() or 1
