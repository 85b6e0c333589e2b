"""Flawed pictures made of the developers' real ones, and sound ones beside them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from napari_cytosynth.core.shipped import share_of

HELD_OUT = (5, 6, 7, 8, 9)
"""Hashes of the base names of pictures that figures rest on; limits were chosen on the
others."""

_CHANGED = 12  # grey levels on average from which decoded pixels are not what they were
_CHANGED_SHARE = 0.1  # of the pixels within reach of a cell
_QUALITY = 90
_TRIES = 20

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class CellPicture:
    """A picture and the middle of its one cell.

    Parameters
    ----------
    name : str
        Base name of the file.
    pixels : uint8[y, x, 3]
        RGB.
    mpp : float
        Micrometres a pixel, as far as it is known of the set.
    """

    name: str
    pixels: Picture
    mpp: float


def hash_of(path: Path) -> int:
    """Return 0..9: SHA-1 of the base name modulo 10, the one split of every figure."""
    return share_of(path.name)


def cell_pictures(
    folder: Path, pattern: str, mpp: float, hashes: tuple[int, ...]
) -> Iterator[CellPicture]:
    """Yield the pictures of single cells below a folder, in the order of their names.

    Parameters
    ----------
    folder : Path
        Of one developer set.
    pattern : str
        Such as ``"*.jpg"``.
    mpp : float
        Micrometres a pixel.
    hashes : tuple of int
        Which of :func:`hash_of`.
    """
    for path in sorted(folder.rglob(pattern), key=lambda p: p.name):
        if hash_of(path) in hashes:
            pixels = np.asarray(Image.open(path).convert("RGB"))
            yield CellPicture(path.name, pixels, mpp)


def blurred(picture: CellPicture, sigma_um: float) -> CellPicture:
    """Return the picture out of focus by a Gaussian of ``sigma_um`` micrometres."""
    sigma = sigma_um / picture.mpp
    soft = ndimage.gaussian_filter(picture.pixels.astype(np.float32), (sigma, sigma, 0))
    pixels = np.clip(soft + 0.5, 0, 255).astype(np.uint8)
    return CellPicture(picture.name, pixels, picture.mpp)


def broken(
    picture: CellPicture, reach_um: float, rng: np.random.Generator
) -> CellPicture | None:
    """Return the picture as a decoder shows it after a byte of its JPEG broke.

    Bytes of the coded pixels are replaced until one tells near the cell: a tenth of the
    pixels within ``reach_um`` is visibly another. None where no try does.
    """
    data = io.BytesIO()
    Image.fromarray(picture.pixels).save(data, "JPEG", quality=_QUALITY)
    whole = np.asarray(Image.open(data).convert("RGB"))
    coded = bytearray(data.getvalue())
    start = coded.index(b"\xff\xda") + 14
    for _ in range(_TRIES):
        hurt = coded.copy()
        place = int(rng.integers(start, len(coded) - 2))
        hurt[place : place + 2] = bytes(rng.integers(0, 255, 2).tolist())
        try:
            pixels = np.asarray(Image.open(io.BytesIO(bytes(hurt))).convert("RGB"))
        except (OSError, UnidentifiedImageError):
            continue  # a file that no reader opens harms nobody
        if _changed(whole, pixels, picture.mpp, reach_um) > _CHANGED_SHARE:
            return CellPicture(picture.name, pixels, picture.mpp)
    return None


def _changed(whole: Picture, hurt: Picture, mpp: float, reach_um: float) -> float:
    away = np.abs(whole.astype(np.int16) - hurt).mean(axis=2) > _CHANGED
    y, x = away.shape
    half = int(reach_um / mpp / 2)
    rows = slice(max(y // 2 - half, 0), y // 2 + half)
    return float(away[rows, max(x // 2 - half, 0) : x // 2 + half].mean())


@dataclass(frozen=True, slots=True)
class MaskedCell:
    """A cell with its outline, as a person drew it.

    Parameters
    ----------
    pixels : uint8[y, x, 3]
        RGB.
    mask : bool[y, x]
        The whole cell.
    """

    pixels: Picture
    mask: npt.NDArray[np.bool_]

    @property
    def radius(self) -> float:
        """Of a circle of the same area, pixels."""
        return float(np.sqrt(self.mask.sum() / np.pi))


def masked_cells(data: Path, hashes: tuple[int, ...]) -> Iterator[MaskedCell]:
    """Yield the cells of ``wbc_dataset1`` that lie whole in their picture."""
    folder = data / "segmentation" / "wbc_dataset1"
    for path in sorted(folder.glob("*.bmp")):
        mask = np.asarray(Image.open(path.with_suffix(".png")).convert("L")) > 64
        rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        if hash_of(path) in hashes and not rim.any() and mask.any():
            yield MaskedCell(np.asarray(Image.open(path).convert("RGB")), mask)


def pair(first: MaskedCell, second: MaskedCell, apart: float) -> Picture:
    """Paint the second cell beside or over the first.

    Parameters
    ----------
    first, second : MaskedCell
        Of one set, so of one scale and stain.
    apart : float
        Distance of their middles over the sum of their radii: below 1 they overlap.

    Returns
    -------
    uint8[y, x, 3]
        On glass of the first picture's colour.
    """
    away = round(apart * (first.radius + second.radius))
    height = max(first.mask.shape[0], second.mask.shape[0]) + 40
    glass = np.median(first.pixels[~first.mask], axis=0)
    width = height + away + 40
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = glass
    x = (width - away) // 2
    for cell, middle in ((first, x), (second, x + away)):
        _paste(canvas, cell, height // 2, middle)
    return canvas


def _paste(canvas: Picture, cell: MaskedCell, y: int, x: int) -> None:
    rows, columns = (values.astype(int) for values in np.nonzero(cell.mask))
    top, left = y - round(rows.mean()), x - round(columns.mean())
    inside = (rows + top >= 0) & (rows + top < len(canvas))
    inside &= (columns + left >= 0) & (columns + left < canvas.shape[1])
    rows, columns = rows[inside], columns[inside]
    canvas[rows + top, columns + left] = cell.pixels[rows, columns]
