"""Colours of May-Gruenwald-Giemsa as optical densities; see :mod:`looks`."""

from __future__ import annotations

from typing import TypeAlias

Dye: TypeAlias = tuple[float, float, float]
"""Optical density of red, green and blue at full strength."""

PURPLE: Dye = (1.02, 1.68, 0.52)
"""Condensed chromatin."""
PLUM: Dye = (0.82, 1.50, 0.43)
"""Open chromatin of young cells, redder."""
NAVY: Dye = (1.40, 1.72, 0.62)
"""Ink-spot chromatin of the last erythroblasts and of lymphocytes."""
ROYAL: Dye = (0.95, 0.78, 0.25)
"""Cytoplasm full of RNA."""
SKY: Dye = (0.50, 0.40, 0.11)
"""Pale blue cytoplasm."""
SLATE: Dye = (0.42, 0.40, 0.19)
"""Grey-blue, ground-glass cytoplasm of monocytes."""
LILAC: Dye = (0.22, 0.33, 0.12)
"""Cytoplasm of maturing neutrophils."""
ROSE: Dye = (0.13, 0.26, 0.15)
"""Cytoplasm of mature neutrophils."""
HAEM: Dye = (0.15, 0.28, 0.20)
"""Haemoglobin."""
POLY: Dye = (0.36, 0.42, 0.22)
"""Haemoglobin and RNA together."""
AZURE: Dye = (0.42, 0.95, 0.30)
"""Azurophil granules."""
ORANGE: Dye = (0.05, 0.27, 0.27)
"""Eosinophil granules."""
INK: Dye = (1.00, 1.60, 0.62)
"""Basophil granules."""
