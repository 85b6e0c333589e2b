"""Reads TIFF and OME-TIFF, tile by tile, with the pyramid that the file holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import defusedxml.ElementTree
import numpy as np
import tifffile
import zarr
from tifffile import COMPRESSION, PHOTOMETRIC

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.ingest.image import PyramidImage, decoding
from napari_cytosynth.ingest.pixels import (
    Conversion,
    plan_conversion,
    rgb_of_cmyk,
    rgb_of_ycbcr,
)
from napari_cytosynth.ingest.planes import Plane, plan_level
from napari_cytosynth.ingest.record import first_bytes, plausible, smear_of
from napari_cytosynth.ingest.units import micrometres

MAX_UNTILED_PIXELS = 178_956_970
"""An untiled picture is decoded whole; Pillow's hard limit serves here too."""

_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_INCH_UM, _CM_UM = 25_400.0, 10_000.0
_ASSOCIATED_ALPHA = 1
_KNOWN_COLOURS = frozenset(
    (
        PHOTOMETRIC.MINISWHITE,
        PHOTOMETRIC.MINISBLACK,
        PHOTOMETRIC.RGB,
        PHOTOMETRIC.PALETTE,
        PHOTOMETRIC.MASK,
        PHOTOMETRIC.YCBCR,
        PHOTOMETRIC.SEPARATED,
    )
)
_STORED_AS_THEY_ARE = frozenset(
    (
        COMPRESSION.NONE,
        COMPRESSION.LZW,
        COMPRESSION.PACKBITS,
        COMPRESSION.ADOBE_DEFLATE,
        COMPRESSION.DEFLATE,
        COMPRESSION.LZMA,
        COMPRESSION.ZSTD,
    )
)
"""Compressions that know nothing of colours; others give RGB for YCbCr."""

_CMYK = 4
_Convert = Callable[[Any], Any]


class TiffReader:
    """Opens TIFF files: plain, ImageJ, OME and pyramidal."""

    def can_read(self, uri: str) -> bool:
        """Tell by the first bytes."""
        return first_bytes(uri, 4) in _MAGIC

    def open(self, uri: str) -> PyramidImage:
        """Open lazily.

        Raises
        ------
        InputError
            If the file is damaged, truncated, holds no picture, or an untiled one that
            is too large to decode at once.
        """
        with decoding(uri):
            tif = tifffile.TiffFile(uri)
        try:
            return _open(uri, tif)
        except BaseException:
            tif.close()
            raise


def _open(uri: str, tif: tifffile.TiffFile) -> PyramidImage:
    with decoding(uri):
        series = _first_picture(uri, tif)
        page = series.keyframe
        mpp, unread = _mpp(tif, page)
    _refuse_too_large(uri, page)
    to_rgb, changed = _colours(uri, page)
    planes = _planes(uri, series)
    with decoding(uri):
        sample = to_rgb(planes[-1].sample())
    convert: _Convert
    convert, notes = plan_conversion(
        uri,
        sample,
        inverted=page.photometric == PHOTOMETRIC.MINISWHITE,
        premultiplied=_ASSOCIATED_ALPHA in tuple(page.extrasamples),
    )
    if page.photometric == PHOTOMETRIC.PALETTE:
        convert, notes = _palette(uri, page)
    height, width = planes[0].shape
    plans = [
        plan_level(uri, plane, lambda pixels: convert(to_rgb(pixels)), (height, width))
        for plane in planes
    ]
    smear = smear_of(uri, width=width, height=height, mpp=mpp)
    if len(tif.series) > 1:
        notes = [f"first of {len(tif.series)} pictures in the file taken", *notes]
    notes = [*planes[0].notes, *unread, *changed, *notes]
    return PyramidImage(smear, plans, notes, tif.close)


def _first_picture(uri: str, tif: tifffile.TiffFile) -> Any:
    if not tif.series:
        raise InputError(
            f"'{uri}' is a TIFF file without a picture. Export it again with its "
            "pixels."
        )
    size = tif.filehandle.size
    for level in tif.series[0].levels:
        for page in level.pages:
            if page is None:
                continue
            ends = np.add(page.dataoffsets, page.databytecounts)
            if len(ends) and int(ends.max()) > size:
                raise InputError(
                    f"'{uri}' is truncated: it ends at byte {size}, and a tile ends at "
                    f"byte {int(ends.max())}. Copy it again from its source."
                )
    return tif.series[0]


def _refuse_too_large(uri: str, page: Any) -> None:
    pixels = int(page.imagewidth) * int(page.imagelength)
    chunk = int(np.prod(page.chunks[:2])) if page.chunks else pixels
    if chunk > MAX_UNTILED_PIXELS:
        raise InputError(
            f"'{uri}' declares {page.imagewidth} x {page.imagelength} pixels in pieces "
            f"of {chunk}. A piece is decoded whole, so it may have up to "
            f"{MAX_UNTILED_PIXELS} pixels; save it as a tiled TIFF or OME-Zarr."
        )


def _planes(uri: str, series: Any) -> list[Plane]:
    with decoding(uri):
        opened = [
            Plane.of(uri, zarr.open_array(series.aszarr(level=i), mode="r"), level.axes)
            for i, level in enumerate(series.levels)
        ]
    return [p for i, p in enumerate(opened) if i == 0 or p.shape < opened[i - 1].shape]


def _colours(uri: str, page: Any) -> tuple[_Convert, list[str]]:
    """Return what makes RGB, or gray, of the colours in which a page is stored.

    Raises
    ------
    InputError
        If they are of a kind that is not known here.
    """
    kind, shape = page.photometric, (page.dtype, page.samplesperpixel)
    # Aperio's own JPEG 2000 does not say in the codestream that it holds YCbCr.
    unconverted = page.compression == COMPRESSION.APERIO_JP2000_YCBC or (
        kind == PHOTOMETRIC.YCBCR and page.compression in _STORED_AS_THEY_ARE
    )
    if unconverted and shape == (np.uint8, 3):
        return rgb_of_ycbcr, ["YCbCr colours converted to RGB"]
    if kind == PHOTOMETRIC.SEPARATED and shape == (np.uint8, _CMYK):
        return rgb_of_cmyk, ["CMYK colours converted to RGB"]
    if unconverted or kind == PHOTOMETRIC.SEPARATED or kind not in _KNOWN_COLOURS:
        raise InputError(
            f"'{uri}' stores its colours as {_name(kind)}, {page.samplesperpixel} x "
            f"{page.dtype}. A smear is read from gray, RGB, or 8-bit YCbCr or CMYK; "
            "save it as RGB."
        )
    return _as_they_are, []


def _as_they_are(pixels: Any) -> Any:
    return pixels


def _name(photometric: object) -> str:
    """Return the name of a way to store colours; its number where it has none."""
    return str(getattr(photometric, "name", photometric))


def _palette(uri: str, page: Any) -> tuple[_Convert, list[str]]:
    colours = np.asarray(page.colormap).T  # uint16[n, 3]
    to_rgb = Conversion(uri, 65535.0)
    return lambda pixels: to_rgb(colours[pixels[..., 0]]), ["palette expanded to RGB"]


def _mpp(tif: tifffile.TiffFile, page: Any) -> tuple[float | None, list[str]]:
    """Return the first plausible pixel size: OME, then vendor text, ImageJ, tags.

    And a note for each place whose text cannot be read: the picture can all the same.
    """
    notes = []
    for find in (_mpp_ome, _mpp_text, _mpp_imagej, _mpp_tags):
        try:
            size = plausible(find(tif, page))
        except (ValueError, defusedxml.ElementTree.ParseError) as error:
            notes.append(f"pixel size not read, its text is broken: {error}")
            continue
        if size is not None:
            return size, notes
    return None, notes


def _mpp_ome(tif: tifffile.TiffFile, page: Any) -> float | None:
    del page
    if not tif.ome_metadata:
        return None
    root = defusedxml.ElementTree.fromstring(tif.ome_metadata)
    for pixels in root.iterfind(".//{*}Pixels"):
        size = pixels.get("PhysicalSizeX")
        if size is not None:
            return micrometres(float(size), pixels.get("PhysicalSizeXUnit", "µm"))
    return None


def _mpp_text(tif: tifffile.TiffFile, page: Any) -> float | None:
    """Aperio and its imitators write ``MPP = 0.2501`` into the description."""
    del tif
    found = re.search(r"\bMPP\s*=\s*(\d+\.?\d*|\.\d+)", page.description or "")
    return float(found.group(1)) if found else None


def _mpp_imagej(tif: tifffile.TiffFile, page: Any) -> float | None:
    unit = (tif.imagej_metadata or {}).get("unit")
    density = _density(page)
    if unit is None or density is None:
        return None
    return micrometres(1 / density, str(unit))


def _mpp_tags(tif: tifffile.TiffFile, page: Any) -> float | None:
    del tif
    density, unit = _density(page), page.resolutionunit
    if density is None or unit not in (2, 3):
        return None
    return (_INCH_UM if unit == 2 else _CM_UM) / density


def _density(page: Any) -> float | None:
    """Return pixels a resolution unit, or None where unstated."""
    tag = page.tags.get("XResolution")
    if tag is None:
        return None
    value = tag.value
    top, bottom = value if isinstance(value, tuple) else (value, 1)
    return float(top) / float(bottom) if top and bottom else None
