"""Embedders: crops to vectors. Only ``_torch`` needs torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_cytosynth.features.morphology import MorphologyEmbedder
    from napari_cytosynth.features.starter import StarterEmbedder

__all__ = ["MorphologyEmbedder", "StarterEmbedder"]

_HOMES = {"MorphologyEmbedder": "morphology", "StarterEmbedder": "starter"}


def __getattr__(name: str) -> object:
    # scikit-image loads when an embedder is asked for, not when the room is.
    if name in _HOMES:
        module = import_module(f"napari_cytosynth.features.{_HOMES[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
