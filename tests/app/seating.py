"""Readers at painted pictures that lie in files, as a user's do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest import open_smear
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.desk import Desk
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.painter import FieldSpec, paint_field


def painted_file(path: Path, seed: int = 0, **spec: int) -> str:
    """Write a field of a few cells that says 0.25 um a pixel; return its path."""
    asked = {"width": 480, "height": 400, "cells": 7, **spec}
    field = paint_field(FieldSpec(**asked, clumping=0.0), np.random.default_rng(seed))
    Image.fromarray(field.pixels).save(path, dpi=(101_600, 101_600))
    return str(path)


def sit_down(project: Any = None, runner: Any = None) -> Desk:
    """Seat a reader who opens pictures from their files."""
    project = project or MemoryProject(built_in("marrow21"))
    desk = Desk.over(project, FakeCompute(), runner=runner, opener=open_smear)
    desk.session.start()
    return desk
