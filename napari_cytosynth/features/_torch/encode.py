"""Runs the trained encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.features._torch.encoder import CellEncoder, EncoderSize, lay_out


class Readout:
    """The encoder, with its features brought to mean 0 and spread 1.

    Parameters
    ----------
    arrays : mapping of str to array
        Tensors of the file: ``encoder.*``, ``readout.mean`` and ``readout.spread``.
    size : mapping
        ``size`` of the card.

    Raises
    ------
    WeightsError
        If a tensor is missing, unknown, or of another shape than the network's.
    """

    def __init__(
        self, arrays: Mapping[str, npt.NDArray[Any]], size: dict[str, Any]
    ) -> None:
        tensors = {k: torch.from_numpy(v).float() for k, v in arrays.items()}
        own = {
            k.removeprefix("encoder."): v
            for k, v in tensors.items()
            if k.startswith("encoder.")
        }
        net = CellEncoder(EncoderSize.from_json(size))
        try:
            net.load_state_dict(own)
            self._mean, self._spread = (
                tensors[f"readout.{part}"] for part in ("mean", "spread")
            )
        except (RuntimeError, KeyError) as error:
            raise WeightsError(
                f"The weights of the starter encoder do not fit its network ({error}). "
                "Card and file come from different versions; install napari-cytosynth "
                "again."
            ) from error
        self._net = _fused(net.eval())

    def __call__(self, crops: Crops) -> Vectors:
        """Map uint8[n, 96, 96, 3] to float32[n, dim]."""
        with torch.inference_mode():
            pixels = torch.from_numpy(np.array(crops)).permute(0, 3, 1, 2)
            features: Tensor = self._net(pixels.float() / 255)
            vectors: Vectors = ((features - self._mean) / self._spread).numpy()
        return vectors


def _fused(net: CellEncoder) -> CellEncoder:
    """Fold each normalisation into the convolution before it: half the passes."""
    for module in list(net.modules()):
        if isinstance(module, nn.Sequential) and len(module) == 2:
            first, second = module
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[0] = fuse_conv_bn_eval(first, second)
                module[1] = nn.Identity()
    lay_out(net)
    return net
