"""Pictures of synthetic cells: files that themselves say what they are, and how made.

PNG carries the text chunks ``Title`` and ``Provenance``, TIFF the tags
``DocumentName``, ``Software`` and ``ImageDescription``. Provenance is JSON in either.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import napari_cytosynth
from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.provenance import SyntheticCell

TITLE = "Synthetic cell: not a real one"
PICTURES = ("png", "tiff")
"""Kinds of pictures, by the end of their names."""

_HEAD = 1024  # bytes of a file within which its title stands
_DOCUMENT_NAME = 269
_PIXELS_A_CM = CROP_PIXELS / CROP_UM * 10_000


def painted(cell: SyntheticCell, origin: Mapping[str, Any], kind: str) -> bytes:
    """Return a picture file of a synthetic cell.

    Parameters
    ----------
    cell : SyntheticCell
        Its pixels are kept as they are.
    origin : mapping
        JSON-able provenance.
    kind : str
        One of :data:`PICTURES`.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    if kind not in PICTURES:
        raise InputError(
            f"Synthetic cells cannot be written as '{kind}'. Choose one of "
            f"{', '.join(PICTURES)}: they carry the provenance in themselves."
        )
    return _png(cell, origin) if kind == "png" else _tiff(cell, origin)


def is_painted(picture: Path) -> bool:
    """Tell whether a file is a picture that :func:`painted` made.

    False for what is no readable file.
    """
    try:
        with picture.open("rb") as file:
            return TITLE.encode() in file.read(_HEAD)
    except OSError:
        return False


def _png(cell: SyntheticCell, origin: Mapping[str, Any]) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Title", TITLE)
    info.add_itxt("Provenance", json.dumps(origin, ensure_ascii=False))
    data = io.BytesIO()
    Image.fromarray(cell.pixels).save(data, "PNG", pnginfo=info)
    return data.getvalue()


def _tiff(cell: SyntheticCell, origin: Mapping[str, Any]) -> bytes:
    from tifffile import imwrite

    data = io.BytesIO()
    imwrite(
        data,
        cell.pixels,
        photometric="rgb",
        description=json.dumps(origin),
        metadata=None,
        software=f"napari-cytosynth {napari_cytosynth.__version__}",
        resolution=(_PIXELS_A_CM, _PIXELS_A_CM),
        resolutionunit="CENTIMETER",
        extratags=[(_DOCUMENT_NAME, "s", 0, TITLE, True)],
    )
    return data.getvalue()
