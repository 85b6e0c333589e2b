"""Smear readers, scale and stain calibration, cell detectors and crops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cytosynth.ingest.calibration import calibrate
    from napari_cytosynth.ingest.crops import cut_crops, is_wide
    from napari_cytosynth.ingest.identity import fingerprint
    from napari_cytosynth.ingest.opening import open_smear
    from napari_cytosynth.ingest.tiles import detect_cells

__all__ = [
    "calibrate",
    "cut_crops",
    "detect_cells",
    "fingerprint",
    "is_wide",
    "open_smear",
]

_HOMES = {
    "calibrate": "calibration",
    "cut_crops": "crops",
    "detect_cells": "tiles",
    "fingerprint": "identity",
    "is_wide": "crops",
    "open_smear": "opening",
}


def __getattr__(name: str) -> Any:
    """Import a function when it is asked for: scikit-image and Zarr take a second."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
