"""Embedders: crops to vectors. Only ``_torch`` needs torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_cytosynth.features.morphology import MorphologyEmbedder

__all__ = ["MorphologyEmbedder"]


def __getattr__(name: str) -> object:
    # scikit-image loads when an embedder is asked for, not when the room is.
    if name in __all__:
        module = import_module("napari_cytosynth.features.morphology")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
