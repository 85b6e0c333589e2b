"""One DINOv2, four layouts of its tensors: bring each to that of transformers.

==================  ================================================================
layout              told by
==================  ================================================================
training            a dictionary with ``teacher``, keys ``backbone.…``; heads beside
hub                 ``blocks.N.…``; G: ``mlp.w12``, ``mlp.w3``
timm                as the hub's, but G: ``mlp.fc1`` twice as wide as ``mlp.fc2``
transformers        ``embeddings.…``, ``encoder.layer.N.…``
==================  ================================================================

Blocks that were trained in chunks are ``blocks.CHUNK.N``, N counting through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_cytosynth.core.errors import WeightsError

PATCH = 14
INPUT = 224
GRID = INPUT // PATCH

_OFFSET = 0.1
"""What DINOv2 adds to the grid's side before it divides (``interpolate_offset``)."""

_HEAD_DIM = 64
_TOP = {
    "cls_token": "embeddings.cls_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
    "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
    "norm.weight": "layernorm.weight",
    "norm.bias": "layernorm.bias",
}
_IN_BLOCK = {
    "attn.proj": "attention.output.dense",
    "ls1.gamma": "layer_scale1.lambda1",
    "ls2.gamma": "layer_scale2.lambda1",
    "mlp.w12": "mlp.weights_in",
    "mlp.w3": "mlp.weights_out",
}
_BLOCK = re.compile(r"blocks\.(?:\d+\.)?(\d+)\.(.+)")
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)")
_RANKS = {
    "embeddings.cls_token": 3,
    "embeddings.position_embeddings": 3,
    "embeddings.patch_embeddings.projection.weight": 4,
}
_NORMS = re.compile(r"\bnorm[12]?\.weight$|\blayernorm\.weight$")
_PARTS = ("query", "key", "value")
_TRAINING_HEADS = ("dino_head.", "ibot_head.")
_PREFIXES = ("backbone.", "dinov2.")
_MASKS = ("mask_token", "embeddings.mask_token")
_REGISTERS = ("register_tokens", "reg_token", "embeddings.register_tokens")
_BOTH = (".weight", ".bias")


@dataclass(frozen=True)
class Checkpoint:
    """A DINOv2 ViT/14 as transformers publishes it.

    Parameters
    ----------
    tensors : mapping of str to float32 tensor
        Complete, and without the mask token, which only training needs.
    dim, layers, heads : int
        Width, number of blocks, attention heads.
    mlp_ratio : int
        Width of the feed-forward part over ``dim``, before SwiGLU's two thirds.
    swiglu : bool
        Whether the feed-forward part is SwiGLU, as in G.
    """

    tensors: Mapping[str, Tensor]
    dim: int
    layers: int
    heads: int
    mlp_ratio: int
    swiglu: bool


def read_checkpoint(loaded: object, name: str) -> Checkpoint:
    """Recognise a layout and translate it; every tensor must have its place.

    Parameters
    ----------
    loaded : object
        What the file held.
    name : str
        Of the file, for messages.

    Raises
    ------
    WeightsError
        If it is no DINOv2 ViT/14, has registers, or has a tensor too few or too many.
    """
    flat = _flat(loaded, name)
    _refuse_registers(flat, name)
    _refuse_odd_ranks(flat, name)
    tensors = {k: v.float() for k, v in _translated(flat).items()}
    layers = _count_layers(tensors)
    swiglu = "encoder.layer.0.mlp.weights_in.weight" in tensors
    _demand_complete(tensors, layers, swiglu, name)
    dim = _width(tensors, name)
    position = "embeddings.position_embeddings"
    tensors[position] = _positions(tensors[position], name)
    ratio = 4 if swiglu else _ratio(tensors, dim)
    return Checkpoint(tensors, dim, layers, dim // _HEAD_DIM, ratio, swiglu)


def _flat(loaded: object, name: str) -> dict[str, Tensor]:
    """Return the tensors of the backbone, without training's wrapping and heads."""
    held = loaded
    if isinstance(held, Mapping) and isinstance(held.get("teacher"), Mapping):
        held = held["teacher"]
    if not isinstance(held, Mapping):
        held = {}
    tensors = {str(k): v for k, v in held.items() if isinstance(v, Tensor)}
    if not tensors or len(tensors) != len(held):
        raise WeightsError(
            f"'{name}' holds no plain table of tensors. Give a DINOv2 checkpoint: the "
            "training's with 'teacher', a hub file, or safetensors of timm or "
            "transformers."
        )
    own = {k: v for k, v in tensors.items() if not k.startswith(_TRAINING_HEADS)}
    return {_without_prefix(k): v for k, v in own.items()}


def _without_prefix(key: str) -> str:
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key


def _refuse_registers(tensors: Iterable[str], name: str) -> None:
    if any(key in _REGISTERS for key in tensors):
        raise WeightsError(
            f"'{name}' is a DINOv2 with register tokens, which is another network. "
            "Use the checkpoint without registers; DinoBloom has none."
        )


def _refuse_odd_ranks(flat: Mapping[str, Tensor], name: str) -> None:
    """Refuse what has not as many axes as its name says; the sizes come later."""
    for key, value in flat.items():
        matrix = key.endswith(".weight") and not _NORMS.search(key)
        wanted = _RANKS.get(_TOP.get(key, key), 2 if matrix else 1)
        if key not in _MASKS and (value.ndim != wanted or 0 in value.shape):
            raise WeightsError(
                f"'{name}' holds a tensor '{key}' of shape {tuple(value.shape)}; that "
                f"of a DINOv2 ViT/14 is not empty and has axes to the number of "
                f"{wanted}. Give the original checkpoint of a DINOv2 or DinoBloom "
                "model."
            )


def _translated(flat: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for key, value in flat.items():
        if key in _MASKS:
            continue
        block = _BLOCK.fullmatch(key)
        if block is None:
            tensors[_TOP.get(key, key)] = value
        else:
            layer = f"encoder.layer.{int(block[1])}"
            tensors |= _in_block(layer, block[2], value)
    return _named_as_swiglu(tensors)


def _in_block(layer: str, rest: str, value: Tensor) -> dict[str, Tensor]:
    stem, _, kind = rest.rpartition(".")
    if stem == "attn.qkv":
        thirds = value.chunk(3) if len(value) % 3 == 0 else (value,)
        names = (f"{layer}.attention.attention.{part}.{kind}" for part in _PARTS)
        return dict(zip(names, thirds, strict=False))
    if rest in _IN_BLOCK:
        return {f"{layer}.{_IN_BLOCK[rest]}": value}
    return {f"{layer}.{_IN_BLOCK.get(stem, stem)}.{kind}": value}


def _named_as_swiglu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tell timm's SwiGLU by its widths, since its names are those of a plain one."""
    first = tensors.get("encoder.layer.0.mlp.fc1.weight")
    second = tensors.get("encoder.layer.0.mlp.fc2.weight")
    if first is None or second is None or first.shape[0] != 2 * second.shape[-1]:
        return tensors
    return {
        k.replace(".mlp.fc1.", ".mlp.weights_in.").replace(
            ".mlp.fc2.", ".mlp.weights_out."
        ): v
        for k, v in tensors.items()
    }


def _count_layers(tensors: Iterable[str]) -> int:
    found = (_LAYER.fullmatch(key) for key in tensors)
    return max((int(m[1]) + 1 for m in found if m), default=0)


def _demand_complete(
    tensors: Mapping[str, Tensor], layers: int, swiglu: bool, name: str
) -> None:
    wanted = set(_TOP.values())
    for i in range(max(layers, 1)):
        wanted |= {f"encoder.layer.{i}.{rest}" for rest in _expected(swiglu)}
    missing, surplus = sorted(wanted - set(tensors)), sorted(set(tensors) - wanted)
    if missing or surplus:
        raise WeightsError(
            f"'{name}' is not a DINOv2 ViT/14 that is known here. Missing: "
            f"{_some(missing)}. Not understood: {_some(surplus)}. Nothing is guessed; "
            "give the original checkpoint of a DINOv2 or DinoBloom model."
        )


def _expected(swiglu: bool) -> set[str]:
    """Return what one block holds."""
    stems = {f"attention.attention.{part}" for part in _PARTS}
    stems |= {"attention.output.dense", "norm1", "norm2"}
    fed = ("mlp.weights_in", "mlp.weights_out") if swiglu else ("mlp.fc1", "mlp.fc2")
    names = {stem + end for stem in stems.union(fed) for end in _BOTH}
    return names | {"layer_scale1.lambda1", "layer_scale2.lambda1"}


def _some(names: list[str]) -> str:
    if not names:
        return "none"
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest


def _width(tensors: Mapping[str, Tensor], name: str) -> int:
    patch = tensors["embeddings.patch_embeddings.projection.weight"]
    dim = len(patch)
    if patch.shape != (dim, 3, PATCH, PATCH) or dim % _HEAD_DIM:
        raise WeightsError(
            f"'{name}' cuts pictures by a kernel of {tuple(patch.shape)}. A DINOv2 "
            f"ViT/14 has (a multiple of {_HEAD_DIM}, 3, {PATCH}, {PATCH})."
        )
    return dim


def _ratio(tensors: Mapping[str, Tensor], dim: int) -> int:
    return len(tensors["encoder.layer.0.mlp.fc1.weight"]) // dim


def _positions(positions: Tensor, name: str) -> Tensor:
    """Bring position embeddings to the 16 x 16 patches of 224 pixels, as DINOv2 does.

    ``interpolate_pos_encoding`` of DINOv2: bicubic, not antialiased, by the factor
    (16 + 0.1) / side. That factor also places the samples, so that a plain resize to
    16 x 16 gives other numbers.
    """
    count = positions.shape[1] - 1
    side = round(count**0.5)
    if positions.ndim != 3 or side * side != count or count < 1:
        raise WeightsError(
            f"'{name}' has position embeddings of {tuple(positions.shape)}. A class "
            "token and a square of patches are needed, such as (1, 1 + 37 x 37, dim)."
        )
    if side == GRID:
        return positions
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factor = (GRID + _OFFSET) / side
    sampled = interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
    patches = sampled.permute(0, 2, 3, 1).reshape(1, GRID * GRID, -1)
    return torch.cat([positions[:, :1], patches], dim=1)
