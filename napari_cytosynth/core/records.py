"""What passes through a format: pictures, objects and their classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DATASETS = ("imagefolder", "croissant")
"""Names of a data set of cells, as formats of an export; one folder is both."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One picture of an annotation file.

    Parameters
    ----------
    file_name : str
        Relative, POSIX.
    width, height : int
        Pixels.
    mpp : float or None
        Micrometres a pixel.
    mpp_source : str
        Where ``mpp`` comes from; empty where unknown.
    """

    file_name: str
    width: int
    height: int
    mpp: float | None = None
    mpp_source: str = ""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One object of an annotation file, in the project's coordinates.

    Parameters
    ----------
    image : str
        ``file_name`` of its picture.
    box : tuple of 4 floats
        x, y, width, height; level-0 pixels, corner-based.
    label : str
        Class code or name; empty where it has none.
    score : float or None
        Detector confidence.
    outline : tuple of (x, y)
        Polygon; empty where it has none.
    edge : bool
        True where the picture's border cuts it.
    synthetic : bool
        True for a synthetic cell; default exports hold none.
    attributes : mapping of str to str
        Whatever else the format carries.
    """

    image: str
    box: tuple[float, float, float, float]
    label: str = ""
    score: float | None = None
    outline: tuple[tuple[float, float], ...] = ()
    edge: bool = False
    synthetic: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Records:
    """What an annotation file says.

    Parameters
    ----------
    images : tuple of ImageRecord
        Pictures, those without objects too.
    objects : tuple of ObjectRecord
        Objects, in the order of the file.
    classes : tuple of str
        Class names in order.
    notes : tuple of str
        What was left out on reading, and why; shown to the user.
    """

    images: tuple[ImageRecord, ...]
    objects: tuple[ObjectRecord, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
