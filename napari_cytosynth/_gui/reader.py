"""Reader and sample data: smears as layers; an open CytoSynth takes them over."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from napari_cytosynth._gui.bridge import UNITS, Bridge
from napari_cytosynth.core.errors import CytoSynthError
from napari_cytosynth.core.smear import FALLBACK_MPP, SmearImage

SMEAR_KEY = "cytosynth_smear"
"""Metadata key of a layer that shows a smear: its uri."""

LayerData = tuple[Any, dict[str, Any], str]
Read = Callable[[Any], list[LayerData]]


def get_reader(path: str | Sequence[str]) -> Read | None:
    """Return a reader where one of ours can read all paths; else None."""
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    if not paths or not all(_can_read(str(p)) for p in paths):
        return None
    return read_smears


def read_smears(path: str | Sequence[str]) -> list[LayerData]:
    """Open smears lazily, as multiscale images in micrometres."""
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    return [layer_data(str(p)) for p in paths]


def sample_smear() -> list[LayerData]:
    """Open the painted sample smear."""
    from napari_cytosynth.workflows.sample import sample_smear_path

    return [layer_data(str(sample_smear_path()))]


def layer_data(uri: str) -> LayerData:
    """Return one smear as napari layer data."""
    from napari_cytosynth.ingest import open_smear

    image: SmearImage = open_smear(uri)
    bridge = Bridge(image.smear.mpp or FALLBACK_MPP)
    options = {
        "name": os.path.basename(uri.rstrip("/\\")),
        "scale": bridge.scale,
        "units": UNITS,
        "rgb": True,
        "multiscale": True,
        "metadata": {SMEAR_KEY: image.smear.uri},
    }
    return list(image.levels), options, "image"


def _can_read(uri: str) -> bool:
    from napari_cytosynth.core import registry

    for name in registry.names("readers"):
        try:
            if registry.load("readers", name)().can_read(uri):
                return True
        except CytoSynthError:
            continue
    return False
