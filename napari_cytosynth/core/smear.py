"""A smear: what it is, where it lies, and how its pixels are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.ids import SmearId

RED_CELL_UM = 7.5
"""Diameter of a normal red cell on a dried smear, micrometres."""

PLAUSIBLE_MPP = (0.02, 5.0)
"""Micrometres a pixel that a microscope's picture can have; 72 dpi is 353."""

FALLBACK_MPP = 0.25
"""Micrometres a pixel that are assumed when nothing in the picture tells."""


NO_COLOUR = (
    "no colour in it: nuclei are told by darkness alone, and most of the cells found "
    "are wrong (at best one box in three is right); add its cells by double click, "
    "import boxes, or scan in colour"
)
"""The note of a picture whose red, green and blue are the same: a warning."""


class MppSource(StrEnum):
    """Where the pixel size of a smear comes from, most trusted first."""

    USER = "user"
    METADATA = "metadata"
    RED_CELLS = "red cells"
    NUCLEI = "nuclei"
    FALLBACK = "fallback"


class Trust(StrEnum):
    """How far a pixel size can be relied on."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_HIGH, _MEDIUM = 0.4, 0.2
"""Confidences from which the trust is high or medium; measured, see docs/bench.md."""


@dataclass(frozen=True, slots=True)
class Smear:
    """The record of one smear. The picture itself is never written to.

    Parameters
    ----------
    uri : str
        Absolute path or URL of the picture.
    width, height : int
        Level-0 size in pixels, >= 1.
    mpp : float or None
        Micrometres a pixel as the file states it; None where it does not.
    group : str
        Patient or slide; where neither is known, the picture. Splits go by it.
    fingerprint : str
        Content hash by which a moved file is found again.
    stain : str
        Free text such as "May-Gruenwald-Giemsa"; empty where unknown.
    id : SmearId
        Number in the project; 0 before it was added.
    """

    uri: str
    width: int
    height: int
    mpp: float | None
    group: str
    fingerprint: str
    stain: str = ""
    id: SmearId = field(default=SmearId(0))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is measured once a smear, so that any tiling finds the same cells.

    Parameters
    ----------
    mpp : float
        Micrometres a level-0 pixel, > 0.
    mpp_source : MppSource
        Where ``mpp`` comes from.
    background : tuple of 3 floats
        RGB of the empty glass, 0..255.
    stain_vectors : tuple of 2 tuples of 3 floats
        Unit optical-density vectors: nuclear dye, then red cells and cytoplasm.
    thresholds : mapping of str to float
        The detector's own thresholds, by name.
    confidence : float
        Trust in ``mpp``, 0..1.
    seen : int
        Red cells or nuclei that ``mpp`` was read off; 0 where it comes from elsewhere.
    told : float
        What the cells themselves tell, where that contradicts an ``mpp`` that a person
        or the file states; 0: it does not, or nothing tells.
    """

    mpp: float
    mpp_source: MppSource
    background: tuple[float, float, float]
    stain_vectors: tuple[tuple[float, float, float], tuple[float, float, float]]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.0
    seen: int = 0
    told: float = 0.0

    @property
    def trust(self) -> Trust:
        """How far ``mpp`` can be relied on; a person is believed, a file is not."""
        if self.told and self.mpp_source is MppSource.METADATA:
            return Trust.LOW
        if self.confidence >= _HIGH:
            return Trust.HIGH
        return Trust.MEDIUM if self.confidence >= _MEDIUM else Trust.LOW

    @property
    def words(self) -> str:
        """For a person: ``"0.21 um/px, from 31 red cells, confidence high"``."""
        said = f"{self.mpp:.3g} um/px, {_origin(self)}"
        if self.mpp_source in (MppSource.USER, MppSource.METADATA):
            if self.told:
                said += f", though the cells in it tell {self.told:.3g}; {_CHECK}"
            return said
        said += f", confidence {self.trust}"
        return f"{said}; {_CHECK}" if self.trust is Trust.LOW else said

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            "mpp": self.mpp,
            "mpp_source": str(self.mpp_source),
            "background": list(self.background),
            "stain_vectors": [list(v) for v in self.stain_vectors],
            "thresholds": dict(self.thresholds),
            "confidence": self.confidence,
            "seen": self.seen,
            "told": self.told,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Build a calibration from what :meth:`to_json` wrote."""
        red, green, blue = value["background"]
        first, second = (tuple(v) for v in value["stain_vectors"])
        return cls(
            mpp=float(value["mpp"]),
            mpp_source=MppSource(value["mpp_source"]),
            background=(red, green, blue),
            stain_vectors=(first, second),
            thresholds=dict(value["thresholds"]),
            confidence=float(value["confidence"]),
            seen=int(value.get("seen", 0)),
            told=float(value.get("told", 0.0)),
        )


_CHECK = "check it with the scale bar: a red cell is 7 to 8 um wide"


def _origin(calibration: Calibration) -> str:
    """Say where a pixel size comes from."""
    source, seen = calibration.mpp_source, calibration.seen
    if source is MppSource.USER:
        return "as you gave it"
    if source is MppSource.METADATA:
        return "as the file says"
    if source is MppSource.FALLBACK:
        return "assumed: neither red cells nor nuclei tell"
    # Calibrations of older projects do not know how many.
    count = f"{seen} " if seen else ""
    if source is MppSource.RED_CELLS:
        return "from 1 red cell" if seen == 1 else f"from {count}red cells"
    nuclei = "1 nucleus" if seen == 1 else f"{count}nuclei"
    return f"no whole red cell: from {nuclei}"


@runtime_checkable
class SmearImage(Protocol):
    """An open, lazy, multiscale picture of a smear."""

    @property
    def smear(self) -> Smear:
        """The record of this picture."""
        ...

    @property
    def levels(self) -> Sequence[Any]:
        """Lazy arrays uint8[y, x, 3], finest first; sliceable, with shape and dtype."""
        ...

    @property
    def downsamples(self) -> Sequence[float]:
        """Level-0 pixels a pixel of each level; the first is 1.0."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Conversions that were made ("16-bit scaled to 8-bit"), for the log."""
        ...

    def read(
        self, x: int, y: int, width: int, height: int, level: int = 0
    ) -> npt.NDArray[np.uint8]:
        """Return uint8[height, width, 3]; (x, y) in that level's pixels.

        What lies outside the picture is filled with white.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...
