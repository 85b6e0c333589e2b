"""How each class of marrow cell looks under May-Gruenwald-Giemsa, in numbers.

Sizes and proportions follow the ranges that ICSH and common atlases give for adult marrow;
colours are natural-log optical densities of red, green and blue, read off published fields.
They are drawings for tests and demonstrations: plausible, and never evidence about cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Dye: TypeAlias = tuple[float, float, float]
"""Optical density of red, green and blue at full strength."""

PURPLE: Dye = (1.08, 1.72, 0.62)
"""Condensed chromatin."""
PLUM: Dye = (0.80, 1.50, 0.50)
"""Open chromatin of young cells, redder."""
NAVY: Dye = (1.50, 1.75, 0.78)
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
HAEM: Dye = (0.20, 0.35, 0.26)
"""Haemoglobin."""
POLY: Dye = (0.40, 0.44, 0.22)
"""Haemoglobin and RNA together."""
AZURE: Dye = (0.42, 0.95, 0.30)
"""Azurophil granules."""
ORANGE: Dye = (0.10, 0.62, 0.66)
"""Eosinophil granules."""
INK: Dye = (1.00, 1.60, 0.62)
"""Basophil granules."""


@dataclass(frozen=True, slots=True)
class Granules:
    """One kind of granule.

    Parameters
    ----------
    dye : Dye
        Colour.
    density : float
        Granules a square micrometre of cytoplasm.
    radius : float
        Micrometres.
    over_nucleus : float
        Share of that density on top of the nucleus.
    refractile : bool
        True where the centre shines.
    """

    dye: Dye
    density: float
    radius: float
    over_nucleus: float = 0.0
    refractile: bool = False


@dataclass(frozen=True, slots=True)
class Nucleus:
    """Shape and texture of a nucleus.

    Parameters
    ----------
    kind : str
        ``"round"``, or ``"arc"``: a bent sausage, pinched into ``lobes``.
    size : (float, float)
        Diameter as a share of the cell's, drawn between the two; for an arc, the
        sausage's thickness.
    dye : Dye
        Colour at full strength.
    density : float
        Multiplies ``dye``.
    clump_um, contrast : float
        Size of the chromatin pattern and its depth.
    eccentric : float
        0 central, 1 touching the membrane.
    span : (float, float)
        Bend of an arc in degrees.
    lobes : (int, int)
        Fewest and most; 1 leaves the sausage unpinched.
    pinch : float
        Thickness between lobes, as a share.
    nucleoli : (int, int)
        Fewest and most.
    spokes : bool
        Cartwheel chromatin.
    """

    kind: str
    size: tuple[float, float]
    dye: Dye = PURPLE
    density: float = 1.0
    clump_um: float = 1.4
    contrast: float = 0.16
    eccentric: float = 0.2
    span: tuple[float, float] = (0.0, 0.0)
    lobes: tuple[int, int] = (1, 1)
    pinch: float = 0.3
    nucleoli: tuple[int, int] = (0, 0)
    spokes: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """One class, or one stage of it.

    Parameters
    ----------
    diameter : (float, float)
        Mean and standard deviation, micrometres.
    nucleus : Nucleus
        Its nucleus.
    dye : Dye
        Cytoplasm.
    granules : tuple of Granules
        Painted in order.
    oval : float
        Longest over shortest diameter, on average.
    ragged : float
        Unevenness of the outline, micrometres.
    rim : float
        Extra depth of colour at the membrane.
    hof : float
        0..1, pallor of the Golgi zone beside the nucleus.
    vacuoles : (int, int)
        Fewest and most.
    mottle : float
        Unevenness of the cytoplasm.
    """

    diameter: tuple[float, float]
    nucleus: Nucleus
    dye: Dye
    granules: tuple[Granules, ...] = field(default=())
    oval: float = 1.08
    ragged: float = 0.25
    rim: float = 0.1
    hof: float = 0.0
    vacuoles: tuple[int, int] = (0, 0)
    mottle: float = 0.12


_FINE_PINK = Granules((0.20, 0.42, 0.14), 1.6, 0.28)
_AZURE_FEW = Granules(AZURE, 0.5, 0.30, 0.1)
_AZURE_MANY = Granules(AZURE, 1.5, 0.34, 0.45)

LOOKS: Mapping[str, tuple[Look, ...]] = {
    "blast": (
        Look(
            (14.0, 1.4),
            Nucleus(
                "round", (0.80, 0.88), PLUM, 0.95, 0.9, 0.10, 0.25, nucleoli=(1, 4)
            ),
            ROYAL,
            oval=1.12,
            rim=0.2,
            mottle=0.16,
        ),
    ),
    "promyelocyte": (
        Look(
            (17.5, 1.5),
            Nucleus("round", (0.62, 0.72), PLUM, 1.0, 1.1, 0.12, 0.7, nucleoli=(1, 2)),
            (0.62, 0.56, 0.19),
            (_AZURE_MANY,),
            oval=1.14,
            hof=0.55,
        ),
    ),
    "myelocyte": (
        Look(
            (15.5, 1.3),
            Nucleus("round", (0.56, 0.66), PURPLE, 0.92, 1.3, 0.17, 0.75),
            (0.32, 0.38, 0.13),
            (_FINE_PINK, _AZURE_FEW),
            oval=1.12,
            hof=0.3,
        ),
    ),
    "metamyelocyte": (
        Look(
            (14.5, 1.1),
            Nucleus("arc", (0.34, 0.40), PURPLE, 0.96, 1.4, 0.19, 0.45, span=(90, 140)),
            LILAC,
            (_FINE_PINK,),
        ),
    ),
    "neutrophil.band": (
        Look(
            (13.2, 1.0),
            Nucleus(
                "arc", (0.21, 0.25), PURPLE, 1.05, 1.3, 0.18, 0.25, span=(190, 290)
            ),
            ROSE,
            (_FINE_PINK,),
        ),
    ),
    "neutrophil.segmented": (
        Look(
            (13.0, 1.0),
            Nucleus(
                "arc",
                (0.25, 0.30),
                PURPLE,
                1.15,
                1.3,
                0.18,
                0.2,
                span=(200, 330),
                lobes=(2, 5),
                pinch=0.16,
            ),
            ROSE,
            (_FINE_PINK,),
        ),
    ),
    "eosinophil": (
        Look(
            (14.5, 1.0),
            Nucleus(
                "arc",
                (0.31, 0.36),
                PURPLE,
                1.0,
                1.3,
                0.18,
                0.45,
                span=(130, 190),
                lobes=(2, 3),
                pinch=0.25,
            ),
            (0.14, 0.36, 0.30),
            (Granules(ORANGE, 2.4, 0.44, 0.05, refractile=True),),
        ),
    ),
    "basophil": (
        Look(
            (12.5, 0.9),
            Nucleus(
                "arc",
                (0.34, 0.42),
                PURPLE,
                0.78,
                1.6,
                0.12,
                0.15,
                span=(130, 240),
                lobes=(2, 3),
                pinch=0.6,
            ),
            (0.30, 0.42, 0.16),
            (Granules(INK, 1.0, 0.50, 0.75), Granules(AZURE, 0.8, 0.32, 0.3)),
            ragged=0.35,
        ),
    ),
    "monocyte": (
        Look(
            (17.5, 1.6),
            Nucleus(
                "arc",
                (0.34, 0.42),
                PLUM,
                1.0,
                1.5,
                0.17,
                0.3,
                span=(80, 230),
                pinch=0.7,
            ),
            SLATE,
            (Granules(AZURE, 1.4, 0.20, 0.1),),
            oval=1.16,
            ragged=0.55,
            vacuoles=(0, 5),
            mottle=0.2,
        ),
    ),
    "lymphocyte": (
        Look(
            (9.6, 0.9),
            Nucleus("round", (0.80, 0.90), NAVY, 0.86, 1.7, 0.14, 0.5),
            SKY,
            oval=1.08,
            rim=0.25,
        ),
        Look(
            (12.0, 1.0),
            Nucleus("round", (0.66, 0.76), PURPLE, 1.0, 1.7, 0.14, 0.7),
            (0.40, 0.32, 0.09),
            (Granules(AZURE, 0.06, 0.35),),
            oval=1.14,
            ragged=0.4,
            rim=0.2,
        ),
    ),
    "plasma cell": (
        Look(
            (14.5, 1.5),
            Nucleus("round", (0.46, 0.53), PURPLE, 1.12, 1.6, 0.24, 0.95, spokes=True),
            (0.92, 0.80, 0.25),
            oval=1.38,
            ragged=0.4,
            rim=0.2,
            hof=0.85,
            vacuoles=(0, 2),
            mottle=0.16,
        ),
    ),
    "proerythroblast": (
        Look(
            (18.0, 1.4),
            Nucleus("round", (0.74, 0.80), PLUM, 1.05, 0.8, 0.13, 0.2, nucleoli=(1, 2)),
            (1.15, 0.92, 0.28),
            oval=1.1,
            ragged=0.4,
            rim=0.25,
            mottle=0.18,
        ),
    ),
    "erythroblast": (
        Look(
            (13.0, 1.0),
            Nucleus("round", (0.66, 0.73), PURPLE, 1.1, 1.3, 0.22, 0.15),
            (0.88, 0.74, 0.25),
            ragged=0.3,
        ),
        Look(
            (11.0, 0.9),
            Nucleus("round", (0.55, 0.64), NAVY, 1.0, 1.5, 0.22, 0.25),
            POLY,
        ),
        Look(
            (9.2, 0.7),
            Nucleus("round", (0.45, 0.55), NAVY, 1.15, 1.5, 0.06, 0.4),
            (0.26, 0.36, 0.24),
        ),
    ),
}
"""Looks of each class, by concept; one of them is drawn for each cell."""

SMUDGE, ARTEFACT = "smudge", "artefact"
"""The two classes that :mod:`debris` paints."""

PROPORTIONS: Mapping[str, float] = {
    "blast": 0.018,
    "promyelocyte": 0.038,
    "myelocyte": 0.105,
    "metamyelocyte": 0.105,
    "neutrophil.band": 0.120,
    "neutrophil.segmented": 0.185,
    "eosinophil": 0.032,
    "basophil": 0.007,
    "monocyte": 0.030,
    "lymphocyte": 0.110,
    "plasma cell": 0.014,
    "proerythroblast": 0.012,
    "erythroblast": 0.190,
    SMUDGE: 0.024,
    ARTEFACT: 0.010,
}
"""Share of each class among the marked objects of a field; sums to 1."""
