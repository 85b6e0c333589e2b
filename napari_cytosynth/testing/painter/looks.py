"""How each class of marrow cell looks under May-Gruenwald-Giemsa, in numbers.

Sizes and proportions follow the ranges that ICSH and common atlases give for adult
marrow; colours are natural-log optical densities of red, green and blue, chosen by eye
to resemble published fields. These are drawings for tests and demonstrations:
plausible, and never evidence about cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_cytosynth.testing.painter.dyes import (
    AZURE,
    INK,
    LILAC,
    NAVY,
    ORANGE,
    PLUM,
    POLY,
    PURPLE,
    ROSE,
    ROYAL,
    SKY,
    SLATE,
    Dye,
)


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
    ragged: float = 0.13
    rim: float = 0.1
    hof: float = 0.0
    vacuoles: tuple[int, int] = (0, 0)
    mottle: float = 0.12


_FINE_PINK = Granules((0.12, 0.22, 0.08), 2.0, 0.26)
_AZURE_FEW = Granules((0.34, 0.70, 0.24), 0.35, 0.26, over_nucleus=0.1)
_AZURE_MANY = Granules(AZURE, 1.5, 0.26, over_nucleus=0.45)

_BLAST = Look(
    diameter=(14.0, 1.4),
    nucleus=Nucleus(
        "round",
        (0.80, 0.88),
        PLUM,
        density=0.95,
        clump_um=1.1,
        contrast=0.15,
        eccentric=0.25,
        nucleoli=(1, 4),
    ),
    dye=ROYAL,
    oval=1.12,
    rim=0.2,
    mottle=0.16,
)
_PROMYELOCYTE = Look(
    diameter=(17.5, 1.5),
    nucleus=Nucleus(
        "round",
        (0.62, 0.72),
        PLUM,
        clump_um=1.2,
        contrast=0.18,
        eccentric=0.7,
        nucleoli=(1, 2),
    ),
    dye=(0.62, 0.56, 0.19),
    granules=(_AZURE_MANY,),
    oval=1.14,
    hof=0.55,
)
_MYELOCYTE = Look(
    diameter=(15.5, 1.3),
    nucleus=Nucleus("round", (0.56, 0.66), density=0.92, contrast=0.24, eccentric=0.75),
    dye=(0.32, 0.38, 0.13),
    granules=(_FINE_PINK, _AZURE_FEW),
    oval=1.12,
    hof=0.3,
)
_METAMYELOCYTE = Look(
    diameter=(14.5, 1.1),
    nucleus=Nucleus(
        "arc",
        (0.36, 0.43),
        density=0.96,
        contrast=0.26,
        eccentric=0.45,
        span=(105, 160),
    ),
    dye=LILAC,
    granules=(_FINE_PINK,),
)
_BAND = Look(
    diameter=(13.2, 1.0),
    nucleus=Nucleus(
        "arc",
        (0.21, 0.25),
        density=1.05,
        contrast=0.26,
        eccentric=0.25,
        span=(190, 290),
    ),
    dye=ROSE,
    granules=(_FINE_PINK,),
)
_SEGMENTED = Look(
    diameter=(13.0, 1.0),
    nucleus=Nucleus(
        "arc",
        (0.26, 0.31),
        density=1.12,
        contrast=0.26,
        span=(190, 330),
        lobes=(2, 5),
        pinch=0.10,
    ),
    dye=ROSE,
    granules=(_FINE_PINK,),
)
_EOSINOPHIL = Look(
    diameter=(14.5, 1.0),
    nucleus=Nucleus(
        "arc",
        (0.27, 0.32),
        contrast=0.24,
        eccentric=0.45,
        span=(140, 200),
        lobes=(2, 3),
        pinch=0.18,
    ),
    dye=(0.13, 0.32, 0.24),
    granules=(Granules(ORANGE, 3.0, 0.42, over_nucleus=0.12, refractile=True),),
)
_BASOPHIL = Look(
    diameter=(12.5, 0.9),
    nucleus=Nucleus(
        "arc",
        (0.34, 0.42),
        density=0.78,
        clump_um=1.6,
        eccentric=0.15,
        span=(130, 240),
        lobes=(2, 3),
        pinch=0.6,
    ),
    dye=(0.30, 0.42, 0.16),
    granules=(
        Granules(INK, 0.75, 0.46, over_nucleus=0.6),
        Granules(AZURE, 0.8, 0.32, over_nucleus=0.3),
    ),
    ragged=0.2,
)
_MONOCYTE = Look(
    diameter=(17.0, 1.5),
    nucleus=Nucleus(
        "arc",
        (0.36, 0.44),
        PLUM,
        clump_um=1.5,
        contrast=0.24,
        eccentric=0.3,
        span=(80, 230),
    ),
    dye=SLATE,
    granules=(Granules((0.30, 0.55, 0.20), 0.9, 0.20, over_nucleus=0.1),),
    oval=1.16,
    ragged=0.32,
    vacuoles=(0, 5),
    mottle=0.2,
)
_SMALL_LYMPHOCYTE = Look(
    diameter=(9.6, 0.9),
    nucleus=Nucleus(
        "round",
        (0.80, 0.90),
        NAVY,
        density=0.84,
        clump_um=1.8,
        contrast=0.22,
        eccentric=0.5,
    ),
    dye=SKY,
    rim=0.25,
)
_LARGE_LYMPHOCYTE = Look(
    diameter=(12.0, 1.0),
    nucleus=Nucleus("round", (0.66, 0.76), clump_um=1.8, contrast=0.2, eccentric=0.7),
    dye=(0.40, 0.32, 0.09),
    granules=(Granules(AZURE, 0.06, 0.35),),
    oval=1.14,
    ragged=0.22,
    rim=0.2,
)
_PLASMA_CELL = Look(
    diameter=(14.5, 1.5),
    nucleus=Nucleus(
        "round",
        (0.46, 0.53),
        density=1.1,
        clump_um=1.6,
        contrast=0.26,
        eccentric=0.95,
        spokes=True,
    ),
    dye=(0.92, 0.80, 0.25),
    oval=1.38,
    ragged=0.25,
    rim=0.2,
    hof=0.8,
    vacuoles=(0, 2),
    mottle=0.18,
)
_PROERYTHROBLAST = Look(
    diameter=(18.0, 1.3),
    nucleus=Nucleus(
        "round",
        (0.74, 0.80),
        PLUM,
        density=1.05,
        clump_um=1.0,
        contrast=0.18,
        nucleoli=(1, 2),
    ),
    dye=(1.10, 0.88, 0.28),
    oval=1.1,
    ragged=0.22,
    rim=0.25,
    mottle=0.2,
)
_ERYTHROBLASTS = (
    Look(
        diameter=(13.0, 1.0),
        nucleus=Nucleus("round", (0.66, 0.73), density=1.08, contrast=0.3),
        dye=(0.84, 0.70, 0.25),
        ragged=0.16,
        mottle=0.16,
    ),
    Look(
        diameter=(11.0, 0.9),
        nucleus=Nucleus(
            "round", (0.55, 0.64), NAVY, clump_um=1.6, contrast=0.3, eccentric=0.25
        ),
        dye=POLY,
    ),
    Look(
        diameter=(9.2, 0.7),
        nucleus=Nucleus(
            "round", (0.45, 0.55), NAVY, density=1.15, contrast=0.08, eccentric=0.45
        ),
        dye=(0.26, 0.36, 0.24),
    ),
)

LOOKS: Mapping[str, tuple[Look, ...]] = {
    "blast": (_BLAST,),
    "promyelocyte": (_PROMYELOCYTE,),
    "myelocyte": (_MYELOCYTE,),
    "metamyelocyte": (_METAMYELOCYTE,),
    "neutrophil.band": (_BAND,),
    "neutrophil.segmented": (_SEGMENTED,),
    "eosinophil": (_EOSINOPHIL,),
    "basophil": (_BASOPHIL,),
    "monocyte": (_MONOCYTE,),
    "lymphocyte": (_SMALL_LYMPHOCYTE, _LARGE_LYMPHOCYTE),
    "plasma cell": (_PLASMA_CELL,),
    "proerythroblast": (_PROERYTHROBLAST,),
    "erythroblast": _ERYTHROBLASTS,
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
