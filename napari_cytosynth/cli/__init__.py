"""The ``cytosynth`` command: one file a verb."""

from __future__ import annotations

from napari_cytosynth.cli.main import main

__all__ = ["main"]
