"""Turns an evaluation into what the class dock and the *Evidence* tab show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_cytosynth.app.panels import Curve, Figure


def class_figures(evidence: Any) -> Mapping[str, tuple[Figure, Figure]]:
    """Return (precision, recall) of each class that the audit cells tell of."""
    return {}


def caveats(evidence: Any) -> tuple[str, ...]:
    """Return what limits the answer."""
    return ()


def curves(evidence: Any) -> tuple[Curve, ...]:
    """Return the plots."""
    return ()


def verdict(evidence: Any) -> str:
    """Say whether synthesis helped."""
    return "Not evaluated yet." if evidence is None else ""
