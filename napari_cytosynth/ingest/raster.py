"""Reads PNG, JPEG, BMP and WebP pictures, decoded when opened."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.ingest.image import LevelPlan, PyramidImage, array_level, decoding
from napari_cytosynth.ingest.pixels import plan_conversion
from napari_cytosynth.ingest.record import first_bytes, smear_of

_PNG = b"\x89PNG\r\n\x1a\n"
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_ORIENTATION = 0x0112


class RasterReader:
    """Opens pictures that are decoded as a whole."""

    def can_read(self, uri: str) -> bool:
        """Tell by the first bytes."""
        head = first_bytes(uri, 16)
        if head[:4] == b"RIFF":
            return head[8:12] == b"WEBP"
        return head.startswith((_PNG, b"\xff\xd8\xff", b"BM"))

    def open(self, uri: str) -> PyramidImage:
        """Open and decode a picture.

        Raises
        ------
        InputError
            If it is damaged, truncated, or larger than Pillow's limit on decompression.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            pixels, notes = _decode(uri)
        conversion, more = plan_conversion(uri, pixels)
        rgb = conversion(pixels)
        smear = smear_of(uri, width=rgb.shape[1], height=rgb.shape[0])
        return PyramidImage(smear, [LevelPlan(array_level(rgb), 1.0)], notes + more)


def _decode(uri: str) -> tuple[npt.NDArray[np.generic], list[str]]:
    try:
        with Image.open(uri, formats=_FORMATS) as picture:
            if _is_deep_png(uri):
                return _decode_deep(uri), []
            notes = _oddities(picture)
            mode = _mode_of(picture)
            with decoding(uri):
                pixels = np.asarray(picture.convert(mode))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(
            f"'{uri}' is too large for its format{_declared(error)}. Pictures of it "
            f"are decoded whole, so up to {Image.MAX_IMAGE_PIXELS:,} pixels are read; "
            "save it as a tiled TIFF or OME-Zarr."
        ) from error
    except (UnidentifiedImageError, SyntaxError) as error:
        raise InputError(
            f"'{uri}' is not a picture that can be read: {error}. It is damaged or "
            "truncated; copy it again from its source."
        ) from error
    return _with_channels(pixels), notes


def _declared(error: Exception) -> str:
    """Return the number of pixels that Pillow complains of."""
    found = re.search(r"\((\d+) pixels\)", str(error))
    return f": {int(found[1]):,} pixels" if found else ""


def _mode_of(picture: Image.Image) -> str:
    transparent = "A" in picture.mode or "transparency" in picture.info
    if picture.mode in ("1", "L", "LA"):
        return "LA" if transparent else "L"
    return "RGBA" if transparent else "RGB"


def _oddities(picture: Image.Image) -> list[str]:
    notes = []
    if picture.mode in ("P", "CMYK", "YCbCr", "PA"):
        notes.append(f"{picture.mode} colours converted to RGB")
    with decoding(str(getattr(picture, "filename", ""))):
        turned = picture.getexif().get(_ORIENTATION, 1) != 1
    if turned:
        notes.append("EXIF orientation ignored: coordinates follow the stored pixels")
    return notes


def _is_deep_png(uri: str) -> bool:
    head = first_bytes(uri, 25)
    return head.startswith(_PNG) and len(head) == 25 and head[24] == 16


def _decode_deep(uri: str) -> npt.NDArray[np.generic]:
    """Pillow would cut 16-bit colour to its high byte; this decoder keeps all bits."""
    with decoding(uri):
        return _with_channels(imagecodecs.png_decode(Path(uri).read_bytes()))


def _with_channels(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return pixels[..., None] if pixels.ndim == 2 else pixels
