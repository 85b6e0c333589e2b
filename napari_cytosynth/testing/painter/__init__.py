"""The smear painter: Giemsa-like marrow fields with known cells, drawn from numbers.

Everything is painted; no pixel comes from a picture of a person's cells.
"""

from __future__ import annotations

from napari_cytosynth.testing.painter.field import paint_field
from napari_cytosynth.testing.painter.smear import paint_smear
from napari_cytosynth.testing.painter.spec import (
    FieldSpec,
    PaintedCell,
    PaintedField,
)

__all__ = ["FieldSpec", "PaintedCell", "PaintedField", "paint_field", "paint_smear"]
