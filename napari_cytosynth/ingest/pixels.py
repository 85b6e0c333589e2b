"""Turns whatever pixels a file holds into RGB, 8 bits a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.smear import NO_COLOUR

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Conversion:
    """How the pixels of one file become RGB uint8, the same for each of its tiles.

    Parameters
    ----------
    uri : str
        The file, for error messages.
    top : float
        Value that becomes 255.
    inverted : bool
        True where 0 is white.
    premultiplied : bool
        True where colour was already multiplied by alpha.
    """

    uri: str
    top: float
    inverted: bool = False
    premultiplied: bool = False

    def __call__(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        """Return uint8[y, x, 3] from ``pixels``: any number[y, x, 1..n].

        Raises
        ------
        InputError
            If floating-point pixels are not finite.
        """
        eight_bit = self._to_uint8(pixels)
        channels = eight_bit.shape[-1]
        if self.inverted:
            colours = 3 if channels >= 3 else 1  # alpha is never inverted
            eight_bit[..., :colours] = 255 - eight_bit[..., :colours]
        if channels in (2, 4):
            return self._composited(eight_bit)
        if channels == 1:
            return np.repeat(eight_bit, 3, axis=-1)
        return np.ascontiguousarray(eight_bit[..., :3])

    def _to_uint8(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        if pixels.dtype == np.uint8 and self.top == 255:
            return np.array(pixels) if self.inverted else np.asarray(pixels)
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            raise InputError(
                f"'{self.uri}' holds pixels that are not numbers (NaN or infinite). "
                "A smear needs a colour at every pixel; fill the holes and save it "
                "again."
            )
        scaled = pixels.astype(np.float32) * np.float32(255.0 / self.top)
        return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)

    def _composited(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        alpha = pixels[..., -1:].astype(np.float32) / 255.0
        colour = pixels[..., :-1].astype(np.float32)
        if not self.premultiplied:
            colour = colour * alpha
        flat = np.rint(colour + 255.0 * (1.0 - alpha)).clip(0, 255).astype(np.uint8)
        return np.repeat(flat, 3, axis=-1) if flat.shape[-1] == 1 else flat


def plan_conversion(
    uri: str, sample: Pixels, *, inverted: bool = False, premultiplied: bool = False
) -> tuple[Conversion, list[str]]:
    """Decide from a sample how a file's pixels become RGB uint8.

    Parameters
    ----------
    uri : str
        The file, for error messages.
    sample : number[y, x, channels]
        Some of its pixels, best the coarsest level.
    inverted : bool
        True where the file says that 0 is white.
    premultiplied : bool
        True where the file says that colour was multiplied by alpha.

    Returns
    -------
    conversion, notes
        The conversion and a sentence for each change that it makes.

    Raises
    ------
    InputError
        If the pixels are of a type that is no picture, or not finite.
    """
    notes: list[str] = []
    top = _top(uri, sample, notes)
    channels = sample.shape[-1]
    if channels == 1:
        notes.append("gray expanded to RGB")
    elif channels == 2:
        notes.append("gray with alpha composited on white")
    elif channels == 4:
        notes.append("RGBA composited on white")
    elif channels > 4:
        notes.append(f"first 3 of {channels} channels taken as RGB")
    if inverted:
        notes.append("inverted: the file stores white as 0")
    if _is_colourless(sample):
        notes.append(NO_COLOUR)
    return Conversion(uri, top, inverted, premultiplied), notes


def rgb_of_ycbcr(pixels: Pixels) -> Pixels:
    """Return uint8[..., 3] in RGB of Y, Cb and Cr (ITU-T T.871, as in JPEG files)."""
    y, cb, cr = np.moveaxis(pixels.astype(np.float32), -1, 0)
    cb, cr = cb - 128, cr - 128
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = y - 0.344136 * cb - 0.714136 * cr
    mixed = np.stack([red, green, blue], axis=-1)
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def rgb_of_cmyk(pixels: Pixels) -> Pixels:
    """Return uint8[..., 3] in RGB of uint8[..., 4]: four inks, without a profile."""
    light = 255 - pixels.astype(np.float32)
    return np.asarray(np.rint(light[..., :3] * light[..., 3:] / 255), np.uint8)


def _is_colourless(sample: Pixels) -> bool:
    """Tell whether a picture is gray; an empty one is neither gray nor coloured."""
    colours = sample[..., :3] if sample.shape[-1] >= 3 else sample[..., :1]
    same = bool((colours == colours[..., :1]).all())
    return same and bool((colours != colours[0, 0, 0]).any())


def _top(uri: str, sample: Pixels, notes: list[str]) -> float:
    """Return the value that becomes white, 255 for plain 8-bit pictures."""
    kind, size = sample.dtype.kind, sample.dtype.itemsize
    if kind == "b":
        notes.append("black-and-white expanded to 8-bit")
        return 1.0
    if sample.dtype == np.uint8:
        return 255.0
    if kind == "f":
        highest = float(np.nanmax(sample)) if np.isfinite(sample).any() else np.nan
        notes.append(f"{8 * size}-bit floating point scaled to 8-bit")
        return 1.0 if not highest > 1.5 else (255.0 if highest <= 255 else 65535.0)
    if kind in "ui" and size <= 4:
        return _top_of_integers(sample, notes)
    raise InputError(
        f"'{uri}' holds pixels of type {sample.dtype}. A smear is a picture of 8-bit "
        "or 16-bit whole numbers, or of floating-point numbers from 0 to 1; convert it."
    )


def _top_of_integers(sample: Pixels, notes: list[str]) -> float:
    """Cameras of 10, 12 or 14 bits are stored in 16; find how many are in use."""
    highest = int(sample.max(initial=0))
    bits = next((b for b in (8, 10, 12, 14, 16) if highest < 2**b), 32)
    stored = 8 * sample.dtype.itemsize
    used = "" if bits == stored else f" ({bits} bits in use)"
    notes.append(f"{stored}-bit scaled to 8-bit{used}")
    return float(2**bits - 1)
